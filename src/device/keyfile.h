/* keyfile.h - what stands in a private key's file.
 *
 * Three forms are read: 64 hex digits; keygen's JSON with private_key_hex and
 * public_key_hex; and the encrypted JSON that eds_keyfile_encrypt writes.
 * Nothing here touches a file or allocates. */
#ifndef EDS_DEVICE_KEYFILE_H
#define EDS_DEVICE_KEYFILE_H

#include <stdbool.h>

#include "edgesentry/ed25519.h"
#include "edgesentry/error.h"

#define EDS_KEYFILE_SIZE_MAX 4096u /* bytes */

/* A key pair.  Whoever holds one wipes it. */
struct eds_key {
    uint8_t seed[EDS_SEED_SIZE];
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
};

/* eds_keyfile_is_encrypted tells whether a passphrase will be needed. */
bool eds_keyfile_is_encrypted(const char *text, size_t size);

/* eds_keyfile_parse reads any of the three forms.
 *
 *   out          wiped on failure
 *   passphrase   used for the encrypted form only; else may be NULL
 *
 * EDS_OK; EDS_ERR_MALFORMED; EDS_ERR_INVALID_KEY when the public key named in
 * the file is not that of the private one; EDS_ERR_BAD_SIGNATURE for a wrong
 * passphrase or a changed file; EDS_ERR_UNSUPPORTED for another format or
 * limits past ours; EDS_ERR_NO_MEMORY.  *err never holds key material. */
int32_t eds_keyfile_parse(struct eds_key *out, const char *text, size_t size,
                          const char *passphrase, size_t passphrase_size, struct eds_error *err);

/* eds_keyfile_format writes keygen's JSON, without a final newline.  Returns
 * its length. */
size_t eds_keyfile_format(char out[EDS_KEYFILE_SIZE_MAX], const struct eds_key *key);

/* eds_keyfile_encrypt writes the encrypted form: the seed under
 * XChaCha20-Poly1305 with a key that Argon2id makes of the passphrase.  Limits
 * are libsodium's MODERATE, and INTERACTIVE where the memory (256 MiB) is not
 * to be had; they are stored in the file.  EDS_OK and *size, EDS_ERR_NO_MEMORY
 * or EDS_ERR_PANIC (no randomness). */
int32_t eds_keyfile_encrypt(char out[EDS_KEYFILE_SIZE_MAX], size_t *size, const struct eds_key *key,
                            const char *passphrase, size_t passphrase_size, struct eds_error *err);

#endif
