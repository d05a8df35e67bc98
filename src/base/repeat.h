/* repeat.h - which of many equal complaints is worth a line in the log: the first, the
 * second, the fourth and so on in a row, and one an hour.  What fails for a whole night
 * must not fill the disk. */
#ifndef EDS_BASE_REPEAT_H
#define EDS_BASE_REPEAT_H

#include <stdbool.h>
#include <stdint.h>

#define EDS_REPEAT_HOUR_MS 3600000u

struct eds_repeat {
    uint64_t count;   /* in a row; 0: all is well */
    uint64_t told_ms; /* when the last line was written */
};

/* eds_repeat_is_news counts one more, at a time that never goes back. */
static inline bool eds_repeat_is_news(struct eds_repeat *repeat, uint64_t now_ms)
{
    bool is_news;

    repeat->count++;
    is_news = (repeat->count & (repeat->count - 1)) == 0 ||
              now_ms - repeat->told_ms >= EDS_REPEAT_HOUR_MS;
    if (is_news)
        repeat->told_ms = now_ms;
    return is_news;
}

/* eds_repeat_end says that all is well again, and returns how often it was not. */
static inline uint64_t eds_repeat_end(struct eds_repeat *repeat)
{
    uint64_t count = repeat->count;

    repeat->count = 0;
    return count;
}

#endif
