/* sodium.h - the part of libsodium's interface that the library needs on a small
 * device; ed25519.c beside it answers with the arithmetic of TinySSH, which takes a
 * tenth of the flash memory.  Put this folder in the include path, and not libsodium. */
#ifndef EDS_PORTS_SODIUM_H
#define EDS_PORTS_SODIUM_H

#define crypto_sign_ed25519_BYTES          64U
#define crypto_sign_ed25519_SEEDBYTES      32U
#define crypto_sign_ed25519_PUBLICKEYBYTES 32U
#define crypto_sign_ed25519_SECRETKEYBYTES 64U

/* Each does what libsodium's function of this name does, and returns what that
 * returns: 0, or -1. */
int crypto_sign_ed25519_seed_keypair(unsigned char *public_key, unsigned char *secret_key,
                                     const unsigned char *seed);
int crypto_sign_ed25519_detached(unsigned char *signature, unsigned long long *signature_size,
                                 const unsigned char *message, unsigned long long size,
                                 const unsigned char *secret_key);
int crypto_sign_ed25519_verify_detached(const unsigned char *signature,
                                        const unsigned char *message, unsigned long long size,
                                        const unsigned char *public_key);
int crypto_core_ed25519_add(unsigned char *sum, const unsigned char *p, const unsigned char *q);

#endif
