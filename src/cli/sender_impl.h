/* sender_impl.h - what the senders have in common. */
#ifndef EDS_CLI_SENDER_IMPL_H
#define EDS_CLI_SENDER_IMPL_H

#include "cli/sender.h"

/* A sender that knows how it ends.  Each embeds this as its first member. */
struct eds_own_sender {
    struct eds_sender sender; /* first */
    void (*close)(struct eds_sender *sender);
};

int32_t eds_http_sender_open(struct eds_sender **out, const struct eds_sender_config *config,
                             struct eds_error *err);
int32_t eds_mqtt_sender_open(struct eds_sender **out, const struct eds_sender_config *config,
                             struct eds_error *err);

#endif
