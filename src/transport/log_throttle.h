/* log_throttle.h - so many lines a second, and a count of the rest.
 *
 * What strangers can cause is logged through one of these, so that a flood of
 * requests cannot become a flood of lines. */
#ifndef EDS_TRANSPORT_LOG_THROTTLE_H
#define EDS_TRANSPORT_LOG_THROTTLE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct eds_log_throttle {
    pthread_mutex_t mutex;
    unsigned lines_per_second;
    unsigned lines;      /* in this second */
    uint64_t second;     /* which one: monotonic */
    uint64_t suppressed; /* lines left out and not yet told of */
};

void eds_log_throttle_init(struct eds_log_throttle *throttle, unsigned lines_per_second);
void eds_log_throttle_destroy(struct eds_log_throttle *throttle);

/* eds_log_throttle_pass says whether a line may be written at that monotonic
 * time.  If so, *suppressed is how many were left out since the last one. */
bool eds_log_throttle_pass(struct eds_log_throttle *throttle, uint64_t now_ms,
                           uint64_t *suppressed);

#endif
