/* command_service.c - see command_service.h. */
#include "cli/command_service.h"

#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/file.h"
#include "cli/say.h"
#include "device/keyfile.h"

/* Reads a key that no passphrase protects: a server starts with nobody there.  A
 * service manager can keep such a file encrypted (systemd credentials). */
static int32_t read_key(struct eds_key *out, const char *path, struct eds_error *err)
{
    char text[EDS_KEYFILE_SIZE_MAX];
    size_t size = 0;
    int32_t rc;

    eds_warn_if_readable(path);
    rc = eds_file_read_fixed(path, text, sizeof text, &size, err);
    if (rc != EDS_OK)
        return rc;
    if (eds_keyfile_is_encrypted(text, size))
        rc = eds_error_set(err, EDS_ERR_USAGE,
                           "--command-key-file: %s has a passphrase, and a server starts with "
                           "nobody there to give it; keep the file in the service manager's "
                           "credentials instead",
                           path);
    else
        rc = eds_keyfile_parse(out, text, size, NULL, 0, err);
    eds_wipe(text, sizeof text);
    return rc;
}

static void log_key(const struct eds_key *key)
{
    char digits[2 * EDS_PUBLIC_KEY_SIZE + 1];

    eds_hex_encode(digits, key->public_key, sizeof key->public_key);
    EDS_LOG(EDS_LOG_INFO, "commands_signed", EDS_LOG_STRING("public_key", digits));
}

int32_t eds_command_service_open(struct eds_ledger_desk **out, const struct eds_args *args,
                                 struct eds_error *err)
{
    const char *path = eds_args_text(args, "command-key-file");
    struct eds_ledger *ledger = NULL;
    struct eds_key key;
    int32_t rc;

    *out = NULL;
    if (path == NULL)
        return EDS_OK;
    rc = read_key(&key, path, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_store_open(&ledger, args, false, err);
    if (rc == EDS_OK && strcmp(ledger->ops->name, "memory") == 0) {
        ledger->ops->close(ledger);
        rc = eds_error_set(err, EDS_ERR_USAGE,
                           "--command-key-file: no operator can give a command where the ledger is "
                           "in memory");
    } else if (rc == EDS_OK) {
        rc = eds_ledger_desk_open(out, ledger, key.seed, err);
    }
    if (rc == EDS_OK)
        log_key(&key);
    eds_wipe(&key, sizeof key);
    return rc;
}

int32_t eds_command_service_reload(struct eds_ledger_desk *desk, const struct eds_args *args,
                                   struct eds_error *err)
{
    const char *path = eds_args_text(args, "command-key-file");
    struct eds_key key;
    int32_t rc;

    if (desk == NULL || path == NULL)
        return EDS_OK;
    rc = read_key(&key, path, err);
    if (rc != EDS_OK)
        return rc;
    eds_ledger_desk_set_key(desk, key.seed);
    log_key(&key);
    eds_wipe(&key, sizeof key);
    return EDS_OK;
}
