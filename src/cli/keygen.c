/* keygen.c - eds audit keygen: a fresh key pair for a device. */
#include <string.h>

#include "base/hex.h"
#include "base/wipe.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/json_out.h"
#include "cli/key_arg.h"
#include "cli/output.h"
#include "cli/say.h"

static const struct eds_option options[] = {
    {.name = "out",
     .value = "OUT",
     .help = "Write the key pair to this file (mode 0600) instead of standard output"},
    {.name = "force", .help = "Replace the file if it is there; the old key is then lost"},
    {.name = "encrypt", .help = "Protect the private key with a passphrase (Argon2id)"},
    EDS_OPTION_PASSPHRASE_FILE,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"A key pair into a file that only you can read", "eds audit keygen --out lift-01.key.json"},
    {"The same, protected by the passphrase in a file",
     "eds audit keygen --encrypt --passphrase-file passphrase.txt --out lift-02.key.json"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the key pair was printed or written"},
    {EDS_EXIT_FAILED, "it could not be written, or the file exists already"},
    {0, NULL},
};

/* The file's text: plain or encrypted. */
static int32_t make_text(char text[EDS_KEYFILE_SIZE_MAX], size_t *size, const struct eds_key *key,
                         const struct eds_args *args, struct eds_error *err)
{
    char passphrase[EDS_PASSPHRASE_SIZE];
    size_t passphrase_size = 0;
    int32_t rc;

    if (!eds_args_flag(args, "encrypt")) {
        *size = eds_keyfile_format(text, key);
        return EDS_OK;
    }
    rc = eds_passphrase_get(passphrase, &passphrase_size, args, true, err);
    if (rc == EDS_OK)
        rc = eds_keyfile_encrypt(text, size, key, passphrase, passphrase_size, err);
    eds_wipe(passphrase, sizeof passphrase);
    return rc;
}

/* What a file has taken in is said without the secret. */
static void report(const struct eds_args *args, const struct eds_key *key, const char *path)
{
    char digits[2 * EDS_PUBLIC_KEY_SIZE + 1];
    uint8_t key_id[EDS_KEY_ID_SIZE];
    struct eds_json_out json;

    if (!eds_args_flag(args, "json")) {
        eds_hex_encode(digits, key->public_key, EDS_PUBLIC_KEY_SIZE);
        eds_say_note("the public key of %s is %s", path, digits);
        return;
    }
    eds_key_id(key_id, key->public_key);
    eds_out_begin(&json);
    eds_out_string(&json, "key_file", path);
    eds_out_bool(&json, "encrypted", eds_args_flag(args, "encrypt"));
    eds_out_hex(&json, "public_key_hex", key->public_key, EDS_PUBLIC_KEY_SIZE);
    eds_out_hex(&json, "key_id", key_id, EDS_KEY_ID_SIZE);
    eds_out_end(&json);
}

static int run(const struct eds_args *args)
{
    const char *path = eds_args_text(args, "out");
    enum eds_output_kind kind =
        eds_args_flag(args, "force") ? EDS_OUTPUT_SECRET_REPLACE : EDS_OUTPUT_SECRET;
    struct eds_output probe;
    struct eds_error err;
    struct eds_key key;
    char text[EDS_KEYFILE_SIZE_MAX + 1]; /* and a newline for standard output */
    size_t size = 0;
    int32_t rc;

    if (eds_args_given(args, "passphrase-file") && !eds_args_flag(args, "encrypt"))
        return eds_args_usage(args, "--passphrase-file is of use only with --encrypt");
    if (path != NULL) { /* before a passphrase is asked for in vain */
        rc = eds_output_open(&probe, path, kind, &err);
        if (rc == EDS_ERR_EXISTS) {
            eds_say_error(args, "", &err);
            eds_say_hint("--force replaces it, and the key in it is then lost");
            return EDS_EXIT_FAILED;
        }
        if (rc != EDS_OK)
            return eds_say_error(args, "", &err);
        eds_output_discard(&probe);
    }
    rc = eds_ed25519_keygen(key.seed, key.public_key);
    if (rc != EDS_OK)
        eds_error_set(&err, rc, "the system gives no random bytes");
    if (rc == EDS_OK)
        rc = make_text(text, &size, &key, args, &err);
    if (rc == EDS_OK) {
        if (path == NULL)
            text[size++] = '\n';
        rc = eds_output_file(path != NULL ? path : "-", kind, text, size, &err);
    }
    if (rc == EDS_OK && path != NULL && !eds_is_standard_stream(path))
        report(args, &key, path);
    eds_wipe(text, sizeof text);
    eds_wipe(&key, sizeof key);
    return rc == EDS_OK ? EDS_EXIT_OK : eds_say_error(args, "", &err);
}

const struct eds_command eds_command_keygen = {
    .name = "keygen",
    .summary = "Generate a fresh Ed25519 key pair",
    .description = "Prints JSON with private_key_hex and public_key_hex. The server is given the "
                   "public key; the private key stays on its device.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
