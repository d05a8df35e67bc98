/* feed.c - see feed.h. */
#include "feed.h"

#include <stdio.h>
#include <string.h>

/* Any bytes, others each time. */
static void scribble(uint8_t *bytes, size_t size)
{
    static uint64_t state = 42;

    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(state >> 56);
    }
}

static void fill_record(EdsAuditRecord *record, struct feed *feed, size_t device)
{
    memset(record, 0, sizeof *record);
    record->sequence = ++feed->sequences[device];
    record->timestamp_ms = FEED_NOW_MS + record->sequence;
    snprintf((char *)record->device_id, sizeof record->device_id, "lift-%04zu", device);
    snprintf((char *)record->object_ref, sizeof record->object_ref,
             "s3://bucket/lift-%04zu/inspection-%llu.bin", device,
             (unsigned long long)record->sequence);
    scribble(record->payload_hash, sizeof record->payload_hash);
    scribble(record->signature, sizeof record->signature);
    memcpy(record->prev_record_hash, feed->heads[device], EDS_HASH_SIZE);
    scribble(feed->heads[device], EDS_HASH_SIZE);
}

/* The device's next record, at a place of the batch. */
static void fill(struct feed *feed, size_t at, size_t device)
{
    EdsAuditRecord *record = &feed->entries[at].record;

    fill_record(record, feed, device);
    feed->appends[at] = (struct eds_append){.entry = &feed->entries[at],
                                            .payload = feed->payload,
                                            .payload_size = sizeof feed->payload};
    memcpy(feed->appends[at].record_hash, feed->heads[device], EDS_HASH_SIZE);
    feed->operations[at] = (struct eds_operation){.decision = EDS_DECISION_ACCEPTED,
                                                  .device_id = (const char *)record->device_id,
                                                  .sequence = record->sequence,
                                                  .message = "ingest accepted"};
}

void feed_next(struct feed *feed, size_t count, size_t run_length)
{
    for (size_t i = 0; i < count; i++) {
        fill(feed, i, feed->next_device);
        if ((i + 1) % run_length == 0)
            feed->next_device = (feed->next_device + 1) % feed->device_count;
    }
    feed->commit = (struct eds_commit){.appends = feed->appends,
                                       .append_count = count,
                                       .operations = feed->operations,
                                       .operation_count = count,
                                       .now_ms = FEED_NOW_MS};
}
