/* inspect_key.c - eds audit inspect-key: the public key of a private one. */
#include <string.h>

#include "base/text.h"
#include "base/wipe.h"
#include "cli/commands.h"
#include "cli/key_arg.h"
#include "cli/output.h"
#include "cli/say.h"

static const struct eds_option options[] = {
    EDS_OPTIONS_KEY,
    {.name = "out",
     .value = "OUT",
     .help = "Write to this file (mode 0600) instead of standard output"},
    {.name = "force", .help = "Replace the file if it is there"},
    {.name = "show-private",
     .help = "Show the private key too, also when it was not given on the command line"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"The public key to register for a device",
     "eds audit inspect-key --key-file lift-01.key.json"},
    {"A private key as hex digits",
     "eds audit inspect-key --private-key-hex "
     "0101010101010101010101010101010101010101010101010101010101010101"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the key was printed or written"},
    {EDS_EXIT_FAILED, "it could not be read or written"},
    {0, NULL},
};

/* Only what is public: nothing in it has to be kept from a screen or a log. */
static size_t format_public(char out[EDS_KEYFILE_SIZE_MAX], const struct eds_key *key)
{
    uint8_t key_id[EDS_KEY_ID_SIZE];
    struct eds_text text;

    eds_key_id(key_id, key->public_key);
    eds_text_begin(&text, out, EDS_KEYFILE_SIZE_MAX);
    eds_text_string(&text, "{\n  \"public_key_hex\": \"");
    eds_text_hex(&text, key->public_key, EDS_PUBLIC_KEY_SIZE);
    eds_text_string(&text, "\",\n  \"key_id\": \"");
    eds_text_hex(&text, key_id, EDS_KEY_ID_SIZE);
    eds_text_string(&text, "\"\n}");
    return eds_text_end(&text);
}

static int run(const struct eds_args *args)
{
    const char *path = eds_args_text(args, "out");
    /* Digits from the command line are shown as the original does: they were
     * in the open before. */
    bool show_private =
        eds_args_flag(args, "show-private") || eds_key_source(args) == EDS_KEY_ARGUMENT;
    enum eds_output_kind kind =
        eds_args_flag(args, "force") ? EDS_OUTPUT_SECRET_REPLACE : EDS_OUTPUT_SECRET;
    struct eds_error err;
    struct eds_key key;
    char text[EDS_KEYFILE_SIZE_MAX + 1]; /* and a newline for standard output */
    size_t size;
    int32_t rc = eds_key_get(&key, args, &err);

    if (rc == EDS_OK) {
        size = show_private ? eds_keyfile_format(text, &key) : format_public(text, &key);
        if (path == NULL)
            text[size++] = '\n';
        rc = eds_output_file(path != NULL ? path : "-", kind, text, size, &err);
    }
    eds_wipe(text, sizeof text);
    eds_wipe(&key, sizeof key);
    return rc == EDS_OK ? EDS_EXIT_OK : eds_say_error(args, "", &err);
}

const struct eds_command eds_command_inspect_key = {
    .name = "inspect-key",
    .summary = "Derive the public key from an existing private key",
    .description = "Prints JSON. A private key from a file or the environment is not printed "
                   "unless --show-private asks for it.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
