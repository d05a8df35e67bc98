/* progress.c - see progress.h. */
#include "cli/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define QUIET_MS    1000u
#define INTERVAL_MS 200u

/* Not the time of day: that may jump. */
static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

void eds_progress_begin(struct eds_progress *progress)
{
    *progress = (struct eds_progress){
        .on_terminal = isatty(STDERR_FILENO) == 1, .started_ms = now_ms(), .things = "records"};
}

void eds_progress_update(struct eds_progress *progress, uint64_t records, uint64_t bytes)
{
    uint64_t now, elapsed;

    if (!progress->on_terminal)
        return;
    now = now_ms();
    elapsed = now - progress->started_ms;
    if (elapsed < QUIET_MS || now - progress->shown_ms < INTERVAL_MS)
        return;
    fprintf(stderr, "\r%" PRIu64 " %s, %" PRIu64 " MiB, %" PRIu64 " %s/s ", records,
            progress->things, bytes >> 20, records * 1000u / elapsed, progress->things);
    progress->shown = true;
    progress->shown_ms = now;
}

void eds_progress_end(struct eds_progress *progress)
{
    if (progress->shown)
        fprintf(stderr, "\r%60s\r", "");
    progress->shown = false;
}
