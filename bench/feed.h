/* feed.h - records for measuring stores: any bytes in the right form, chained. */
#ifndef EDS_BENCH_FEED_H
#define EDS_BENCH_FEED_H

#include "store/ledger.h"

#define FEED_BATCH_MAX    1000u
#define FEED_DEVICE_MAX   1000u
#define FEED_PAYLOAD_SIZE 96u /* bytes */
#define FEED_NOW_MS       1795305600123u
#define FEED_NOW          "2026-11-22T00:00:00.123Z"

/* Records of device_count devices, as many as there are; and the last batch of them. */
struct feed {
    size_t device_count;
    uint64_t sequences[FEED_DEVICE_MAX];
    uint8_t heads[FEED_DEVICE_MAX][EDS_HASH_SIZE];
    size_t next_device;
    struct eds_entry entries[FEED_BATCH_MAX];
    struct eds_append appends[FEED_BATCH_MAX];
    struct eds_operation operations[FEED_BATCH_MAX];
    uint8_t payload[FEED_PAYLOAD_SIZE];
    struct eds_commit commit; /* of the last batch */
};

/* feed_next makes the next batch: run_length records of a device, then of the next. */
void feed_next(struct feed *feed, size_t count, size_t run_length);

#endif
