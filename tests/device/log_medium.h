/* log_medium.h - a medium for the log store that fails when a test wants it to,
 * and that knows what a power cut would leave of it. */
#ifndef EDS_TESTS_DEVICE_LOG_MEDIUM_H
#define EDS_TESTS_DEVICE_LOG_MEDIUM_H

#include "device/store_log.h"
#include "edgesentry/buffer.h"
#include "support/dice.h"

struct log_medium {
    uint8_t *bytes;  /* as a read sees them */
    uint8_t *synced; /* what is sure to outlive a power cut */
    size_t size;
    struct medium_write {
        size_t at, size;
    } * writes; /* since the last sync */
    size_t write_count, write_room;
    /* The n-th write or sync from now fails, or all from it on; 0: none. */
    uint64_t fail_at, operations;
    bool for_ever;
};

/* medium_make makes an empty log of that size; medium_of makes a medium of any
 * bytes, which are copied. */
void medium_make(struct log_medium *medium, size_t size);
void medium_of(struct log_medium *medium, const uint8_t *bytes, size_t size);
void medium_free(struct log_medium *medium);

/* medium_open opens a buffer on it; the medium outlives it. */
int32_t medium_open(struct log_medium *medium, struct eds_buffer **out, struct eds_error *err);

/* medium_fail lets operations fail; counting starts anew. */
void medium_fail(struct log_medium *medium, uint64_t n, bool for_ever);

/* medium_cut leaves of the medium what a power cut might: all that was synced, and
 * of every write since then any 512-byte pieces. */
void medium_cut(struct log_medium *medium, struct dice *dice);

#endif
