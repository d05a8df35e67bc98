/* send_lanes.h - sending side by side: records of one device in their order
 * over one connection, different devices over several. */
#ifndef EDS_CLI_SEND_LANES_H
#define EDS_CLI_SEND_LANES_H

#include "cli/send_input.h"
#include "transport/http_client.h"

#define EDS_LANES_MAX 64u

struct eds_send_lanes {
    struct eds_http_client_config client;
    size_t lane_count; /* connections, 1 to EDS_LANES_MAX */
    size_t batch_max;  /* records in a request, 1 to EDS_HTTP_BATCH_MAX; above 1 with to_batch */
    /* Called for every record that the server decided on, one at a time. */
    void (*delivered)(void *context, const struct eds_parcel *parcel,
                      const struct eds_delivery *delivery);
    void *context;
};

/* eds_send_lanes_run sends all of the input.  EDS_OK when every record has a
 * verdict.  A failure of the input ends the reading, and what was read is still
 * sent; one of the client ends everything.  The first failure is returned. */
int32_t eds_send_lanes_run(const struct eds_send_lanes *lanes, struct eds_send_input *input,
                           struct eds_error *err);

#endif
