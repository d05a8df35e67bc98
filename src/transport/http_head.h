/* http_head.h - what the fields of a request's head say, as libmicrohttpd has read
 * them.
 *
 * http_filter.h has decided by then that the head can be read in one way.  This looks
 * again at what the library made of it: two lengths, a length beside chunks, an
 * encoding that is not "chunked", a name that is not a token, a control character in
 * a value would show that the two do not agree (RFC 9112, 3.2, 6.3 and 11.2). */
#ifndef EDS_TRANSPORT_HTTP_HEAD_H
#define EDS_TRANSPORT_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "transport/forwarded.h"

struct eds_http_head {
    const char *content_type; /* the first one; NULL if there is none */
    const char *traceparent;  /* NULL if there is none, or more than one */
    const char *device;       /* EdgeSentry-Device and ...-Signature: who brings a payload; */
    const char *signature;    /* NULL if there is none */
    const char *gateway;      /* EdgeSentry-Gateway and ...-Tags, for route.h: NULL if there is */
    const char *tags;         /* none, "" if there is more than one */
    const char *forwarded_by; /* in: the name of the field that proxies write; NULL: none */
    const char *forwarded[EDS_FORWARDED_FIELDS_MAX]; /* its values */
    unsigned forwarded_count;
    uint64_t content_length; /* bytes; 0 if there is none */
    unsigned content_length_count;
    unsigned transfer_encoding_count;
    unsigned host_count;
    unsigned traceparent_count;
    bool expects_continue;
    bool malformed;
};

/* eds_http_head_take adds one field; both strings live as long as the head. */
void eds_http_head_take(struct eds_http_head *head, const char *name, const char *value);

/* eds_http_head_fault says, after the last field, why the head cannot be
 * believed; NULL if it can. */
const char *eds_http_head_fault(const struct eds_http_head *head, bool is_http_1_0);

/* eds_http_is_json says whether a Content-Type stands for JSON:
 * application/json or application/<anything>+json, in any case, parameters
 * allowed. */
bool eds_http_is_json(const char *content_type);

/* eds_http_is_ndjson says the same of lines of JSON (application/x-ndjson or
 * application/ndjson), eds_http_is_bytes of application/octet-stream. */
bool eds_http_is_ndjson(const char *content_type);
bool eds_http_is_bytes(const char *content_type);

#endif
