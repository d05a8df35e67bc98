/* update.h - may this software be installed?  The check before a device takes
 * an update.
 *
 * An update names its publisher and carries the BLAKE3 hash of its payload with
 * the publisher's Ed25519 signature over that hash.  The device holds the keys
 * of the publishers that it trusts, and keeps a line of every attempt.
 *
 * What a signature over the hash alone can't tell, as in edgesentry-rs:
 * package_id and version are not signed, and an older update stays valid.  A
 * device that must not go back holds the payload's own version against its
 * floor before it installs.
 *
 * No heap; the caller's storage.  One thread at a time per verifier. */
#ifndef EDGESENTRY_UPDATE_H
#define EDGESENTRY_UPDATE_H

#include "edgesentry/blake3.h"
#include "edgesentry/ed25519.h"
#include "edgesentry/error.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_PUBLISHER_ID_SIZE 256u /* bytes, NUL included */

/* A key that a publisher signs with.  A publisher who changes keys has two
 * while both are good. */
struct eds_publisher_key {
    char publisher_id[EDS_PUBLISHER_ID_SIZE]; /* UTF-8 */
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
};

/* What comes with an update's payload; the strings are the caller's,
 * NUL-terminated UTF-8. */
struct eds_update {
    const char *publisher_id;
    const char *package_id;
    const char *version;
    uint8_t payload_hash[EDS_HASH_SIZE];   /* BLAKE3-256 of the payload */
    uint8_t signature[EDS_SIGNATURE_SIZE]; /* over the 32 bytes of payload_hash */
};

/* One attempt, as the log gets it; pointers hold during the call. */
struct eds_update_attempt {
    const struct eds_update *update;
    bool accepted;
    const char *message; /* NUL-terminated; names come from outside: escape before printing */
};

/* eds_update_log keeps a line of an attempt.  EDS_OK, or the error that eds_update_verify then
 * returns: what can't be put on record is not accepted. */
typedef int32_t eds_update_log(void *context, const struct eds_update_attempt *attempt);

struct eds_update_verifier {
    struct eds_publisher_key *keys; /* the caller's */
    size_t key_count, key_max;
    eds_update_log *log;
    void *log_context;
};

/* eds_update_verifier_init starts with no publisher: nothing is accepted.
 *
 *   keys, key_max  the caller's storage, as long as the verifier is used
 *   log            called for each attempt; NULL: nobody keeps them */
void eds_update_verifier_init(struct eds_update_verifier *verifier, struct eds_publisher_key *keys,
                              size_t key_max, eds_update_log *log, void *log_context);

/* eds_update_add_key trusts a publisher by a key, besides those he has already.
 *
 * EDS_OK, also if it was there; EDS_ERR_INVALID_KEY for a key that
 * eds_ed25519_check_key refuses; EDS_ERR_EXISTS if another publisher has it (a
 * signature for one could pass for the other's); EDS_ERR_USAGE (empty),
 * EDS_ERR_STRING_TOO_LONG or EDS_ERR_INVALID_UTF8 for a bad id;
 * EDS_ERR_TOO_LARGE if the storage is full. */
int32_t eds_update_add_key(struct eds_update_verifier *verifier, const char *publisher_id,
                           const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err);

/* eds_update_drop_key trusts that key no more.  EDS_OK or EDS_ERR_NOT_FOUND. */
int32_t eds_update_drop_key(struct eds_update_verifier *verifier, const char *publisher_id,
                            const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_update_verify decides about one update, and logs it.  In this order:
 * EDS_ERR_NOT_FOUND for a publisher without a key, EDS_ERR_HASH_MISMATCH if the
 * payload has another hash, EDS_ERR_BAD_SIGNATURE if none of the publisher's
 * keys made the signature; else EDS_OK, or the log's error. */
int32_t eds_update_verify(struct eds_update_verifier *verifier, const struct eds_update *update,
                          const void *payload, size_t payload_size, struct eds_error *err);

/* eds_update_verify_hashed does the same for a payload that was hashed while it
 * arrived.
 *
 *   hash  BLAKE3-256 of what is about to be installed, made by the caller:
 *         never the update's own word for it */
int32_t eds_update_verify_hashed(struct eds_update_verifier *verifier,
                                 const struct eds_update *update, const uint8_t hash[EDS_HASH_SIZE],
                                 struct eds_error *err);

#ifdef __cplusplus
}
#endif

#endif
