/* agent_clock.h - which time a record gets. */
#ifndef EDS_DEVICE_AGENT_CLOCK_H
#define EDS_DEVICE_AGENT_CLOCK_H

#include "edgesentry/agent.h"

/* No record of this library is older: 2026-11-22. */
#define EDS_BUILD_FLOOR_MS 1795305600000u

/* What is remembered from one record to the next. */
struct agent_clock {
    const struct eds_clock *source;
    bool has_anchor;
    uint64_t anchor_wall_ms, anchor_monotonic_ms; /* both clocks at the last reading */
    bool is_held;
    uint64_t held_base_ms, held_monotonic_ms; /* where it was held, and when */
};

struct agent_time {
    uint64_t timestamp_ms;
    enum eds_clock_quality quality;
    uint64_t wall_ms;   /* what the clock says itself */
    int64_t stepped_ms; /* it has jumped by so much since the last reading; 0: it has not */
};

/* eds_agent_clock_read decides.  last_ms: of the last record; 0: none. */
struct agent_time eds_agent_clock_read(struct agent_clock *clock, uint64_t last_ms);

/* eds_agent_clock_system is the system's clock; NULL without an OS. */
#if defined(EDS_WITHOUT_OS)
static inline const struct eds_clock *eds_agent_clock_system(void)
{
    return NULL;
}
#else
const struct eds_clock *eds_agent_clock_system(void);
#endif

#endif
