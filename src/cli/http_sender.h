/* http_sender.h - a buffer's way to an ingest server over HTTP. */
#ifndef EDS_CLI_HTTP_SENDER_H
#define EDS_CLI_HTTP_SENDER_H

#include "edgesentry/sender.h"
#include "transport/http_client.h"

struct eds_http_sender_config {
    const char *url;                  /* http://host:port, as of the HTTP client */
    const char *ca_file;              /* NULL: the system's */
    const char *cert_file, *key_file; /* PEM; who we are; NULL: nobody */
    const char *const *fields;        /* as of the HTTP client */
    size_t batch_max;                 /* records in a request; 0: EDS_HTTP_SENDER_BATCH */
};

#define EDS_HTTP_SENDER_BATCH 500u

/* eds_http_sender_open makes one; one attempt a call, as pauses are the forwarder's.
 * Records that wait together go together (POST .../ingest/batch), where the server can
 * that; else one by one, and it is asked again after ten minutes.  Errors of
 * eds_http_client_open. */
int32_t eds_http_sender_open(struct eds_sender **out, const struct eds_http_sender_config *config,
                             struct eds_error *err);
void eds_http_sender_close(struct eds_sender *sender);

/* eds_sender_judge says what an ingest server's words on a record mean, refused ones. */
enum eds_outcome eds_sender_judge(const char *error);

/* eds_http_sender_judge says what a delivery means for the record. */
enum eds_outcome eds_http_sender_judge(const struct eds_delivery *delivery);

#endif
