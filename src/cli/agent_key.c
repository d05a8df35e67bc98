/* agent_key.c - see agent_key.h. */
#include "cli/agent_key.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/place.h"
#include "base/wipe.h"
#include "cli/agent_token.h"
#include "cli/file.h"
#include "cli/key_arg.h"
#include "cli/output.h"

/* The key's file, and the one beside it. */
struct places {
    const char *file;
    char next[PATH_MAX];
    bool is_encrypted;
    char passphrase[EDS_PASSPHRASE_SIZE];
    size_t passphrase_size;
};

static int32_t find_passphrase(struct places *places, const struct eds_args *args,
                               struct eds_error *err)
{
    const char *file = eds_args_text(args, "passphrase-file");

    if ((file == NULL || eds_is_standard_stream(file)) && getenv("EDS_PASSPHRASE") == NULL)
        return eds_error_set(err, EDS_ERR_REFUSED,
                             "the passphrase of the key's file was typed, and is not known any "
                             "more");
    return eds_passphrase_get(places->passphrase, &places->passphrase_size, args, false, err);
}

static int32_t find_places(struct places *places, const struct eds_args *args,
                           struct eds_error *err)
{
    char text[EDS_KEYFILE_SIZE_MAX];
    size_t size = 0;
    int32_t rc;

    memset(places, 0, sizeof *places);
    places->file = eds_args_text(args, "key-file");
    if (eds_key_source(args) != EDS_KEY_FILE || eds_is_standard_stream(places->file))
        return eds_error_set(err, EDS_ERR_REFUSED,
                             "the key of this device is neither in a file nor in a token");
    if ((size_t)snprintf(places->next, sizeof places->next, "%s.next", places->file) >=
        sizeof places->next)
        return eds_error_set(err, EDS_ERR_REFUSED, "the path of the key's file is too long");
    rc = eds_file_read_fixed(places->file, text, sizeof text, &size, err);
    places->is_encrypted = rc == EDS_OK && eds_keyfile_is_encrypted(text, size);
    eds_wipe(text, sizeof text);
    return places->is_encrypted ? find_passphrase(places, args, err) : rc;
}

/* Reads one of the two files.  EDS_ERR_NOT_FOUND if it is not there. */
static int32_t read_key(struct eds_key *out, const struct places *places, const char *path,
                        struct eds_error *err)
{
    char text[EDS_KEYFILE_SIZE_MAX];
    size_t size = 0;
    int32_t rc;

    if (access(path, F_OK) != 0 && errno == ENOENT)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "%s is not there", path);
    rc = eds_file_read_fixed(path, text, sizeof text, &size, err);
    if (rc == EDS_OK)
        rc = eds_keyfile_parse(out, text, size, places->passphrase, places->passphrase_size, err);
    eds_wipe(text, sizeof text);
    return rc;
}

static int32_t write_next(struct eds_key *out, const struct places *places, struct eds_error *err)
{
    char text[EDS_KEYFILE_SIZE_MAX];
    size_t size = 0;
    int32_t rc = eds_ed25519_keygen(out->seed, out->public_key);

    if (rc != EDS_OK)
        return eds_error_set(err, rc, "the system gives no random bytes");
    if (places->is_encrypted)
        rc =
            eds_keyfile_encrypt(text, &size, out, places->passphrase, places->passphrase_size, err);
    else
        size = eds_keyfile_format(text, out);
    if (rc == EDS_OK)
        rc = eds_output_file(places->next, EDS_OUTPUT_SECRET, text, size, err);
    eds_wipe(text, sizeof text);
    return rc;
}

int32_t eds_agent_key_prepare(const struct eds_args *args, uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                              struct eds_error *err)
{
    struct places places;
    struct eds_key key;
    int32_t rc;

    if (eds_args_text(args, "pkcs11-uri") != NULL)
        return eds_agent_token_prepare(args, public_key, err);
    rc = find_places(&places, args, err);
    if (rc == EDS_OK) {
        rc = read_key(&key, &places, places.next, err);
        if (rc == EDS_ERR_NOT_FOUND)
            rc = write_next(&key, &places, err);
    }
    if (rc == EDS_OK)
        memcpy(public_key, key.public_key, EDS_PUBLIC_KEY_SIZE);
    eds_wipe(&key, sizeof key);
    eds_wipe(&places, sizeof places);
    return rc;
}

/* The new file under the old name, for good. */
static int32_t replace(const struct places *places, struct eds_error *err)
{
    char directory[PATH_MAX];
    const char *slash = strrchr(places->file, '/');
    int size = slash == NULL ? 1 : (int)(slash - places->file) + 1;

    snprintf(directory, sizeof directory, "%.*s", size, slash == NULL ? "." : places->file);
    if (rename(places->next, places->file) != 0 || eds_place_sync(directory) != 0)
        return eds_place_error(err, "replace", places->file);
    return EDS_OK;
}

static int32_t use(struct eds_signer **out, const struct places *places,
                   const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err)
{
    struct eds_signer *fresh = NULL;
    struct eds_key key;
    bool is_in_place = false;
    int32_t rc = read_key(&key, places, places->next, err);

    if (rc == EDS_ERR_NOT_FOUND) { /* an attempt before may have come as far as that */
        is_in_place = true;
        rc = read_key(&key, places, places->file, err);
    }
    if (rc == EDS_OK && memcmp(key.public_key, public_key, EDS_PUBLIC_KEY_SIZE) != 0)
        rc = eds_error_set(err, EDS_ERR_REFUSED, "this device has made no such key");
    if (rc == EDS_OK)
        rc = eds_signer_from_seed(&fresh, key.seed, err);
    if (rc == EDS_OK && !is_in_place)
        rc = replace(places, err);
    eds_wipe(&key, sizeof key);
    if (rc == EDS_OK)
        *out = fresh;
    else
        eds_signer_close(fresh);
    return rc;
}

int32_t eds_agent_key_use(struct eds_agent_job *job, struct eds_signer **signer,
                          const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err)
{
    struct eds_signer *fresh = NULL, *before = *signer;
    struct places places;
    int32_t rc;

    if (memcmp((*signer)->public_key, public_key, EDS_PUBLIC_KEY_SIZE) == 0)
        return EDS_OK; /* it was done, and the answer did not come as far as the buffer */
    if (eds_args_text(job->args, "pkcs11-uri") != NULL) {
        rc = eds_agent_token_use(&fresh, job->args, public_key, err);
    } else {
        rc = find_places(&places, job->args, err);
        if (rc == EDS_OK)
            rc = use(&fresh, &places, public_key, err);
        eds_wipe(&places, sizeof places);
    }
    if (rc != EDS_OK)
        return rc;
    eds_agent_set_signer(job->agent, fresh);
    *signer = fresh;
    eds_signer_close(before);
    return EDS_OK;
}
