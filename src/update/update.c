/* update.c - see edgesentry/update.h. */
#include "edgesentry/update.h"

#include <string.h>

#include "base/utf8.h"

void eds_update_verifier_init(struct eds_update_verifier *verifier, struct eds_publisher_key *keys,
                              size_t key_max, eds_update_log *log, void *log_context)
{
    verifier->keys = keys;
    verifier->key_count = 0;
    verifier->key_max = key_max;
    verifier->log = log;
    verifier->log_context = log_context;
}

static struct eds_publisher_key *find_key(const struct eds_update_verifier *verifier,
                                          const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    for (size_t i = 0; i < verifier->key_count; i++)
        if (memcmp(verifier->keys[i].public_key, public_key, EDS_PUBLIC_KEY_SIZE) == 0)
            return &verifier->keys[i];
    return NULL;
}

static int32_t check_id(const char *publisher_id, size_t size, struct eds_error *err)
{
    if (size == 0)
        return eds_error_set(err, EDS_ERR_USAGE, "a publisher id must not be empty");
    if (size >= EDS_PUBLISHER_ID_SIZE)
        return eds_error_set(err, EDS_ERR_STRING_TOO_LONG,
                             "publisher id of %zu bytes is too long: at most %u bytes", size,
                             EDS_PUBLISHER_ID_SIZE - 1);
    if (!eds_utf8_valid(publisher_id, size))
        return eds_error_set(err, EDS_ERR_INVALID_UTF8,
                             "publisher id is not valid UTF-8 at byte %zu",
                             eds_utf8_valid_size(publisher_id, size));
    return EDS_OK;
}

int32_t eds_update_add_key(struct eds_update_verifier *verifier, const char *publisher_id,
                           const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err)
{
    size_t size = strlen(publisher_id);
    struct eds_publisher_key *key;
    enum eds_key_fault fault;
    int32_t rc = check_id(publisher_id, size, err);

    if (rc != EDS_OK)
        return rc;
    fault = eds_ed25519_check_key(public_key);
    if (fault != EDS_KEY_GOOD)
        return eds_error_set(err, EDS_ERR_INVALID_KEY, "key of publisher '%s' %s", publisher_id,
                             eds_key_fault_text(fault));
    key = find_key(verifier, public_key);
    if (key != NULL && strcmp(key->publisher_id, publisher_id) == 0)
        return EDS_OK;
    if (key != NULL)
        return eds_error_set(err, EDS_ERR_EXISTS,
                             "key of publisher '%s' belongs to publisher '%s': give each "
                             "publisher a key of its own",
                             publisher_id, key->publisher_id);
    if (verifier->key_count == verifier->key_max)
        return eds_error_set(err, EDS_ERR_TOO_LARGE,
                             "no room for a key of publisher '%s': %zu keys at most", publisher_id,
                             verifier->key_max);
    key = &verifier->keys[verifier->key_count++];
    memcpy(key->publisher_id, publisher_id, size + 1);
    memcpy(key->public_key, public_key, EDS_PUBLIC_KEY_SIZE);
    return EDS_OK;
}

int32_t eds_update_drop_key(struct eds_update_verifier *verifier, const char *publisher_id,
                            const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    struct eds_publisher_key *key = find_key(verifier, public_key);

    if (key == NULL || strcmp(key->publisher_id, publisher_id) != 0)
        return EDS_ERR_NOT_FOUND;
    *key = verifier->keys[--verifier->key_count];
    return EDS_OK;
}

/* The verdict, and in *message the original's words for it. */
static int32_t decide(const struct eds_update_verifier *verifier, const struct eds_update *update,
                      const uint8_t hash[EDS_HASH_SIZE], struct eds_error *message)
{
    bool known = false, signed_by_him = false;
    bool intact = memcmp(hash, update->payload_hash, EDS_HASH_SIZE) == 0;

    for (size_t i = 0; i < verifier->key_count; i++) {
        if (strcmp(verifier->keys[i].publisher_id, update->publisher_id) != 0)
            continue;
        known = true;
        if (intact && eds_ed25519_verify(update->signature, hash, EDS_HASH_SIZE,
                                         verifier->keys[i].public_key))
            signed_by_him = true;
    }
    if (!known)
        return eds_error_set(message, EDS_ERR_NOT_FOUND, "unknown publisher '%s'",
                             update->publisher_id);
    if (!intact)
        return eds_error_set(message, EDS_ERR_HASH_MISMATCH,
                             "payload hash mismatch for package '%s' version '%s'",
                             update->package_id, update->version);
    if (!signed_by_him)
        return eds_error_set(message, EDS_ERR_BAD_SIGNATURE,
                             "invalid publisher signature for package '%s' version '%s'",
                             update->package_id, update->version);
    return eds_error_set(message, EDS_OK, "update accepted: package=%s version=%s",
                         update->package_id, update->version);
}

int32_t eds_update_verify_hashed(struct eds_update_verifier *verifier,
                                 const struct eds_update *update, const uint8_t hash[EDS_HASH_SIZE],
                                 struct eds_error *err)
{
    struct eds_error message;
    struct eds_update_attempt attempt = {.update = update, .message = message.text};
    int32_t rc = decide(verifier, update, hash, &message);
    int32_t logged = EDS_OK;

    attempt.accepted = rc == EDS_OK;
    if (verifier->log != NULL)
        logged = verifier->log(verifier->log_context, &attempt);
    if (rc == EDS_OK && logged != EDS_OK)
        return eds_error_set(err, logged,
                             "update of package '%s' is good but was not taken: the attempt "
                             "could not be logged (%s)",
                             update->package_id, eds_error_name(logged));
    if (err != NULL && rc != EDS_OK)
        *err = message;
    return rc;
}

int32_t eds_update_verify(struct eds_update_verifier *verifier, const struct eds_update *update,
                          const void *payload, size_t payload_size, struct eds_error *err)
{
    uint8_t hash[EDS_HASH_SIZE];

    eds_blake3(hash, payload, payload_size);
    return eds_update_verify_hashed(verifier, update, hash, err);
}
