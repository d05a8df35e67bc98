/* log_throttle.c - see log_throttle.h. */
#include "transport/log_throttle.h"

void eds_log_throttle_init(struct eds_log_throttle *throttle, unsigned lines_per_second)
{
    *throttle = (struct eds_log_throttle){.lines_per_second = lines_per_second};
    pthread_mutex_init(&throttle->mutex, NULL);
}

void eds_log_throttle_destroy(struct eds_log_throttle *throttle)
{
    pthread_mutex_destroy(&throttle->mutex);
}

bool eds_log_throttle_pass(struct eds_log_throttle *throttle, uint64_t now_ms, uint64_t *suppressed)
{
    uint64_t second = now_ms / 1000;
    bool pass;

    pthread_mutex_lock(&throttle->mutex);
    if (second != throttle->second) {
        throttle->second = second;
        throttle->lines = 0;
    }
    pass = throttle->lines < throttle->lines_per_second;
    if (pass) {
        throttle->lines++;
        *suppressed = throttle->suppressed;
        throttle->suppressed = 0;
    } else {
        throttle->suppressed++;
    }
    pthread_mutex_unlock(&throttle->mutex);
    return pass;
}
