/* drill_outage.h - a drill in which a store is taken away, for its own files. */
#ifndef EDS_CLI_DRILL_OUTAGE_H
#define EDS_CLI_DRILL_OUTAGE_H

#include "cli/drill_device.h"
#include "cli/drill_steps.h"

#define EDS_OUTAGE_PAUSE_MS 200u /* between two attempts */
#define EDS_OUTAGE_ALERT    "IngestStorageError"

/* Which store is taken away. */
struct eds_outage_kind {
    const char *name;    /* of the drill */
    const char *what;    /* for people */
    const char *counter; /* of its failures, at /metrics */
};

struct eds_outage {
    const struct eds_args *args;
    const struct eds_outage_kind *kind;
    struct eds_drill drill;
    struct eds_drill_device device;
    size_t batch; /* records of each phase */
    uint64_t timeout_ms;
    bool is_watched;         /* there is an admin listener */
    uint64_t failure_count;  /* of the store, before */
    uint64_t broken_ms;      /* when; of eds_drill_now_ms */
    uint64_t outage_ms;      /* until a record was accepted again; 0: not yet */
    uint64_t first_sequence; /* of the drill's records */
};

/* eds_outage_has_time says whether a wait that began at since_ms may go on. */
bool eds_outage_has_time(const struct eds_outage *outage, uint64_t since_ms);

/* eds_outage_send_batch makes and sends the records of a phase, each of which has to be
 * accepted at once.  EDS_ERR_REFUSED where the device is not set up for it. */
int32_t eds_outage_send_batch(struct eds_outage *outage, const char *name, const char *what,
                              struct eds_error *err);

/* eds_outage_try_after is what has to hold once the store is back: drill_outage_after.c. */
int32_t eds_outage_try_after(struct eds_outage *outage, struct eds_error *err);

#endif
