/* tls_keys.h - one reading of a server's certificate, key and trusted clients. */
#ifndef EDS_TRANSPORT_TLS_KEYS_H
#define EDS_TRANSPORT_TLS_KEYS_H

#include <gnutls/abstract.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <time.h>

#include "transport/tls.h"

/* Never changed once it is made; held by its connections and, the newest, by
 * struct eds_tls. */
struct tls_keys {
    atomic_uint holders;
    uint64_t number; /* of the reading: 1, 2, ... */
    gnutls_pcert_st *chain;
    unsigned chain_count;
    gnutls_privkey_t key;
    gnutls_x509_trust_list_t trust; /* NULL: clients are not asked */
    char subject[256];
    time_t not_after;
};

/* tls_keys_read reads the files.  The caller is the first holder.  Errors as
 * eds_tls_open. */
int32_t tls_keys_read(struct tls_keys **out, const struct eds_tls_config *config,
                      struct eds_error *err);

/* tls_keys_release gives up a hold; NULL is fine. */
void tls_keys_release(struct tls_keys *keys);

/* tls_keys_hold takes the newest; tls_keys_number tells which that is. */
struct tls_keys *tls_keys_hold(struct eds_tls *tls);
uint64_t tls_keys_number(const struct eds_tls *tls);
const struct eds_tls_config *tls_config(const struct eds_tls *tls);

/* tls_subject writes a certificate's subject, tls_date a date as RFC 3339 has it. */
void tls_subject(char *out, size_t out_size, gnutls_x509_crt_t certificate);
#define TLS_DATE_SIZE 24u
const char *tls_date(char out[TLS_DATE_SIZE], time_t date);

#endif
