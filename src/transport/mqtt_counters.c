/* mqtt_counters.c - see mqtt_counters.h. */
#include "transport/mqtt_counters.h"

#include "transport/mqtt_round.h"

const uint64_t eds_mqtt_round_bounds[EDS_MQTT_ROUND_BOUND_COUNT] = {1,  2,   5,   10,  20,
                                                                    50, 100, 200, 500, 1000};

static uint64_t get(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

void mqtt_counters_round(struct mqtt_counters *counters, size_t message_count)
{
    size_t at = 0;

    while (at < EDS_MQTT_ROUND_BOUND_COUNT && message_count > eds_mqtt_round_bounds[at])
        at++;
    mqtt_count(&counters->round_buckets[at], 1);
    mqtt_count(&counters->rounds, 1);
}

void mqtt_counters_read(const struct mqtt_counters *counters, struct eds_mqtt_counts *out)
{
    uint64_t away_since_ms = get(&counters->away_since_ms);

    *out = (struct eds_mqtt_counts){
        .messages = get(&counters->messages),
        .answers = get(&counters->answers),
        .answers_failed = get(&counters->answers_failed),
        .own = get(&counters->own),
        .connections = get(&counters->connections),
        .waiting = get(&counters->waiting),
        .is_subscribed = away_since_ms == 0,
    };
    if (away_since_ms != 0)
        out->away_ms = mqtt_now_ms() - away_since_ms; /* after it was read: not before it */
    for (unsigned i = 0; i < EDS_MQTT_DROP_COUNT; i++) {
        out->dropped_for[i] = get(&counters->dropped[i]);
        out->dropped += out->dropped_for[i];
    }
    for (unsigned i = 0; i <= EDS_MQTT_ROUND_BOUND_COUNT; i++) {
        out->round_buckets[i] = get(&counters->round_buckets[i]);
        out->rounds += out->round_buckets[i];
    }
    out->round_messages = out->messages - out->own - out->dropped;
    eds_meter_read(&counters->answer, &out->answer);
}
