/* mqtt_handle.h - a handle of libmosquitto, set up. */
#ifndef EDS_TRANSPORT_MQTT_HANDLE_H
#define EDS_TRANSPORT_MQTT_HANDLE_H

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include "transport/mqtt_broker.h"

struct mqtt_handle_config {
    bool is_5;            /* what it speaks; else 3.1.1 */
    bool is_clean;        /* the broker forgets the session with the connection */
    unsigned send_max;    /* messages on their way at once; 1 to 65535 */
    unsigned receive_max; /* likewise of the broker's; 0: as libmosquitto does */

    /* Called with the context; on_log may be NULL. */
    void *context;
    void (*on_connect)(struct mosquitto *, void *context, int reason, int flags,
                       const mosquitto_property *);
    void (*on_disconnect)(struct mosquitto *, void *context, int reason,
                          const mosquitto_property *);
    void (*on_subscribe)(struct mosquitto *, void *context, int id, int count, const int *granted,
                         const mosquitto_property *);
    void (*on_message)(struct mosquitto *, void *context, const struct mosquitto_message *,
                       const mosquitto_property *);
    void (*on_publish)(struct mosquitto *, void *context, int id, int reason,
                       const mosquitto_property *);
    void (*on_log)(struct mosquitto *, void *context, int level, const char *text);
};

/* mqtt_handle_make makes one for a broker, which must show a certificate for its name where
 * TLS (1.2 at least) is spoken; it does not connect, and is freed with mosquitto_destroy.
 * EDS_OK; EDS_ERR_USAGE; EDS_ERR_IO for a file that cannot be used; EDS_ERR_NO_MEMORY. */
int32_t mqtt_handle_make(struct mosquitto **out, const struct eds_mqtt_broker *broker,
                         const struct mqtt_handle_config *config, struct eds_error *err);

#endif
