/* mqtt_asker.h - a device's questions for commands through a broker.
 *
 * A question is a message on the topic of records; the server's answer comes on
 * TOPIC/DEVICE_ID/command, which nobody but the server may write to at the broker.  A
 * server that has no command keeps the question for a while, and answers it again when it
 * has one: so a command comes when it is given, and not when it is asked for.
 *
 * One thread at a time. */
#ifndef EDS_TRANSPORT_MQTT_ASKER_H
#define EDS_TRANSPORT_MQTT_ASKER_H

#include "edgesentry/command.h"
#include "transport/mqtt_broker.h"

struct eds_mqtt_asker;

struct eds_mqtt_asker_config {
    struct eds_mqtt_broker broker; /* client_id as for eds_mqtt_publisher, another one */
    const char *topic;             /* where the server listens, without wildcards */
    const char *device_id;
    unsigned answer_ms; /* until a server has said anything; 0: 10 s */
};

/* eds_mqtt_asker_open checks the configuration; it does not connect.  The texts in it
 * outlive the asker.  EDS_OK, EDS_ERR_USAGE, EDS_ERR_IO for TLS files that cannot be used,
 * EDS_ERR_NO_MEMORY. */
int32_t eds_mqtt_asker_open(struct eds_mqtt_asker **out, const struct eds_mqtt_asker_config *config,
                            struct eds_error *err);

/* eds_mqtt_asker_close leaves the broker; NULL is fine. */
void eds_mqtt_asker_close(struct eds_mqtt_asker *asker);

/* eds_mqtt_asker_ask asks once, and waits for a command that comes later.
 *
 *   wait_ms   after the server has said that there is none; 0: not at all
 *   wake_fds  up to two; that waiting ends when one can be read
 *
 * EDS_OK and *out, which nobody has verified yet; EDS_ERR_NOT_FOUND: there was none;
 * EDS_ERR_UNSUPPORTED: the server gives none at all; EDS_ERR_IO: no broker, or no answer. */
int32_t eds_mqtt_asker_ask(struct eds_mqtt_asker *asker, const uint8_t nonce[EDS_NONCE_SIZE],
                           unsigned wait_ms, const int *wake_fds, size_t wake_count,
                           struct eds_signed_order *out, struct eds_error *err);

#endif
