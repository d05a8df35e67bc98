/* agent_token.c - see agent_token.h.
 *
 * A token cannot change the names of two objects at once, and some change none: so what
 * changes is one line in one file, and that in one step. */
#include "cli/agent_token.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/wipe.h"
#include "cli/agent_settings.h"
#include "cli/file.h"
#include "cli/key_arg.h"
#include "cli/output.h"

#define URI_SIZE  2048u
#define NAME_SIZE 512u /* of an object in a URI, escapes included */
#define LINE_SIZE (NAME_SIZE + 16u)
#define LAST_KEY  9999u

/* The keys of one URI. */
struct keys {
    const char *uri;
    size_t name_at, name_size; /* the object's name in the URI */
    char path[PATH_MAX];       /* FILE.key */
    unsigned number;           /* of the one in use; 1: the URI's own */
};

/* Finds the object's name.  False if the URI has none, or says more of the object. */
static bool find_name(struct keys *keys)
{
    const char *at = strncmp(keys->uri, "pkcs11:", 7) == 0 ? keys->uri + 7 : "";
    bool has_id = false;

    keys->name_size = 0;
    while (*at != '\0' && *at != '?') {
        size_t size = strcspn(at, ";?");

        if (strncmp(at, "object=", 7) == 0) {
            keys->name_at = (size_t)(at - keys->uri) + 7;
            keys->name_size = size - 7;
        }
        has_id |= strncmp(at, "id=", 3) == 0;
        at += size + (at[size] == ';' ? 1 : 0);
    }
    return keys->name_size > 0 && keys->name_size < NAME_SIZE - 8 && !has_id;
}

/* The line of FILE.key for a key. */
static int format_line(char out[LINE_SIZE], const struct keys *keys, unsigned number)
{
    return snprintf(out, LINE_SIZE, "object=%.*s-%u\n", (int)keys->name_size,
                    keys->uri + keys->name_at, number);
}

/* Reads the number of the key in use.  A line about keys of another name is from before
 * the URI was changed by hand, and that counts. */
static int32_t read_line(struct keys *keys, struct eds_error *err)
{
    char text[LINE_SIZE] = "", again[LINE_SIZE];
    const char *digits;
    size_t size = 0;
    int32_t rc;

    keys->number = 1;
    if (access(keys->path, F_OK) != 0 && errno == ENOENT)
        return EDS_OK;
    rc = eds_file_read_fixed(keys->path, text, sizeof text - 1, &size, err);
    if (rc != EDS_OK)
        return rc;
    digits = strrchr(text, '-');
    if (strncmp(text, "object=", 7) != 0 || digits == NULL || strlen(text) != size)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "%s does not say object=NAME-NUMBER: it names the key in use",
                             keys->path);
    keys->number = (unsigned)strtoul(digits + 1, NULL, 10);
    format_line(again, keys, keys->number);
    if (keys->number >= 2 && keys->number <= LAST_KEY && strcmp(text, again) == 0)
        return EDS_OK;
    keys->number = 1;
    EDS_LOG(EDS_LOG_WARN, "key_line_ignored", EDS_LOG_STRING("file", keys->path),
            EDS_LOG_STRING("reason", "it names a key of another object than --pkcs11-uri"));
    return EDS_OK;
}

/* EDS_ERR_REFUSED if there can be no successors. */
static int32_t find_keys(struct keys *keys, const struct eds_args *args, struct eds_error *err)
{
    int32_t rc;

    *keys = (struct keys){.uri = eds_args_text(args, "pkcs11-uri"), .number = 1};
    if (!find_name(keys))
        return eds_error_set(err, EDS_ERR_REFUSED,
                             "--pkcs11-uri names its key by more or less than object=NAME");
    rc = eds_agent_settings_beside(keys->path, eds_args_text(args, "buffer"), ".key", err);
    return rc == EDS_OK ? read_line(keys, err) : rc;
}

static int32_t make_uri(char out[URI_SIZE], const struct keys *keys, unsigned number,
                        struct eds_error *err)
{
    size_t front = keys->name_at + keys->name_size;
    int size = number == 1 ? snprintf(out, URI_SIZE, "%s", keys->uri)
                           : snprintf(out, URI_SIZE, "%.*s-%u%s", (int)front, keys->uri, number,
                                      keys->uri + front);

    return size > 0 && (unsigned)size < URI_SIZE
               ? EDS_OK
               : eds_error_set(err, EDS_ERR_USAGE, "--pkcs11-uri is too long");
}

/* The PIN, or nothing if the URI has one or the token asks for none. */
static int32_t get_pin(char pin[EDS_PASSPHRASE_SIZE], bool *has_pin, const struct eds_args *args,
                       struct eds_error *err)
{
    size_t size;

    *has_pin = eds_args_given(args, "passphrase-file") || getenv("EDS_PASSPHRASE") != NULL;
    return *has_pin ? eds_passphrase_get(pin, &size, args, false, err) : EDS_OK;
}

static int32_t open_uri(struct eds_signer **out, const char *uri, const struct eds_args *args,
                        struct eds_error *err)
{
    char pin[EDS_PASSPHRASE_SIZE];
    bool has_pin;
    int32_t rc = get_pin(pin, &has_pin, args, err);

    if (rc == EDS_OK)
        rc = eds_signer_from_pkcs11(out, uri, has_pin ? pin : NULL, err);
    eds_wipe(pin, sizeof pin);
    return rc;
}

int32_t eds_agent_token_open(struct eds_signer **out, const struct eds_args *args,
                             struct eds_error *err)
{
    char uri[URI_SIZE];
    struct keys keys;
    int32_t rc = find_keys(&keys, args, err);

    if (rc == EDS_ERR_REFUSED) /* a URI like that serves as it is */
        return open_uri(out, eds_args_text(args, "pkcs11-uri"), args, err);
    if (rc == EDS_OK)
        rc = make_uri(uri, &keys, keys.number, err);
    return rc == EDS_OK ? open_uri(out, uri, args, err) : rc;
}

/* The URI of the next key, where the PIN can still be had. */
static int32_t find_next(struct keys *keys, char uri[URI_SIZE], const struct eds_args *args,
                         struct eds_error *err)
{
    const char *file = eds_args_text(args, "passphrase-file");
    int32_t rc = find_keys(keys, args, err);

    if (rc == EDS_OK && file != NULL && eds_is_standard_stream(file) &&
        getenv("EDS_PASSPHRASE") == NULL)
        rc = eds_error_set(err, EDS_ERR_REFUSED,
                           "the token's PIN came by standard input, and is not known any more");
    if (rc == EDS_OK && keys->number >= LAST_KEY)
        rc = eds_error_set(err, EDS_ERR_REFUSED, "%u keys were enough", LAST_KEY);
    return rc == EDS_OK ? make_uri(uri, keys, keys->number + 1, err) : rc;
}

int32_t eds_agent_token_prepare(const struct eds_args *args,
                                uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err)
{
    char uri[URI_SIZE], pin[EDS_PASSPHRASE_SIZE];
    struct eds_signer *signer = NULL;
    struct keys keys;
    bool has_pin = false;
    int32_t rc = find_next(&keys, uri, args, err);

    if (rc == EDS_OK)
        rc = get_pin(pin, &has_pin, args, err);
    if (rc == EDS_OK)
        rc = eds_signer_pkcs11_generate(uri, has_pin ? pin : NULL, public_key, err);
    if (rc == EDS_ERR_EXISTS) { /* an attempt before may have come as far as that */
        rc = eds_signer_from_pkcs11(&signer, uri, has_pin ? pin : NULL, err);
        if (rc == EDS_OK)
            memcpy(public_key, signer->public_key, EDS_PUBLIC_KEY_SIZE);
        eds_signer_close(signer);
    }
    eds_wipe(pin, sizeof pin);
    return rc;
}

int32_t eds_agent_token_use(struct eds_signer **out, const struct eds_args *args,
                            const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err)
{
    char uri[URI_SIZE], line[LINE_SIZE];
    struct eds_signer *signer = NULL;
    struct keys keys;
    int32_t rc = find_next(&keys, uri, args, err);

    if (rc == EDS_OK)
        rc = open_uri(&signer, uri, args, err);
    if (rc == EDS_ERR_NOT_FOUND ||
        (rc == EDS_OK && memcmp(signer->public_key, public_key, EDS_PUBLIC_KEY_SIZE) != 0))
        rc = eds_error_set(err, EDS_ERR_REFUSED, "this device has made no such key");
    if (rc == EDS_OK)
        rc = eds_output_file(keys.path, EDS_OUTPUT_SECRET_REPLACE, line,
                             (size_t)format_line(line, &keys, keys.number + 1), err);
    if (rc == EDS_OK)
        *out = signer;
    else
        eds_signer_close(signer);
    return rc;
}
