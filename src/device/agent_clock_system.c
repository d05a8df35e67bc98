/* agent_clock_system.c - the system's clocks, where there is a system. */
#include <sys/timex.h>
#include <time.h>

#include "device/agent_clock.h"

static uint64_t system_wall(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec < 0 ? 0 : (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static uint64_t system_monotonic(void *context)
{
    struct timespec now;

    (void)context;
    clock_gettime(CLOCK_BOOTTIME, &now); /* counts while the system sleeps */
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static bool system_synchronized(void *context)
{
    struct timex now = {.modes = 0};

    (void)context;
    return adjtimex(&now) != TIME_ERROR && (now.status & STA_UNSYNC) == 0;
}

const struct eds_clock *eds_agent_clock_system(void)
{
    static const struct eds_clock clock = {.wall_ms = system_wall,
                                           .monotonic_ms = system_monotonic,
                                           .is_synchronized = system_synchronized};

    return &clock;
}
