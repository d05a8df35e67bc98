/* s3_credentials.h - who we are to the service, and where we learnt it.
 *
 * Secrets are in these structures alone, are wiped with them, and never in an
 * error or a log. */
#ifndef EDS_STORE_S3_CREDENTIALS_H
#define EDS_STORE_S3_CREDENTIALS_H

#include "store/s3_url.h"

struct eds_s3_credentials {
    char access_key[256];
    char secret_key[256];
    char token[8192];    /* of a session; empty: none */
    uint64_t expires_ms; /* Unix time; 0: never */
};

/* eds_s3_credentials_load asks the sources that config allows, in their order.
 * EDS_OK, EDS_ERR_NOT_FOUND (*err names the places), EDS_ERR_MALFORMED for a
 * file or answer that cannot be read, EDS_ERR_IO. */
int32_t eds_s3_credentials_load(struct eds_s3_credentials *out, const struct eds_s3_config *config,
                                struct eds_error *err);

void eds_s3_credentials_wipe(struct eds_s3_credentials *credentials);

/* eds_s3_credentials_read reads a text like ~/.aws/credentials: sections of
 * "name = value" lines.  EDS_ERR_NOT_FOUND if the profile is not in it;
 * EDS_ERR_MALFORMED if it has no pair of keys, or one too long. */
int32_t eds_s3_credentials_read(struct eds_s3_credentials *out, const char *text,
                                const char *profile, struct eds_error *err);

/* eds_s3_credentials_ask asks the instance's metadata service; the errors of
 * eds_s3_credentials_load. */
int32_t eds_s3_credentials_ask(struct eds_s3_credentials *out, struct eds_error *err);

/* eds_s3_credentials_answer reads that service's answer, a flat JSON object. */
int32_t eds_s3_credentials_answer(struct eds_s3_credentials *out, const char *json,
                                  struct eds_error *err);

#endif
