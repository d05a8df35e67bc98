/* s3_sign.h - AWS Signature Version 4 in a header, for the request that libcurl signs wrong. */
#ifndef EDS_STORE_S3_SIGN_H
#define EDS_STORE_S3_SIGN_H

#include <curl/curl.h>

#include "store/s3_credentials.h"

#define EDS_S3_HEADERS_MAX        24u   /* signed ones */
#define EDS_S3_AUTHORIZATION_SIZE 2048u /* bytes, NUL included */
#define EDS_S3_DATE_SIZE          17u   /* bytes of 20151231T235959Z, NUL included */

/* What is signed; all of it the caller's. */
struct eds_s3_signing {
    const char *method;
    const char *path; /* as it is sent, percent-encoded; there is no query */
    /* "Name: value" each, Host and x-amz-date among them, no name twice and no white
     * space around a value. */
    const struct curl_slist *headers;
    const char *payload_sha256; /* hex */
    const char *date;           /* the value of x-amz-date */
    const char *region, *service;
};

void eds_s3_date(char out[EDS_S3_DATE_SIZE], uint64_t unix_ms);

/* eds_s3_sign writes the value of the Authorization header.  EDS_OK, or EDS_ERR_TOO_LARGE for
 * more headers than EDS_S3_HEADERS_MAX or names too long together. */
int32_t eds_s3_sign(char out[EDS_S3_AUTHORIZATION_SIZE], const struct eds_s3_signing *signing,
                    const struct eds_s3_credentials *credentials, struct eds_error *err);

#endif
