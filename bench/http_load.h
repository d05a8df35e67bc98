/* http_load.h - an HTTP client that sends prepared requests as fast as they
 * are answered, over any number of connections on one thread. */
#ifndef EDS_BENCH_HTTP_LOAD_H
#define EDS_BENCH_HTTP_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The requests of one connection, one after the other in text; request i is
 * text[ends[i - 1] .. ends[i]).  A device's records must arrive in order, so a
 * connection carries one device. */
struct http_requests {
    char *text;
    size_t *ends;
    size_t count;
};

struct http_load_result {
    size_t answered;      /* answers with the wanted status */
    size_t refused;       /* answers with another status */
    uint64_t elapsed_ns;  /* first byte sent to last answer */
    uint64_t *latency_ns; /* answered + refused of them, sorted; the caller frees */
};

/* http_load_run sends every connection's requests, each after the answer to
 * the one before.  Returns 0, or -1 with a message on stderr when a connection
 * broke or nothing came for ten seconds. */
int http_load_run(struct http_load_result *result, unsigned port, unsigned wanted_status,
                  const struct http_requests *connections, size_t connection_count);

/* http_load_pace bounds the requests a second of all connections together, from the
 * next run on; 0: as fast as they are answered. */
void http_load_pace(double per_second);

/* http_load_tls says whether connections speak TLS, from the next run on; whoever the
 * server is, it is believed.  Only in a build with TLS. */
void http_load_tls(bool speak_tls);

/* http_requests_make signs `count` records of a device and wraps each into a
 * complete POST /api/v1/ingest.  http_requests_free frees them. */
void http_requests_make(struct http_requests *out, const char *device_id, const uint8_t seed[32],
                        size_t count);

/* http_batches_make makes batches of so many records each instead: a POST
 * /api/v1/ingest/batch in the compact form, or as lines. */
void http_batches_make(struct http_requests *out, const char *device_id, const uint8_t seed[32],
                       size_t batch_count, size_t batch_size, bool compact);
void http_requests_free(struct http_requests *requests);

#endif
