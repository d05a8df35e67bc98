/* key_arg.c - see key_arg.h. */
#include "cli/key_arg.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/wipe.h"
#include "cli/file.h"
#include "cli/say.h"

int32_t eds_key_from_hex(struct eds_key *out, const char *digits, struct eds_error *err)
{
    int32_t rc;

    assert(digits != NULL); /* eds_key_source saw it */
    rc = eds_hex_decode_exactly(out->seed, EDS_SEED_SIZE, digits, strlen(digits), err);
    if (rc == EDS_OK)
        eds_ed25519_public_key(out->public_key, out->seed);
    else
        eds_wipe(out, sizeof *out);
    return rc;
}

enum eds_key_source eds_key_source(const struct eds_args *args)
{
    const char *variable = getenv(EDS_ENVIRONMENT_KEY);

    if (eds_args_given(args, "private-key-hex"))
        return EDS_KEY_ARGUMENT;
    if (eds_args_given(args, "key-file"))
        return EDS_KEY_FILE;
    return variable != NULL && *variable != '\0' ? EDS_KEY_ENVIRONMENT : EDS_KEY_NONE;
}

static int32_t from_argument(struct eds_key *out, const struct eds_args *args,
                             struct eds_error *err)
{
    char *digits = eds_args_at(args, "private-key-hex", 0);
    int32_t rc = eds_key_from_hex(out, digits, err);

    memset(digits, '*', strlen(digits)); /* gone from ps from now on */
    eds_say_warning("a private key on the command line can be read by every user of this machine "
                    "and stays in the shell's history; --key-file or " EDS_ENVIRONMENT_KEY
                    " keep it private");
    return rc;
}

static int32_t from_file(struct eds_key *out, const struct eds_args *args, struct eds_error *err)
{
    const char *path = eds_args_text(args, "key-file");
    const char *passphrase_path = eds_args_text(args, "passphrase-file");
    char text[EDS_KEYFILE_SIZE_MAX];
    char passphrase[EDS_PASSPHRASE_SIZE];
    size_t size = 0;
    size_t passphrase_size = 0;
    int32_t rc;

    if (passphrase_path != NULL && eds_is_standard_stream(path) &&
        eds_is_standard_stream(passphrase_path))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "--key-file and --passphrase-file cannot both be standard input");
    eds_warn_if_readable(path);
    rc = eds_file_read_fixed(path, text, sizeof text, &size, err);
    if (rc != EDS_OK)
        return rc;
    if (eds_keyfile_is_encrypted(text, size))
        rc = eds_passphrase_get(passphrase, &passphrase_size, args, false, err);
    if (rc == EDS_OK)
        rc = eds_keyfile_parse(out, text, size, passphrase, passphrase_size, err);
    eds_wipe(passphrase, sizeof passphrase);
    eds_wipe(text, sizeof text);
    return rc;
}

int32_t eds_key_get(struct eds_key *out, const struct eds_args *args, struct eds_error *err)
{
    if (eds_args_given(args, "private-key-hex") && eds_args_given(args, "key-file"))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "--private-key-hex and --key-file exclude each other");
    switch (eds_key_source(args)) {
    case EDS_KEY_ARGUMENT:
        return from_argument(out, args, err);
    case EDS_KEY_FILE:
        return from_file(out, args, err);
    case EDS_KEY_ENVIRONMENT:
        return eds_key_from_hex(out, getenv(EDS_ENVIRONMENT_KEY), err);
    case EDS_KEY_NONE:
        break;
    }
    return eds_error_set(err, EDS_ERR_USAGE,
                         "a private key is needed: --key-file, --private-key-hex or the "
                         "environment variable " EDS_ENVIRONMENT_KEY);
}
