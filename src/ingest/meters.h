/* meters.h - how long ingest takes, and what of its stores has failed: for those
 * who watch it.
 *
 * Written by any thread without a lock, a few atomic additions a record; read
 * now and then. */
#ifndef EDS_INGEST_METERS_H
#define EDS_INGEST_METERS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The stores, by the names that the original's runbook has for them. */
enum eds_component {
    EDS_COMPONENT_RAW_DATA_STORE, /* payloads, where they have a store of their own */
    EDS_COMPONENT_AUDIT_LEDGER,   /* records, heads, and the log lines with them */
    EDS_COMPONENT_OPERATION_LOG,  /* log lines that came alone */
    EDS_COMPONENT_BUFFER          /* where a gateway keeps records; not in the runbook */
};
#define EDS_COMPONENT_COUNT 4u

/* eds_component_name gives the word for metrics ("audit_ledger"). */
const char *eds_component_name(enum eds_component component);

#define EDS_METER_BOUND_COUNT 14u

/* The upper ends of a meter's buckets, rising; a last bucket has no end. */
extern const uint64_t eds_meter_bounds_ns[EDS_METER_BOUND_COUNT];

struct eds_meter {
    _Atomic uint64_t buckets[EDS_METER_BOUND_COUNT + 1]; /* each of its own, not summed up */
    _Atomic uint64_t sum_ns;
};

struct eds_meters {
    struct eds_meter answer; /* from a submission to its answer */
    struct eds_meter commit; /* of the ledger, failed ones included */
    _Atomic uint64_t errors[EDS_COMPONENT_COUNT];
    _Atomic uint64_t failed_ns[EDS_COMPONENT_COUNT]; /* when last: monotonic; 0: never */
    _Atomic uint64_t committed_ms;                   /* Unix time of the last commit; 0: none */
    _Atomic uint64_t oldest_ns; /* since when the batch in work has waited; 0: there is none */
};

/* eds_meter_observe counts one duration, eds_meter_observe_many the same one count times. */
void eds_meter_observe(struct eds_meter *meter, uint64_t duration_ns);
void eds_meter_observe_many(struct eds_meter *meter, uint64_t duration_ns, size_t count);

void eds_meters_fail(struct eds_meters *meters, enum eds_component component);

struct eds_meter_reading {
    uint64_t buckets[EDS_METER_BOUND_COUNT + 1]; /* each of its own */
    uint64_t count;                              /* their sum */
    uint64_t sum_ns;
};

struct eds_meters_reading {
    struct eds_meter_reading answer, commit;
    uint64_t errors[EDS_COMPONENT_COUNT];
    uint64_t failed_ago_ms[EDS_COMPONENT_COUNT]; /* UINT64_MAX: never */
    uint64_t committed_ms;                       /* Unix time of the last commit; 0: none */
    uint64_t lag_ns; /* how long the oldest of what is being stored has waited; 0: nothing is */
};

void eds_meter_read(const struct eds_meter *meter, struct eds_meter_reading *out);
void eds_meters_read(const struct eds_meters *meters, struct eds_meters_reading *out);

#endif
