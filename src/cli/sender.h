/* sender.h - a buffer's way to a server, by the server's URL. */
#ifndef EDS_CLI_SENDER_H
#define EDS_CLI_SENDER_H

#include "edgesentry/sender.h"
#include "transport/route.h"

struct eds_sender_config {
    const char *url;     /* http[s]://HOST[:PORT][/PATH] or mqtt[s]://BROKER[:PORT][/TOPIC] */
    const char *ca_file; /* who vouches for the other side; NULL: the system's */
    const char *cert_file, *key_file; /* PEM; who we are; NULL: nobody */
    size_t batch_max;                 /* records at once; 0: as suits the way */
    const struct eds_route *route;    /* what a gateway says of itself; outlives it; or NULL */
    /* MQTT alone: */
    const char *client_id;     /* at the broker; see transport/mqtt_publisher.h; NULL: a new one */
    const char *user;          /* NULL: none */
    const char *password_file; /* NULL: none */
};

/* eds_sender_open makes the sender that the URL asks for; its texts outlive it.  EDS_OK;
 * EDS_ERR_USAGE for a URL that is none, EDS_ERR_UNSUPPORTED where this build cannot
 * speak so, EDS_ERR_IO for a file that cannot be used, EDS_ERR_NO_MEMORY. */
int32_t eds_sender_open(struct eds_sender **out, const struct eds_sender_config *config,
                        struct eds_error *err);

/* eds_sender_close frees a sender; NULL is fine. */
void eds_sender_close(struct eds_sender *sender);

/* eds_sender_is_mqtt tells whether a URL is a broker's. */
bool eds_sender_is_mqtt(const char *url);

/* eds_sender_judge says what an ingest server's words on a record mean that it did not
 * take. */
enum eds_outcome eds_sender_judge(const char *error);

#endif
