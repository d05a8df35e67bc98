/* ledger_batch.c - see ledger_batch.h. */
#include "store/ledger_batch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void batch_fill(void *bytes, size_t size, uint64_t number)
{
    uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++) { /* splitmix64, a byte of each output */
        uint64_t x = number + (uint64_t)(i + 1) * 0x9e3779b97f4a7c15u;

        x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
        x = (x ^ x >> 27) * 0x94d049bb133111ebu;
        at[i] = (uint8_t)(x >> 31);
    }
}

/* A number that differs for every record of a test. */
static uint64_t number_of(const char *device_id, uint64_t sequence, unsigned variant)
{
    uint64_t number = 0xcbf29ce484222325u; /* FNV-1a */

    for (; *device_id != '\0'; device_id++)
        number = (number ^ (uint8_t)*device_id) * 0x100000001b3u;
    return (number ^ sequence) * 0x100000001b3u + variant * 0xd6e8feb86659fd93u;
}

struct chain chain_of(const char *device_id)
{
    struct chain chain = {.sequence = 0};

    snprintf(chain.device_id, sizeof chain.device_id, "%s", device_id);
    return chain;
}

struct batch *batch_new(uint64_t now_ms)
{
    struct batch *batch = calloc(1, sizeof *batch);

    if (batch == NULL)
        abort();
    batch->commit.appends = batch->appends;
    batch->commit.conflicts = batch->conflicts;
    batch->commit.operations = batch->operations;
    batch->commit.now_ms = now_ms;
    return batch;
}

void batch_free(struct batch *batch)
{
    free(batch);
}

void batch_clear(struct batch *batch)
{
    batch->commit.append_count = 0;
    batch->commit.conflict_count = 0;
    batch->commit.operation_count = 0;
    batch->entry_count = 0;
}

static struct eds_entry *next_entry(struct batch *batch, const char *device_id, uint64_t sequence,
                                    unsigned variant, uint8_t record_hash[EDS_HASH_SIZE])
{
    uint64_t number = number_of(device_id, sequence, variant);
    struct eds_entry *entry;

    if (batch->entry_count == BATCH_MAX)
        abort();
    entry = &batch->entries[batch->entry_count++];
    memset(entry, 0, sizeof *entry);
    entry->record.sequence = sequence;
    entry->record.timestamp_ms = 1700000000000u + sequence * 1000u + variant;
    batch_fill(entry->record.payload_hash, EDS_HASH_SIZE, number + 1);
    batch_fill(entry->record.signature, EDS_SIGNATURE_SIZE, number + 2);
    memcpy(entry->record.device_id, device_id, strlen(device_id) + 1);
    snprintf((char *)entry->record.object_ref, sizeof entry->record.object_ref,
             "obj/%.200s/%llu.%u", device_id, (unsigned long long)sequence, variant);
    batch_fill(record_hash, EDS_HASH_SIZE, number + 3);
    return entry;
}

struct eds_entry *batch_append(struct batch *batch, struct chain *chain)
{
    struct eds_append *append = &batch->appends[batch->commit.append_count];
    char *text = batch->texts[batch->commit.append_count++];
    struct eds_entry *entry =
        next_entry(batch, chain->device_id, ++chain->sequence, 0, append->record_hash);

    memcpy(entry->record.prev_record_hash, chain->record_hash, EDS_HASH_SIZE);
    memcpy(chain->record_hash, append->record_hash, EDS_HASH_SIZE);
    snprintf(text, sizeof batch->texts[0], "payload %llu of %.20s",
             (unsigned long long)chain->sequence, chain->device_id);
    append->entry = entry;
    append->payload = text;
    append->payload_size = strlen(text);
    return entry;
}

struct eds_append *batch_last_append(struct batch *batch)
{
    return &batch->appends[batch->commit.append_count - 1];
}

struct eds_entry *batch_conflict(struct batch *batch, const char *device_id, uint64_t sequence,
                                 unsigned variant)
{
    struct eds_conflict *conflict = &batch->conflicts[batch->commit.conflict_count++];
    struct eds_entry *entry =
        next_entry(batch, device_id, sequence, variant, conflict->record_hash);

    conflict->entry = entry;
    return entry;
}

void batch_operation(struct batch *batch, enum eds_decision decision, const char *device_id,
                     uint64_t sequence, const char *message)
{
    if (batch->commit.operation_count == BATCH_MAX)
        abort();
    batch->operations[batch->commit.operation_count++] = (struct eds_operation){
        .decision = decision, .device_id = device_id, .sequence = sequence, .message = message};
}

void batch_attest(struct eds_entry *entry)
{
    entry->attestation.present = true;
    batch_fill(entry->attestation.key_id, EDS_KEY_ID_SIZE, entry->record.sequence + 7);
    batch_fill(entry->attestation.signature, EDS_SIGNATURE_SIZE, entry->record.sequence + 8);
}
