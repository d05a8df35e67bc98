/* signer.h - who holds a device's private key, and signs with it.
 *
 * The key is in memory, in an encrypted file, or in a PKCS#11 token that never
 * lets it out; or the caller brings a table of functions of his own (a secure
 * element, a trusted execution environment).
 *
 * A signer is used by one thread at a time. */
#ifndef EDGESENTRY_SIGNER_H
#define EDGESENTRY_SIGNER_H

#include "edgesentry/ed25519.h"
#include "edgesentry/error.h"

#ifdef __cplusplus
extern "C" {
#endif

struct eds_signer;

struct eds_signer_ops {
    const char *name; /* "memory", "pkcs11" */
    /* Signs size bytes with Ed25519, without a hash or context in front.
     * EDS_ERR_IO when the key's holder fails. */
    int32_t (*sign)(struct eds_signer *, const void *message, size_t size,
                    uint8_t signature[EDS_SIGNATURE_SIZE], struct eds_error *);
    void (*close)(struct eds_signer *); /* wipes and frees what is the signer's */
};

/* Embed it as the first member. */
struct eds_signer {
    const struct eds_signer_ops *ops;
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
};

/* eds_signer_from_seed keeps a copy of the seed in locked memory.  EDS_OK and
 * *out, closed with eds_signer_close; EDS_ERR_NO_MEMORY. */
int32_t eds_signer_from_seed(struct eds_signer **out, const uint8_t seed[EDS_SEED_SIZE],
                             struct eds_error *err);

/* eds_signer_from_key_file reads any key file (docs/SPEC.md 13).
 *
 *   passphrase, passphrase_size  for an encrypted one; else NULL and 0
 *
 * EDS_ERR_IO, EDS_ERR_MALFORMED, EDS_ERR_INVALID_KEY, EDS_ERR_BAD_SIGNATURE (a
 * wrong passphrase, or none), EDS_ERR_UNSUPPORTED, EDS_ERR_NO_MEMORY. */
int32_t eds_signer_from_key_file(struct eds_signer **out, const char *path, const char *passphrase,
                                 size_t passphrase_size, struct eds_error *err);

/* eds_signer_from_pkcs11 finds the key that a PKCS#11 URI (RFC 7512) names, in
 * the modules that p11-kit knows or the one that the URI names:
 *
 *   pkcs11:token=fleet;object=lift-01;type=private?module-path=/usr/lib/libx.so
 *
 *   pin  NULL: the one in the URI, if it has one
 *
 * The public key is read from the token and tried: a token that signs with
 * another key is found out here.  EDS_ERR_USAGE for a bad URI, EDS_ERR_NOT_FOUND
 * (no such token, or not exactly one such key), EDS_ERR_IO for what the token
 * refuses, EDS_ERR_INVALID_KEY, EDS_ERR_UNSUPPORTED in a build without p11-kit. */
int32_t eds_signer_from_pkcs11(struct eds_signer **out, const char *uri, const char *pin,
                               struct eds_error *err);

/* eds_signer_pkcs11_generate makes a new key in the token that the URI names,
 * under the URI's object name: private, sensitive, never extractable.  Errors
 * as above; EDS_ERR_EXISTS if that name is taken. */
int32_t eds_signer_pkcs11_generate(const char *uri, const char *pin,
                                   uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err);

/* eds_signer_close ends a signer; NULL is fine. */
void eds_signer_close(struct eds_signer *signer);

#ifdef __cplusplus
}
#endif

#endif
