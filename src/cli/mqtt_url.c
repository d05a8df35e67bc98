/* mqtt_url.c - see mqtt_url.h. */
#include "cli/mqtt_url.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define PORT          1883u
#define PORT_TLS      8883u
#define TOPIC         "edgesentry/ingest"
#define FROM_URL_ONLY "expected mqtt://BROKER[:PORT][/TOPIC] or mqtts://..."

/* Takes an address apart: a name, an IPv4 or a bracketed IPv6 address, and a port. */
static bool take_host(struct eds_mqtt_url *out, const char *at, size_t size)
{
    const char *host = at, *end = at + size, *behind;
    unsigned long number;
    size_t host_size;
    char *rest;

    if (size > 0 && *at == '[') {
        host = at + 1;
        behind = memchr(at, ']', size);
        if (behind == NULL)
            return false;
        host_size = (size_t)(behind++ - host);
    } else {
        host_size = strcspn(at, ":/");
        behind = at + (host_size < size ? host_size : size);
        host_size = (size_t)(behind - host);
    }
    if (host_size == 0 || host_size >= sizeof out->host || memchr(host, '@', host_size) != NULL)
        return false;
    memcpy(out->host, host, host_size);
    if (behind == end)
        return true;
    if (*behind != ':' || behind[1] < '0' || behind[1] > '9')
        return false;
    number = strtoul(behind + 1, &rest, 10);
    out->port = (unsigned)number;
    return rest == end && number >= 1 && number <= UINT16_MAX;
}

int32_t eds_mqtt_url_read(struct eds_mqtt_url *out, const char *url, bool has_certificates,
                          struct eds_error *err)
{
    const char *at = strstr(url, "://") + 3;
    size_t size = strcspn(at, "/");
    const char *topic = at[size] == '/' && at[size + 1] != '\0' ? at + size + 1 : TOPIC;

    memset(out, 0, sizeof *out);
    out->has_tls = strncmp(url, "mqtts://", 8) == 0;
    out->port = out->has_tls ? PORT_TLS : PORT;
    if (!out->has_tls && has_certificates)
        return eds_error_set(err, EDS_ERR_USAGE, "certificates are for mqtts://");
    if (!take_host(out, at, size))
        return eds_error_set(err, EDS_ERR_USAGE, "bad URL: " FROM_URL_ONLY "%s",
                             memchr(at, '@', size) != NULL ? "; a user has options of its own"
                                                           : "");
    if (strlen(topic) >= sizeof out->topic)
        return eds_error_set(err, EDS_ERR_USAGE, "bad URL: the topic has more than %u bytes",
                             EDS_MQTT_URL_TOPIC_SIZE - 1);
    strcpy(out->topic, topic);
    return EDS_OK;
}
