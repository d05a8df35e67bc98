/* http_client.h - sending envelopes to a server, on libcurl. */
#ifndef EDS_TRANSPORT_HTTP_CLIENT_H
#define EDS_TRANSPORT_HTTP_CLIENT_H

#include "edgesentry/json.h"

struct eds_http_client;

struct eds_http_client_config {
    const char *url;           /* http://host:port; /api/v1/ingest is added if it has no path */
    unsigned attempt_max;      /* per record, first one included; 0: 8 */
    unsigned backoff_ms_first; /* 0: 100; decorrelated jitter, at most 10 s */
    unsigned timeout_ms;       /* per attempt; 0: 30000 */
    const char *ca_file;       /* NULL: the system's */
    const char *cert_file, *key_file; /* PEM; who we are, over https; NULL: nobody */
    const char *const *fields;        /* "Name: value" in every head besides, and a NULL; or NULL */
    bool to_batch;   /* bodies are envelopes line by line, for the batch endpoint */
    size_t many_max; /* at most so many records go with eds_http_client_send_many; 0: none */
};

#define EDS_HTTP_BATCH_MAX 1000u /* envelopes in a body: so many results are read */

/* What a server said of one record. */
struct eds_delivery {
    unsigned status; /* HTTP status of the last attempt; 0: no answer at all */
    unsigned attempts;
    unsigned retry_after_ms; /* as the last answer asked, at most 60 s; 0: it did not */
    struct eds_answer answer;
    bool is_broken;    /* no answer, and the request was under way: it took too long, or broke */
    bool is_explained; /* the answer to a refusal is an ingest server's; else made up here */
};

/* eds_http_client_open makes a client.  EDS_OK; EDS_ERR_USAGE for a bad URL, EDS_ERR_IO
 * for a file that cannot be read, EDS_ERR_NO_MEMORY. */
int32_t eds_http_client_open(struct eds_http_client **out,
                             const struct eds_http_client_config *config, struct eds_error *err);
void eds_http_client_close(struct eds_http_client *client);

/* eds_http_client_send posts one envelope and waits for the verdict.  Broken
 * connections, 429 and 503 are tried again (Retry-After is respected).
 *
 * EDS_OK when the server decided (202, or a 4xx: see out); EDS_ERR_IO when it
 * never did (*err has the last reason); EDS_ERR_NO_MEMORY. */
int32_t eds_http_client_send(struct eds_http_client *client, const char *body, size_t body_size,
                             struct eds_delivery *out, struct eds_error *err);

/* eds_http_client_send_many posts records in the compact form of a batch
 * (codec/batch_reader.h) beside where single ones go.  As eds_http_client_send; after
 * status 202 or 207 there is at least one result (eds_http_client_results).
 * EDS_ERR_UNSUPPORTED: it is not known where they go, the URL has a path of its own. */
int32_t eds_http_client_send_many(struct eds_http_client *client, const void *body,
                                  size_t body_size, struct eds_delivery *out,
                                  struct eds_error *err);

/* eds_http_client_put brings a record's payload before the record itself, to
 * /api/v1/objects/HASH where the records go.  Tries again as eds_http_client_send.
 * EDS_OK when the server decided: out->answer.accepted if it has the payload now, or
 * had it before. */
int32_t eds_http_client_put(struct eds_http_client *client, const EdsAuditRecord *record,
                            const void *payload, size_t payload_size, struct eds_delivery *out,
                            struct eds_error *err);

/* eds_http_client_results reads, after EDS_OK with to_batch or of send_many and status 202
 * or 207,
 * what the server said of each envelope, as eds_json_results_decode. */
void eds_http_client_results(const struct eds_http_client *client,
                             void (*take)(void *context, size_t index,
                                          const struct eds_result *result),
                             void *context);

#endif
