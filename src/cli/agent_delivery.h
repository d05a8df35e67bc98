/* agent_delivery.h - the way of an agent's records to its server. */
#ifndef EDS_CLI_AGENT_DELIVERY_H
#define EDS_CLI_AGENT_DELIVERY_H

#include "cli/agent_job.h"
#include "edgesentry/forwarder.h"

#define EDS_AGENT_CLIENT_DEVICE_MAX 80u /* bytes of a device id that stands for itself there */
#define EDS_AGENT_CLIENT_ID_SIZE    (EDS_AGENT_CLIENT_DEVICE_MAX + 16u)

struct eds_agent_delivery {
    struct eds_sender gated;   /* first: waits at the job's gate, then sends by the one below */
    struct eds_sender *sender; /* NULL: nothing is delivered */
    struct eds_agent_job *job;
    char client_id[EDS_AGENT_CLIENT_ID_SIZE];
    struct eds_forwarder *forwarder;
    struct eds_forwarder_counts counts; /* when it was stopped */
};

/* eds_agent_delivery_name gives a device's agent its name at a broker, where no other client
 * may have it. */
void eds_agent_delivery_name(char out[EDS_AGENT_CLIENT_ID_SIZE], const char *device_id);

/* eds_agent_delivery_start begins to deliver what is in the job's buffer, with the options of
 * the job's command; without --url it does nothing.  What the server says of the device goes
 * into the job.  EDS_OK; errors of eds_sender_open, eds_forwarder_start and eds_buffer_revive.
 * Freed with eds_agent_delivery_free in any case. */
int32_t eds_agent_delivery_start(struct eds_agent_delivery *delivery, struct eds_agent_job *job,
                                 struct eds_error *err);

/* eds_agent_delivery_stop ends it; all that is on its way comes back first. */
void eds_agent_delivery_stop(struct eds_agent_delivery *delivery);

/* eds_agent_delivery_finish is a stop at the end of the input, or after a signal: what is still
 * to be delivered gets the time of --wait, unless a signal comes (again). */
void eds_agent_delivery_finish(struct eds_agent_delivery *delivery);

/* eds_agent_delivery_free frees what a delivery has that was stopped, or never began. */
void eds_agent_delivery_free(struct eds_agent_delivery *delivery);

#endif
