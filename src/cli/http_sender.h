/* http_sender.h - what an ingest server's answer over HTTP means. */
#ifndef EDS_CLI_HTTP_SENDER_H
#define EDS_CLI_HTTP_SENDER_H

#include "edgesentry/sender.h"
#include "transport/http_client.h"

/* eds_http_sender_judge says what a delivery means for the record. */
enum eds_outcome eds_http_sender_judge(const struct eds_delivery *delivery);

#endif
