/* tls_keys.c - see tls_keys.h.
 *
 * Whatever a later handshake would stumble over is found here, and said with the
 * file, the certificate, the date and what to do. */
#include "transport/tls_keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/wipe.h"

#define FILE_SIZE_MAX (16u << 20) /* bytes; a long revocation list */
#define KEY_ID_SIZE   32u         /* bytes; SHA-256 of the public key */
#define PREFIX        "TLS server error: "

const char *tls_date(char out[TLS_DATE_SIZE], time_t date)
{
    struct tm utc;

    if (gmtime_r(&date, &utc) == NULL || strftime(out, TLS_DATE_SIZE, "%FT%TZ", &utc) == 0)
        snprintf(out, TLS_DATE_SIZE, "an impossible date");
    return out;
}

void tls_subject(char *out, size_t out_size, gnutls_x509_crt_t certificate)
{
    if (gnutls_x509_crt_get_dn(certificate, out, &out_size) != GNUTLS_E_SUCCESS || *out == '\0')
        snprintf(out, out_size, "no subject");
}

/* Reads a file with a NUL behind it, which is not counted; to be wiped and freed. */
static int32_t read_file(const char *path, gnutls_datum_t *out, struct eds_error *err)
{
    size_t room = 4096, size = 0;
    unsigned char *bytes = malloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 || bytes == NULL ? -1 : 1;

    while (got > 0) {
        got = read(fd, bytes + size, room - size - 1);
        size += got > 0 ? (size_t)got : 0;
        if (got <= 0 || size + 1 < room)
            continue;
        /* Not by realloc: it would leave a copy of a key behind. */
        unsigned char *grown = room < FILE_SIZE_MAX ? malloc(room * 2) : NULL;

        if (grown != NULL)
            memcpy(grown, bytes, size);
        eds_wipe(bytes, room);
        free(bytes);
        bytes = grown;
        room *= 2;
        errno = room > FILE_SIZE_MAX ? EFBIG : ENOMEM;
        got = grown != NULL ? 1 : -1;
    }
    if (got < 0)
        eds_error_set(err, EDS_ERR_IO, PREFIX "%s (os error %d): %s", strerror(errno), errno, path);
    if (fd >= 0)
        close(fd);
    if (got < 0) {
        if (bytes != NULL)
            eds_wipe(bytes, room);
        free(bytes);
        return EDS_ERR_IO;
    }
    bytes[size] = '\0';
    *out = (gnutls_datum_t){bytes, (unsigned)size};
    return EDS_OK;
}

static void free_file(gnutls_datum_t *file)
{
    if (file->data != NULL)
        eds_wipe(file->data, file->size);
    free(file->data);
    file->data = NULL;
}

static int32_t fail(struct eds_error *err, const char *path, const char *what, int gnutls_error)
{
    return eds_error_set(
        err, gnutls_error == GNUTLS_E_MEMORY_ERROR ? EDS_ERR_NO_MEMORY : EDS_ERR_MALFORMED,
        PREFIX "%s: %s: %s", what, gnutls_strerror(gnutls_error), path);
}

/* Whether a certificate of a file counts today. */
static int32_t check_dates(gnutls_x509_crt_t certificate, const char *path, struct eds_error *err)
{
    time_t now = time(NULL), from = gnutls_x509_crt_get_activation_time(certificate),
           until = gnutls_x509_crt_get_expiration_time(certificate);
    char subject[256], date[TLS_DATE_SIZE], today[TLS_DATE_SIZE];

    tls_subject(subject, sizeof subject, certificate);
    tls_date(today, now);
    if (now < from)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             PREFIX "%s: certificate not yet valid: is the clock set? (%s, valid "
                                    "from %s, and it is %s here)",
                             path, subject, tls_date(date, from), today);
    if (now > until)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             PREFIX "%s: certificate expired: renew it (%s, valid until %s, and it "
                                    "is %s here)",
                             path, subject, tls_date(date, until), today);
    return EDS_OK;
}

/* Reads all certificates of a file; the array is gnutls_free's. */
static int32_t read_certificates(const char *path, gnutls_x509_crt_t **out, unsigned *count,
                                 struct eds_error *err)
{
    gnutls_datum_t file = {.data = NULL};
    int32_t rc = read_file(path, &file, err);
    int error;

    if (rc == EDS_OK && strstr((char *)file.data, "-----BEGIN CERTIFICATE-----") == NULL)
        rc = eds_error_set(err, EDS_ERR_MALFORMED, PREFIX "peer sent no certificates: none in %s",
                           path);
    if (rc == EDS_OK) {
        error = gnutls_x509_crt_list_import2(out, count, &file, GNUTLS_X509_FMT_PEM, 0);
        if (error < 0)
            rc = fail(err, path, "the certificate", error);
    }
    free_file(&file);
    return rc;
}

static void free_certificates(gnutls_x509_crt_t *list, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        gnutls_x509_crt_deinit(list[i]);
    gnutls_free(list);
}

static int32_t take_chain(struct tls_keys *keys, const gnutls_x509_crt_t *list, unsigned count,
                          const char *path, struct eds_error *err)
{
    keys->chain = calloc(count, sizeof *keys->chain);
    if (keys->chain == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, PREFIX "no memory for the certificate");
    for (unsigned i = 0; i < count; i++) {
        int error = gnutls_pcert_import_x509(&keys->chain[i], list[i], 0);
        int32_t rc;

        if (error != GNUTLS_E_SUCCESS)
            return fail(err, path, "the certificate", error);
        keys->chain_count++;
        rc = check_dates(list[i], path, err);
        if (rc != EDS_OK)
            return rc;
    }
    tls_subject(keys->subject, sizeof keys->subject, list[0]);
    keys->not_after = gnutls_x509_crt_get_expiration_time(list[0]);
    return EDS_OK;
}

/* GnuTLS (3.7) finds out that a pair does not belong together when it loads one
 * for RSA and ECDSA; for Ed25519 every handshake would fail. */
static int32_t check_pair(gnutls_x509_crt_t certificate, gnutls_x509_privkey_t key,
                          const char *path, struct eds_error *err)
{
    uint8_t of_certificate[KEY_ID_SIZE] = {0}, of_key[KEY_ID_SIZE] = {0};
    size_t certificate_size = KEY_ID_SIZE, key_size = KEY_ID_SIZE;
    int error = gnutls_x509_crt_get_key_id(certificate, GNUTLS_KEYID_USE_SHA256, of_certificate,
                                           &certificate_size);

    if (error == GNUTLS_E_SUCCESS)
        error = gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, of_key, &key_size);
    if (error != GNUTLS_E_SUCCESS)
        return fail(err, path, "the private key", error);
    if (memcmp(of_certificate, of_key, KEY_ID_SIZE) != 0)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             PREFIX "the private key is not that of the first certificate in the "
                                    "file: %s",
                             path);
    return EDS_OK;
}

static int32_t read_key(struct tls_keys *keys, gnutls_x509_crt_t certificate, const char *path,
                        struct eds_error *err)
{
    gnutls_datum_t file = {.data = NULL};
    gnutls_x509_privkey_t key = NULL;
    int32_t rc = read_file(path, &file, err);
    int error;

    if (rc == EDS_OK && strstr((char *)file.data, "PRIVATE KEY-----") == NULL)
        rc = eds_error_set(err, EDS_ERR_MALFORMED,
                           PREFIX "no private key found in key file: none in %s", path);
    if (rc != EDS_OK)
        goto out;
    error = gnutls_x509_privkey_init(&key);
    if (error == GNUTLS_E_SUCCESS)
        error = gnutls_x509_privkey_import2(key, &file, GNUTLS_X509_FMT_PEM, NULL, 0);
    if (error == GNUTLS_E_SUCCESS)
        error = gnutls_privkey_init(&keys->key);
    if (error != GNUTLS_E_SUCCESS) {
        rc = fail(err, path, "the private key", error);
        goto out;
    }
    rc = check_pair(certificate, key, path, err);
    if (rc != EDS_OK)
        goto out;
    error = gnutls_privkey_import_x509(keys->key, key, GNUTLS_PRIVKEY_IMPORT_COPY);
    if (error != GNUTLS_E_SUCCESS)
        rc = fail(err, path, "the private key", error);
out:
    if (key != NULL)
        gnutls_x509_privkey_deinit(key); /* wiped by GnuTLS */
    free_file(&file);
    return rc;
}

static int32_t read_own(struct tls_keys *keys, const struct eds_tls_config *config,
                        struct eds_error *err)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    int32_t rc = read_certificates(config->cert_path, &list, &count, err);

    if (rc == EDS_OK)
        rc = read_key(keys, list[0], config->key_path, err);
    if (rc == EDS_OK)
        rc = take_chain(keys, list, count, config->cert_path, err);
    free_certificates(list, count);
    return rc;
}

static int32_t read_authorities(struct tls_keys *keys, const char *path, struct eds_error *err)
{
    gnutls_x509_crt_t *list = NULL;
    unsigned count = 0;
    int32_t rc = read_certificates(path, &list, &count, err);
    int added;

    for (unsigned i = 0; i < count && rc == EDS_OK; i++) {
        char subject[256];

        tls_subject(subject, sizeof subject, list[i]);
        if (gnutls_x509_crt_get_ca_status(list[i], NULL) <= 0)
            rc = eds_error_set(err, EDS_ERR_MALFORMED,
                               PREFIX "%s: %s cannot vouch for clients: it is no certificate "
                                      "authority (basicConstraints)",
                               path, subject);
        else
            rc = check_dates(list[i], path, err);
    }
    if (rc == EDS_OK && gnutls_x509_trust_list_init(&keys->trust, count) != GNUTLS_E_SUCCESS)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, PREFIX "no memory for %s", path);
    if (rc != EDS_OK) {
        free_certificates(list, count);
        return rc;
    }
    added = gnutls_x509_trust_list_add_cas(keys->trust, list, count, 0); /* takes them over */
    gnutls_free(list);
    return added == (int)count ? EDS_OK
                               : eds_error_set(err, EDS_ERR_MALFORMED,
                                               PREFIX "%s: %u of %u authorities can be used", path,
                                               added > 0 ? (unsigned)added : 0, count);
}

static int32_t check_list_dates(gnutls_x509_crl_t list, const char *path, struct eds_error *err)
{
    time_t now = time(NULL), from = gnutls_x509_crl_get_this_update(list),
           until = gnutls_x509_crl_get_next_update(list);
    char issuer[256], date[TLS_DATE_SIZE];
    size_t issuer_size = sizeof issuer;

    if (gnutls_x509_crl_get_issuer_dn(list, issuer, &issuer_size) != GNUTLS_E_SUCCESS)
        snprintf(issuer, sizeof issuer, "no issuer");
    if (now < from)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             PREFIX "%s: revocation list not yet valid: is the clock set? (of %s, "
                                    "from %s)",
                             path, issuer, tls_date(date, from));
    if (until != (time_t)-1 && now > until)
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             PREFIX "%s: revocation list out of date: get a newer one (of %s, next "
                                    "update was due %s)",
                             path, issuer, tls_date(date, until));
    return EDS_OK;
}

static int32_t read_revoked(struct tls_keys *keys, const char *path, struct eds_error *err)
{
    gnutls_datum_t file = {.data = NULL};
    gnutls_x509_crl_t *lists = NULL;
    unsigned count = 0, kept = 0;
    int32_t rc = read_file(path, &file, err);
    int error;

    if (rc == EDS_OK) {
        error = gnutls_x509_crl_list_import2(&lists, &count, &file, GNUTLS_X509_FMT_PEM, 0);
        if (error < 0)
            rc = fail(err, path, "the revocation list", error);
    }
    for (unsigned i = 0; i < count && rc == EDS_OK; i++)
        rc = check_list_dates(lists[i], path, err);
    if (rc == EDS_OK) {
        /* Those that are added belong to the trust list, and others are freed. */
        error = gnutls_x509_trust_list_add_crls(keys->trust, lists, count, GNUTLS_TL_VERIFY_CRL, 0);
        kept = count;
        if (error != (int)count)
            rc = eds_error_set(err, EDS_ERR_MALFORMED,
                               PREFIX "%s: the revocation list is not signed by an authority of "
                                      "the clients",
                               path);
    }
    for (unsigned i = kept; i < count; i++)
        gnutls_x509_crl_deinit(lists[i]);
    gnutls_free(lists);
    free_file(&file);
    return rc;
}

int32_t tls_keys_read(struct tls_keys **out, const struct eds_tls_config *config,
                      struct eds_error *err)
{
    struct tls_keys *keys = calloc(1, sizeof *keys);
    int32_t rc;

    if (keys == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, PREFIX "no memory for the certificate");
    atomic_init(&keys->holders, 1);
    rc = read_own(keys, config, err);
    if (rc == EDS_OK && config->client_ca_path != NULL)
        rc = read_authorities(keys, config->client_ca_path, err);
    if (rc == EDS_OK && config->client_crl_path != NULL)
        rc = read_revoked(keys, config->client_crl_path, err);
    if (rc != EDS_OK) {
        tls_keys_release(keys);
        return rc;
    }
    *out = keys;
    return EDS_OK;
}

void tls_keys_release(struct tls_keys *keys)
{
    if (keys == NULL || atomic_fetch_sub(&keys->holders, 1) > 1)
        return;
    for (unsigned i = 0; i < keys->chain_count; i++)
        gnutls_pcert_deinit(&keys->chain[i]);
    free(keys->chain);
    if (keys->key != NULL)
        gnutls_privkey_deinit(keys->key);
    if (keys->trust != NULL)
        gnutls_x509_trust_list_deinit(keys->trust, 1);
    free(keys);
}
