/* mqtt_metrics.c - see mqtt_metrics.h. */
#include "transport/mqtt_metrics.h"

static void write_dropped(struct eds_metrics *page, const struct eds_mqtt_counts *counts)
{
    static const char name[] = "edgesentry_mqtt_dropped_total";
    static const char *const reasons[EDS_MQTT_DROP_COUNT] = {
        [EDS_MQTT_DROP_MALFORMED] = "malformed",
        [EDS_MQTT_DROP_TOO_LARGE] = "too_large",
    };

    eds_metrics_family(page, name, "counter", "Messages that hold no record, by why.");
    for (unsigned i = 0; i < EDS_MQTT_DROP_COUNT; i++)
        eds_metrics_value(page, name, "reason", reasons[i], counts->dropped_for[i]);
}

void eds_mqtt_metrics_write(struct eds_metrics *page, const struct eds_mqtt_subscriber *subscriber)
{
    struct eds_mqtt_counts counts;

    eds_mqtt_subscriber_counts(subscriber, &counts);
    eds_metrics_gauge(page, "edgesentry_mqtt_connected",
                      "1 while the broker has granted the subscription.", counts.is_subscribed);
    eds_metrics_counter(page, "edgesentry_mqtt_connections_total",
                        "Connections that the broker accepted.", counts.connections);
    eds_metrics_counter(page, "edgesentry_mqtt_messages_total",
                        "Messages that came, whatever was in them.", counts.messages);
    eds_metrics_counter(page, "edgesentry_mqtt_own_messages_total",
                        "Messages on topics of answers, which are not looked at.", counts.own);
    write_dropped(page, &counts);
    eds_metrics_counter(page, "edgesentry_mqtt_answers_total", "Answers published.",
                        counts.answers);
    eds_metrics_counter(page, "edgesentry_mqtt_answers_failed_total",
                        "Answers that could not be published, or were refused by the broker.",
                        counts.answers_failed);
    eds_metrics_gauge(page, "edgesentry_mqtt_waiting_messages",
                      "Messages taken and not yet answered and acknowledged.", counts.waiting);
    eds_metrics_histogram(page, "edgesentry_mqtt_round_messages",
                          "Messages that were decided and acknowledged together.",
                          eds_mqtt_round_bounds, EDS_MQTT_ROUND_BOUND_COUNT, counts.round_buckets,
                          counts.round_messages);
    eds_metrics_meter(page, "edgesentry_mqtt_message_duration_seconds",
                      "Time from a message's arrival to its answer.", &counts.answer);
}
