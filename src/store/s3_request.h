/* s3_request.h - one signed request about one object, and what its answer means. */
#ifndef EDS_STORE_S3_REQUEST_H
#define EDS_STORE_S3_REQUEST_H

#include <curl/curl.h>

#include "store/s3_credentials.h"

enum eds_s3_method { EDS_S3_PUT, EDS_S3_HEAD, EDS_S3_GET };

enum eds_s3_outcome {
    EDS_S3_DONE,      /* it was stored; it is there; it was read */
    EDS_S3_ABSENT,    /* there is no such object */
    EDS_S3_PRESENT,   /* not stored: there is one of that name */
    EDS_S3_AGAIN,     /* worth another attempt */
    EDS_S3_DENIED,    /* by these credentials; newer ones may do */
    EDS_S3_TOO_LARGE, /* to be read */
    EDS_S3_NO_MEMORY,
    EDS_S3_FAILED, /* for good */
};

struct eds_s3_request {
    CURL *curl; /* reused from request to request */
    struct curl_slist *headers;
    enum eds_s3_method method;
    char key_end[72]; /* of the key, for errors */

    /* Of the answer. */
    bool has_hash;
    uint8_t hash[EDS_HASH_SIZE]; /* of x-amz-meta-blake3 */
    uint8_t *body;               /* of a GET: malloc'ed; else an error's beginning */
    size_t body_size, body_capacity;
    bool no_memory, too_large;
};

/* eds_s3_request_make gets a handle; EDS_OK or EDS_ERR_NO_MEMORY. */
int32_t eds_s3_request_make(struct eds_s3_request *request, struct eds_error *err);
void eds_s3_request_free(struct eds_s3_request *request);

/* eds_s3_request_prepare sets the handle up; it is then to be performed.
 *
 *   put         whose name it is, and for EDS_S3_PUT whose payload; alive until
 *               the request was performed
 *   timeout_ms  for the whole request
 *
 * EDS_OK, EDS_ERR_NO_MEMORY, and the errors of eds_s3_address. */
int32_t eds_s3_request_prepare(struct eds_s3_request *request, const struct eds_s3_config *config,
                               const struct eds_s3_credentials *credentials,
                               enum eds_s3_method method, const struct eds_object_put *put,
                               long timeout_ms, struct eds_error *err);

/* eds_s3_request_outcome reads what came of it.  *err says it in words unless
 * it is DONE. */
enum eds_s3_outcome eds_s3_request_outcome(struct eds_s3_request *request,
                                           const struct eds_s3_config *config, CURLcode code,
                                           struct eds_error *err);

/* eds_s3_request_take_body gives the body of a GET away, for the caller to free. */
uint8_t *eds_s3_request_take_body(struct eds_s3_request *request, size_t *size);

/* eds_s3_pause_ms tells how long to wait before the next attempt: longer each
 * time, and never the same for everybody.  attempt counts from 1. */
unsigned eds_s3_pause_ms(unsigned attempt);

#endif
