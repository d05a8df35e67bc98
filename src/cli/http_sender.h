/* http_sender.h - a buffer's way to an ingest server over HTTP. */
#ifndef EDS_CLI_HTTP_SENDER_H
#define EDS_CLI_HTTP_SENDER_H

#include "edgesentry/sender.h"
#include "transport/http_client.h"

/* eds_http_sender_open makes one; one attempt a call, as pauses are the
 * forwarder's.  Errors of eds_http_client_open. */
int32_t eds_http_sender_open(struct eds_sender **out, const char *url, const char *ca_file,
                             struct eds_error *err);
void eds_http_sender_close(struct eds_sender *sender);

/* eds_http_sender_judge says what a delivery means for the record. */
enum eds_outcome eds_http_sender_judge(const struct eds_delivery *delivery);

#endif
