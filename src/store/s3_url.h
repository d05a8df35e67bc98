/* s3_url.h - what an s3:// URL says, and the address of an object. */
#ifndef EDS_STORE_S3_URL_H
#define EDS_STORE_S3_URL_H

#include "store/objects.h"

#define EDS_S3_BUCKET_SIZE   64u  /* bytes, NUL included; so are the others */
#define EDS_S3_PREFIX_SIZE   257u /* with its slash, a key stays below 1024 */
#define EDS_S3_ENDPOINT_SIZE 300u /* scheme, host, port */
#define EDS_S3_WORD_SIZE     256u
#define EDS_S3_ADDRESS_SIZE  4096u /* every byte of a key may take three */

enum eds_s3_source { EDS_S3_ANY, EDS_S3_ENVIRONMENT, EDS_S3_FILE, EDS_S3_INSTANCE };

struct eds_s3_config {
    char bucket[EDS_S3_BUCKET_SIZE];
    char prefix[EDS_S3_PREFIX_SIZE]; /* with a slash at its end, or empty */
    char endpoint[EDS_S3_ENDPOINT_SIZE];
    char region[EDS_S3_BUCKET_SIZE];
    bool virtual_host;
    bool by_reference;
    enum eds_s3_source source;
    char profile[EDS_S3_WORD_SIZE];
    char ca[EDS_S3_WORD_SIZE * 4]; /* empty: the system's */
    char lock_mode[16];            /* GOVERNANCE, COMPLIANCE or empty */
    unsigned retain_days;          /* 0: until retain_until */
    char retain_until[32];
    char sse[16]; /* empty: none */
    char sse_kms_key_id[EDS_S3_WORD_SIZE];
    unsigned connections, attempts, timeout_s;
};

/* eds_s3_url_parse reads a URL and the environment (s3.h).  EDS_OK, or
 * EDS_ERR_USAGE and what is wrong with which parameter. */
int32_t eds_s3_url_parse(struct eds_s3_config *out, const char *url, struct eds_error *err);

/* eds_s3_address writes the URL of an object.  EDS_OK, or EDS_ERR_EXISTS for a
 * reference that cannot be a key because it is empty. */
int32_t eds_s3_address(char out[EDS_S3_ADDRESS_SIZE], const struct eds_s3_config *config,
                       const struct eds_object_name *name, struct eds_error *err);

#endif
