/* mqtt_tls.h - TLS for a handle of libmosquitto. */
#ifndef EDS_TRANSPORT_MQTT_TLS_H
#define EDS_TRANSPORT_MQTT_TLS_H

#include <mosquitto.h>

#include "edgesentry/error.h"

/* mqtt_tls_set makes the handle speak TLS, 1.2 at least, with a broker that must show a
 * certificate for its name.
 *
 *   ca_file              who vouches for the broker, PEM; NULL: the system's
 *   cert_file, key_file  ours, PEM; both or neither
 *
 * EDS_OK; EDS_ERR_IO for a file that cannot be used. */
int32_t mqtt_tls_set(struct mosquitto *mosquitto, const char *ca_file, const char *cert_file,
                     const char *key_file, struct eds_error *err);

#endif
