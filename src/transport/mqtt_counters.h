/* mqtt_counters.h - what the MQTT subscriber has done, for those who watch it.
 *
 * Written by the subscriber's thread, read by any, without a lock: none of these numbers
 * orders anything else. */
#ifndef EDS_TRANSPORT_MQTT_COUNTERS_H
#define EDS_TRANSPORT_MQTT_COUNTERS_H

#include <stdatomic.h>

#include "transport/mqtt_subscriber.h"

struct mqtt_counters {
    _Atomic uint64_t messages, own, answers, answers_failed, connections, rounds;
    _Atomic uint64_t dropped[EDS_MQTT_DROP_COUNT];
    _Atomic uint64_t round_buckets[EDS_MQTT_ROUND_BOUND_COUNT + 1];
    _Atomic uint64_t waiting;       /* messages of the round */
    _Atomic uint64_t away_since_ms; /* monotonic; 0: subscribed */
    struct eds_meter answer;        /* from a message's arrival to its answer */
};

static inline void mqtt_count(_Atomic uint64_t *counter, uint64_t more)
{
    atomic_fetch_add_explicit(counter, more, memory_order_relaxed);
}

static inline void mqtt_set(_Atomic uint64_t *gauge, uint64_t value)
{
    atomic_store_explicit(gauge, value, memory_order_relaxed);
}

/* mqtt_counters_round counts a round of so many messages. */
void mqtt_counters_round(struct mqtt_counters *counters, size_t message_count);

void mqtt_counters_read(const struct mqtt_counters *counters, struct eds_mqtt_counts *out);

#endif
