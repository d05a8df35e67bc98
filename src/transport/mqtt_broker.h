/* mqtt_broker.h - a broker, and what a client shows there. */
#ifndef EDS_TRANSPORT_MQTT_BROKER_H
#define EDS_TRANSPORT_MQTT_BROKER_H

#include <stdbool.h>

#include "edgesentry/error.h"

struct eds_mqtt_broker {
    const char *host; /* name or address */
    unsigned port;    /* 1 to 65535 */
    /* The client's name at the broker, which no other has. */
    const char *client_id;
    const char *user, *password;      /* NULL: none */
    bool has_tls;                     /* with all that is below */
    const char *ca_file;              /* who vouches for the broker, PEM; NULL: the system's */
    const char *cert_file, *key_file; /* ours, PEM; both or none */
};

/* mqtt_broker_check tells whether the numbers and files can be meant so, without looking at
 * the files: EDS_OK or EDS_ERR_USAGE. */
int32_t mqtt_broker_check(const struct eds_mqtt_broker *broker, struct eds_error *err);

#endif
