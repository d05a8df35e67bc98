/* http_relay.h - a gateway's desk for commands: passes each question on to the server,
 * and its answer back.
 *
 * What comes back is signed for the device's nonce: a gateway can keep a command from a
 * device, and do no more. */
#ifndef EDS_TRANSPORT_HTTP_RELAY_H
#define EDS_TRANSPORT_HTTP_RELAY_H

#include "ingest/command_question.h"
#include "transport/http_asker.h"

struct eds_http_relay;

/* eds_http_relay_open starts a relay with a few connections to the server.  EDS_OK,
 * EDS_ERR_NO_MEMORY, EDS_ERR_IO (no thread). */
int32_t eds_http_relay_open(struct eds_http_relay **out, const struct eds_http_asker_config *config,
                            struct eds_error *err);

/* eds_http_relay_of gives what eds_http_config.desk wants. */
struct eds_command_desk *eds_http_relay_of(struct eds_http_relay *relay);

/* eds_http_relay_close answers what was asked, and frees all; NULL is fine.  No question
 * may come at the same time or follow. */
void eds_http_relay_close(struct eds_http_relay *relay);

#endif
