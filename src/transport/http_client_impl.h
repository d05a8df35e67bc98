/* http_client_impl.h - the HTTP client from inside, for its own files. */
#ifndef EDS_TRANSPORT_HTTP_CLIENT_IMPL_H
#define EDS_TRANSPORT_HTTP_CLIENT_IMPL_H

#include <curl/curl.h>

#include "transport/http_client.h"

/* What a request is about. */
enum http_request {
    HTTP_ENVELOPE, /* one record */
    HTTP_MANY,     /* records, with a result each */
    HTTP_PUT       /* a payload */
};

struct eds_http_client {
    CURL *easy;
    struct curl_slist *headers;       /* of records */
    struct curl_slist *batch_headers; /* of send_many */
    char *url;                        /* where records go */
    char *url_text;                   /* the same without user and password, for messages */
    char *batch_url;                  /* where send_many's go; NULL: not known */
    char *put_url;                    /* where payloads go, with room for a hash at put_hash */
    size_t put_hash;
    long timeout_ms;
    unsigned attempt_max, backoff_ms_first;
    char curl_error[CURL_ERROR_SIZE];
    bool to_batch;
    char *answer;
    size_t answer_size, answer_room; /* bytes */
};

/* What one attempt came to. */
enum http_outcome { HTTP_DECIDED, HTTP_TRY_AGAIN, HTTP_HOPELESS };

/* http_client_judge reads the server's answer, http_client_judge_failure why there was
 * none; *err says why it is not decided. */
enum http_outcome http_client_judge(struct eds_http_client *client, enum http_request request,
                                    struct eds_delivery *out, struct eds_error *err);
enum http_outcome http_client_judge_failure(struct eds_http_client *client, CURLcode code,
                                            struct eds_error *err);

#endif
