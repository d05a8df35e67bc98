/* mqtt_url.h - the address of a broker and a topic there, mqtts://BROKER:PORT/TOPIC. */
#ifndef EDS_CLI_MQTT_URL_H
#define EDS_CLI_MQTT_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

#define EDS_MQTT_URL_HOST_SIZE  256u
#define EDS_MQTT_URL_TOPIC_SIZE 1024u

struct eds_mqtt_url {
    char host[EDS_MQTT_URL_HOST_SIZE], topic[EDS_MQTT_URL_TOPIC_SIZE];
    unsigned port;
    bool has_tls;
};

/* eds_mqtt_url_read takes one apart that begins with mqtt:// or mqtts://.  EDS_OK, or
 * EDS_ERR_USAGE, also where certificates are given and there is no TLS. */
int32_t eds_mqtt_url_read(struct eds_mqtt_url *out, const char *url, bool has_certificates,
                          struct eds_error *err);

#endif
