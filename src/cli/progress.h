/* progress.h - one line that tells a waiting person how far it is.
 *
 * Only on a terminal, only after a second, and gone when the work is done. */
#ifndef EDS_CLI_PROGRESS_H
#define EDS_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct eds_progress {
    bool on_terminal, shown;
    uint64_t started_ms, shown_ms;
    const char *things; /* what is counted: "records", unless the caller sets another */
};

void eds_progress_begin(struct eds_progress *progress);
void eds_progress_update(struct eds_progress *progress, uint64_t records, uint64_t bytes);
void eds_progress_end(struct eds_progress *progress);

#endif
