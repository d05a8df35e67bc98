/* sender.c - see sender.h. */
#include "cli/sender.h"

#include <string.h>

#include "base/features.h"
#include "cli/sender_impl.h"

bool eds_sender_is_mqtt(const char *url)
{
    return strncmp(url, "mqtt://", 7) == 0 || strncmp(url, "mqtts://", 8) == 0;
}

int32_t eds_sender_open(struct eds_sender **out, const struct eds_sender_config *config,
                        struct eds_error *err)
{
    if (!eds_sender_is_mqtt(config->url)) {
        if (config->user != NULL || config->password_file != NULL)
            return eds_error_set(err, EDS_ERR_USAGE, "a user is for brokers: mqtts://BROKER/TOPIC");
        return eds_http_sender_open(out, config, err);
    }
#if EDS_TRANSPORT_MQTT
    return eds_mqtt_sender_open(out, config, err);
#else
    return eds_error_set(err, EDS_ERR_UNSUPPORTED, "this build has no MQTT");
#endif
}

void eds_sender_close(struct eds_sender *sender)
{
    if (sender != NULL)
        ((struct eds_own_sender *)sender)->close(sender);
}

enum eds_outcome eds_sender_judge(const char *error)
{
    static const char prefix[] = "ingest verification failed: ";
    static const struct {
        const char *beginning;
        enum eds_outcome outcome;
    } words[] = {
        {"duplicate record for device=", EDS_OUTCOME_DUPLICATE},
        {"conflicting record for device=", EDS_OUTCOME_CONFLICT},
        /* Of the device and not of the record: it may be put right there, and then the
         * same record is taken. */
        {"unknown device: ", EDS_OUTCOME_HELD},
        {"device is ", EDS_OUTCOME_HELD},
        {"key ", EDS_OUTCOME_HELD},
        {"rate limit exceeded for device=", EDS_OUTCOME_LATER},
        {"rate limit exceeded for ", EDS_OUTCOME_AWAY},
    };

    if (strncmp(error, prefix, strlen(prefix)) == 0)
        error += strlen(prefix);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strncmp(error, words[i].beginning, strlen(words[i].beginning)) == 0)
            return words[i].outcome;
    return EDS_OUTCOME_REJECTED;
}
