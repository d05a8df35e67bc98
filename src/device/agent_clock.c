/* agent_clock.c - see agent_clock.h.
 *
 * The clock of a small device may start in 1970, jump by years when the network
 * comes, and be set back.  It is used where it is not behind what is sure: the
 * last record, and the day this library was made.  Where it is behind, a clock
 * that nothing stands behind is not to be trusted, and time goes on from the
 * last record by the monotonic clock; one that is synchronized is right, and it
 * was the last record that was too late: then time only creeps, until the clock
 * has caught up. */
#include "device/agent_clock.h"

#define STEP_MS 2000 /* drift and slewing stay below it between two readings */

static int64_t step_since(const struct agent_clock *clock, uint64_t wall_ms, uint64_t monotonic_ms)
{
    int64_t step_ms;

    if (!clock->has_anchor)
        return 0;
    step_ms = (int64_t)(wall_ms - clock->anchor_wall_ms) -
              (int64_t)(monotonic_ms - clock->anchor_monotonic_ms);
    return step_ms > STEP_MS || step_ms < -STEP_MS ? step_ms : 0;
}

struct agent_time eds_agent_clock_read(struct agent_clock *clock, uint64_t last_ms)
{
    const struct eds_clock *source = clock->source;
    uint64_t wall_ms = source->wall_ms(source->context);
    uint64_t monotonic_ms = source->monotonic_ms(source->context);
    bool synchronized = source->is_synchronized(source->context);
    uint64_t floor_ms = last_ms > EDS_BUILD_FLOOR_MS ? last_ms : EDS_BUILD_FLOOR_MS;
    struct agent_time out = {.wall_ms = wall_ms};

    out.stepped_ms = step_since(clock, wall_ms, monotonic_ms);
    clock->has_anchor = true;
    clock->anchor_wall_ms = wall_ms;
    clock->anchor_monotonic_ms = monotonic_ms;
    if (wall_ms >= floor_ms) {
        clock->is_held = false;
        out.quality = synchronized ? EDS_CLOCK_SYNCHRONIZED : EDS_CLOCK_FREE;
        out.timestamp_ms = wall_ms;
        return out;
    }
    out.quality = EDS_CLOCK_HELD;
    if (!clock->is_held) {
        clock->is_held = true;
        clock->held_base_ms = floor_ms;
        clock->held_monotonic_ms = monotonic_ms;
    }
    out.timestamp_ms = synchronized
                           ? floor_ms + 1
                           : clock->held_base_ms + (monotonic_ms - clock->held_monotonic_ms);
    if (out.timestamp_ms < floor_ms)
        out.timestamp_ms = floor_ms;
    return out;
}

const char *eds_clock_quality_name(enum eds_clock_quality quality)
{
    switch (quality) {
    case EDS_CLOCK_SYNCHRONIZED:
        return "synchronized";
    case EDS_CLOCK_FREE:
        return "free";
    case EDS_CLOCK_HELD:
        return "held";
    }
    return "unknown";
}
