/* order_asker.h - an agent's way to ask for commands: a server by HTTP, or through a broker. */
#ifndef EDS_CLI_ORDER_ASKER_H
#define EDS_CLI_ORDER_ASKER_H

#include "edgesentry/command.h"

struct eds_order_asker;

/* What an asker needs; the texts outlive it. */
struct eds_order_asker_config {
    const char *url; /* http(s)://HOST:PORT, or mqtt(s)://BROKER:PORT/TOPIC */
    const char *device_id;
    const char *ca_file, *cert_file, *key_file;   /* PEM; NULL: the system's, and no certificate */
    const char *client_id, *user, *password_file; /* at a broker; user NULL: none */
    unsigned timeout_ms;                          /* until a server has said anything */
};

/* eds_order_asker_open checks the configuration; it does not connect.  EDS_OK,
 * EDS_ERR_USAGE, EDS_ERR_UNSUPPORTED (no MQTT in this build), EDS_ERR_IO for files that
 * can't be used, EDS_ERR_NO_MEMORY. */
int32_t eds_order_asker_open(struct eds_order_asker **out,
                             const struct eds_order_asker_config *config, struct eds_error *err);
void eds_order_asker_close(struct eds_order_asker *asker);

/* eds_order_asker_waits tells whether a question waits for a command that comes later:
 * through a broker, and not by HTTP. */
bool eds_order_asker_waits(const struct eds_order_asker *asker);

/* eds_order_asker_ask asks once; arguments and result as for eds_mqtt_asker_ask, and also
 * EDS_ERR_REFUSED and EDS_ERR_MALFORMED as for eds_http_asker_ask. */
int32_t eds_order_asker_ask(struct eds_order_asker *asker, const uint8_t nonce[EDS_NONCE_SIZE],
                            unsigned wait_ms, const int *wake_fds, size_t wake_count,
                            struct eds_signed_order *out, struct eds_error *err);

#endif
