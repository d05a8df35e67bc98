/* meters.c - see meters.h. */
#include "ingest/meters.h"

#include <assert.h>
#include <stddef.h>

#include "ingest/queue.h"

#define NS_PER_MS 1000000u

const uint64_t eds_meter_bounds_ns[EDS_METER_BOUND_COUNT] = {
    500000,    1000000,   2500000,   5000000,    10000000,   25000000,   50000000,
    100000000, 250000000, 500000000, 1000000000, 2500000000, 5000000000, 10000000000,
};

const char *eds_component_name(enum eds_component component)
{
    static const char *const names[EDS_COMPONENT_COUNT] = {"raw_data_store", "audit_ledger",
                                                           "operation_log", "buffer"};

    assert((size_t)component < EDS_COMPONENT_COUNT);
    return names[component];
}

/* None of these numbers orders anything else. */
static void add(_Atomic uint64_t *number, uint64_t more)
{
    atomic_fetch_add_explicit(number, more, memory_order_relaxed);
}

static uint64_t get(const _Atomic uint64_t *number)
{
    return atomic_load_explicit(number, memory_order_relaxed);
}

void eds_meter_observe(struct eds_meter *meter, uint64_t duration_ns)
{
    eds_meter_observe_many(meter, duration_ns, 1);
}

void eds_meter_observe_many(struct eds_meter *meter, uint64_t duration_ns, size_t count)
{
    size_t at = 0;

    while (at < EDS_METER_BOUND_COUNT && duration_ns > eds_meter_bounds_ns[at])
        at++;
    add(&meter->buckets[at], count);
    add(&meter->sum_ns, duration_ns * count);
}

void eds_meters_fail(struct eds_meters *meters, enum eds_component component)
{
    add(&meters->errors[component], 1);
    atomic_store_explicit(&meters->failed_ns[component], eds_queue_now_ns(), memory_order_relaxed);
}

void eds_meter_read(const struct eds_meter *meter, struct eds_meter_reading *out)
{
    out->count = 0;
    for (size_t i = 0; i <= EDS_METER_BOUND_COUNT; i++) {
        out->buckets[i] = get(&meter->buckets[i]);
        out->count += out->buckets[i];
    }
    out->sum_ns = get(&meter->sum_ns);
}

void eds_meters_read(const struct eds_meters *meters, struct eds_meters_reading *out)
{
    uint64_t oldest_ns = get(&meters->oldest_ns), now_ns;

    eds_meter_read(&meters->answer, &out->answer);
    eds_meter_read(&meters->commit, &out->commit);
    for (size_t i = 0; i < EDS_COMPONENT_COUNT; i++) {
        uint64_t failed_ns = get(&meters->failed_ns[i]);

        out->errors[i] = get(&meters->errors[i]);
        now_ns = eds_queue_now_ns(); /* after failed_ns, so never before it */
        out->failed_ago_ms[i] = failed_ns != 0 ? (now_ns - failed_ns) / NS_PER_MS : UINT64_MAX;
    }
    out->committed_ms = get(&meters->committed_ms);
    out->lag_ns = oldest_ns != 0 ? eds_queue_now_ns() - oldest_ns : 0;
}
