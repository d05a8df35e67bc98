/* ledger_piece.c - see ledger_piece.h. */
#include "evidence/ledger_piece.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/attest.h"

#define ITEMS_MAX EDS_LEDGER_PIECE_MAX
#define JOBS_MAX  (2 * ITEMS_MAX) /* a record has up to two signatures */
#define ALIGNMENT 64u             /* bytes; of the verifier's work */

#define CAPACITY_KEPT (4 * EDS_LEDGER_PIECE_BYTES) /* after a large payload less is kept */

struct eds_ledger_desk {
    uint8_t work[EDS_VERIFIER_WORK_SIZE]; /* first: it must be aligned */
    struct eds_key_user *keys;

    /* Hashing. */
    uint8_t encoded[ITEMS_MAX][EDS_RECORD_SIZE_MAX];
    const void *data[ITEMS_MAX];
    size_t sizes[ITEMS_MAX]; /* bytes */
    uint8_t hashes[ITEMS_MAX][EDS_HASH_SIZE];
    size_t items[ITEMS_MAX]; /* whose they are */

    /* Verifying: the jobs of the items [begun, ...), as many as their counts say. */
    struct eds_verify_job jobs[JOBS_MAX];
    bool verdicts[JOBS_MAX];
    uint8_t messages[ITEMS_MAX][EDS_ATTEST_MESSAGE_SIZE];
    uint8_t job_counts[ITEMS_MAX];
    size_t begun, job_count;

    struct eds_fetch fetches[ITEMS_MAX];
    uint8_t valid_keys[EDS_LEDGER_KEYS_MAX][EDS_PUBLIC_KEY_SIZE]; /* for one record */
};

struct eds_ledger_desk *eds_ledger_desk_create(struct eds_key_cache *keys)
{
    size_t size = (sizeof(struct eds_ledger_desk) + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    struct eds_ledger_desk *desk = aligned_alloc(ALIGNMENT, size);

    if (desk == NULL)
        return NULL;
    desk->keys = eds_key_user_create(keys);
    if (desk->keys != NULL)
        return desk;
    free(desk);
    return NULL;
}

void eds_ledger_desk_destroy(struct eds_ledger_desk *desk)
{
    eds_key_user_destroy(desk->keys);
    free(desk);
}

static int32_t keep_payload(struct eds_ledger_piece *piece, struct eds_ledger_item *item,
                            const struct eds_stored_object *object, struct eds_error *err)
{
    size_t capacity = piece->payloads_capacity > 0 ? piece->payloads_capacity : 65536;

    while (capacity - piece->payloads_size < object->payload_size)
        capacity *= 2;
    if (capacity > piece->payloads_capacity) {
        uint8_t *grown = realloc(piece->payloads, capacity);

        if (grown == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of a payload",
                                 object->payload_size);
        piece->payloads = grown;
        piece->payloads_capacity = capacity;
    }
    memcpy(piece->payloads + piece->payloads_size, object->payload, object->payload_size);
    item->payload = EDS_LEDGER_PAYLOAD_KEPT;
    item->payload_at = piece->payloads_size;
    item->payload_size = object->payload_size;
    piece->payloads_size += object->payload_size;
    return EDS_OK;
}

/* Copies what is in use of the strings: a sixth of an entry. */
static void copy_entry(struct eds_entry *out, const struct eds_entry *in)
{
    memcpy(&out->record, &in->record, offsetof(EdsAuditRecord, device_id));
    strcpy((char *)out->record.device_id, (const char *)in->record.device_id);
    strcpy((char *)out->record.object_ref, (const char *)in->record.object_ref);
    out->attestation = in->attestation;
}

int32_t eds_ledger_piece_add(struct eds_ledger_piece *piece, const struct eds_stored *stored,
                             const struct eds_ledger_device *device, struct eds_error *err)
{
    const struct eds_stored_object *object = stored->object;
    struct eds_ledger_item *item = &piece->items[piece->count];
    int32_t rc = EDS_OK;

    assert(!eds_ledger_piece_is_full(piece));
    copy_entry(&item->entry, stored->entry);
    memcpy(item->stored_hash, stored->record_hash, EDS_HASH_SIZE);
    item->ingested_ms = stored->ingested_ms;
    item->device = device;
    item->payload = object->is_there ? EDS_LEDGER_PAYLOAD_ELSEWHERE : EDS_LEDGER_PAYLOAD_UNNAMED;
    item->payload_at = item->payload_size = 0;
    memcpy(item->object_hash, object->payload_hash, EDS_HASH_SIZE);
    if (object->is_there && object->payload != NULL)
        rc = keep_payload(piece, item, object, err);
    if (rc == EDS_OK)
        piece->count++;
    return rc;
}

bool eds_ledger_piece_is_full(const struct eds_ledger_piece *piece)
{
    return piece->count == EDS_LEDGER_PIECE_MAX || piece->payloads_size >= EDS_LEDGER_PIECE_BYTES;
}

void eds_ledger_piece_clear(struct eds_ledger_piece *piece)
{
    piece->count = 0;
    piece->payloads_size = 0;
    if (piece->payloads_capacity > CAPACITY_KEPT) {
        free(piece->payloads);
        piece->payloads = NULL;
        piece->payloads_capacity = 0;
    }
}

void eds_ledger_piece_free(void *piece)
{
    free(((struct eds_ledger_piece *)piece)->payloads);
}

static void hash_records(struct eds_ledger_piece *piece, struct eds_ledger_desk *desk)
{
    size_t count = 0;

    for (size_t i = 0; i < piece->count; i++) {
        struct eds_ledger_item *item = &piece->items[i];

        item->has_hash = eds_record_encode(desk->encoded[count], &desk->sizes[count],
                                           &item->entry.record) == EDS_OK;
        memset(item->record_hash, 0, EDS_HASH_SIZE);
        desk->data[count] = desk->encoded[count];
        desk->items[count] = i;
        count += item->has_hash;
    }
    eds_blake3_many(desk->hashes, desk->data, desk->sizes, count);
    for (size_t i = 0; i < count; i++)
        memcpy(piece->items[desk->items[i]].record_hash, desk->hashes[i], EDS_HASH_SIZE);
}

static void hash_payloads(struct eds_ledger_piece *piece, struct eds_ledger_desk *desk)
{
    size_t count = 0;

    for (size_t i = 0; i < piece->count; i++) {
        struct eds_ledger_item *item = &piece->items[i];

        item->payload_rc = item->payload == EDS_LEDGER_PAYLOAD_KEPT ? EDS_OK : EDS_ERR_NOT_FOUND;
        if (item->payload != EDS_LEDGER_PAYLOAD_KEPT)
            continue;
        desk->data[count] = piece->payloads + item->payload_at;
        desk->sizes[count] = item->payload_size;
        desk->items[count++] = i;
    }
    eds_blake3_many(desk->hashes, desk->data, desk->sizes, count);
    for (size_t i = 0; i < count; i++)
        memcpy(piece->items[desk->items[i]].payload_hash, desk->hashes[i], EDS_HASH_SIZE);
}

static void fetch_payloads(struct eds_ledger_piece *piece, struct eds_ledger_desk *desk,
                           struct eds_fetcher *fetcher)
{
    bool has_failed = false;
    size_t count = 0;

    for (size_t i = 0; i < piece->count; i++) {
        if (piece->items[i].payload != EDS_LEDGER_PAYLOAD_ELSEWHERE)
            continue;
        desk->fetches[count] = (struct eds_fetch){.record = &piece->items[i].entry.record};
        eds_fetcher_ask(fetcher, &desk->fetches[count]);
        desk->items[count++] = i;
    }
    for (size_t i = 0; i < count; i++) {
        const struct eds_fetch *fetch = &desk->fetches[i];
        struct eds_ledger_item *item = &piece->items[desk->items[i]];

        eds_fetcher_wait(fetcher, fetch);
        item->payload_rc = fetch->rc;
        item->payload_size = fetch->size;
        memcpy(item->payload_hash, fetch->hash, EDS_HASH_SIZE);
        if (fetch->rc != EDS_OK && fetch->rc != EDS_ERR_NOT_FOUND &&
            fetch->rc != EDS_ERR_TOO_LARGE && !has_failed) {
            piece->err = fetch->err;
            has_failed = true;
        }
    }
}

/* The key that an entry is most likely signed by: one that was valid when it came,
 * and that its attestation names if it has one. */
static const struct eds_ledger_key *guess_key(const struct eds_ledger_item *item)
{
    const struct eds_entry *entry = &item->entry;

    for (size_t i = 0; i < item->device->key_count; i++) {
        const struct eds_ledger_key *key = &item->device->keys[i];

        if (eds_key_was_valid(&key->enrolled, item->ingested_ms, entry->record.sequence) &&
            (!entry->attestation.present ||
             memcmp(key->key_id, entry->attestation.key_id, EDS_KEY_ID_SIZE) == 0))
            return key;
    }
    return NULL;
}

/* Answers what was asked so far: those of the items up to end. */
static void verify(struct eds_ledger_piece *piece, struct eds_ledger_desk *desk, size_t end)
{
    size_t used = 0;

    eds_verify_many((struct eds_verifier_work *)(void *)desk->work, desk->jobs, desk->job_count,
                    desk->verdicts);
    for (size_t i = desk->begun; i < end; i++) {
        bool all = desk->job_counts[i] > 0;

        for (size_t job = 0; job < desk->job_counts[i]; job++)
            all = desk->verdicts[used++] && all;
        piece->items[i].is_signed = all;
    }
    desk->begun = end;
    desk->job_count = 0;
    eds_key_user_release(desk->keys);
}

/* Adds an item's one or two jobs, under a key and, if there is one, its table. */
static void add_jobs(struct eds_ledger_desk *desk, size_t at, const struct eds_ledger_item *item,
                     const struct eds_ledger_key *key, const struct eds_verifier_table *table)
{
    const struct eds_entry *entry = &item->entry;
    struct eds_verify_job *jobs = &desk->jobs[desk->job_count];

    jobs[0] = (struct eds_verify_job){.table = table,
                                      .public_key = key->enrolled.public_key,
                                      .message = entry->record.payload_hash,
                                      .message_size = sizeof entry->record.payload_hash,
                                      .signature = entry->record.signature};
    desk->job_counts[at] = 1;
    if (entry->attestation.present) {
        eds_attest_message(desk->messages[at], entry->attestation.key_id, item->record_hash);
        jobs[1] = (struct eds_verify_job){.table = table,
                                          .public_key = key->enrolled.public_key,
                                          .message = desk->messages[at],
                                          .message_size = EDS_ATTEST_MESSAGE_SIZE,
                                          .signature = entry->attestation.signature};
        desk->job_counts[at] = 2;
    }
    desk->job_count += desk->job_counts[at];
}

static void ask(struct eds_ledger_piece *piece, struct eds_ledger_desk *desk, size_t at)
{
    const struct eds_ledger_item *item = &piece->items[at];
    const struct eds_ledger_key *key = guess_key(item);
    const struct eds_verifier_table *table;
    /* Worth it for two signatures; another record of the device brings at least one. */
    bool is_worth_it = item->entry.attestation.present ||
                       (at + 1 < piece->count && item[1].device == item->device);
    bool is_full;

    desk->job_counts[at] = 0;
    if (key == NULL)
        return;
    table = eds_key_user_find(desk->keys, key->enrolled.public_key, is_worth_it, &is_full);
    if (is_full) {
        verify(piece, desk, at);
        table = eds_key_user_find(desk->keys, key->enrolled.public_key, is_worth_it, &is_full);
    }
    add_jobs(desk, at, item, key, table);
}

/* Looks at one entry with all care: under the keys that were valid when it came,
 * or under all that the device ever had. */
static bool inspect(struct eds_ledger_desk *desk, struct eds_ledger_item *item, bool all)
{
    struct eds_chain_rules rules = {.strength = EDS_STRENGTH_SIGNATURES,
                                    .public_keys =
                                        (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])desk->valid_keys};
    uint64_t sequence = item->entry.record.sequence;

    for (size_t i = 0; i < item->device->key_count; i++) {
        const struct eds_enrolled_key *key = &item->device->keys[i].enrolled;

        if (all || eds_key_was_valid(key, item->ingested_ms, sequence))
            memcpy(desk->valid_keys[rules.public_key_count++], key->public_key,
                   EDS_PUBLIC_KEY_SIZE);
    }
    return eds_chain_inspect(&rules, &item->entry, item->record_hash, NULL, 0, &item->finding) ==
           EDS_OK;
}

static void check_signatures(struct eds_ledger_piece *piece, struct eds_ledger_desk *desk)
{
    desk->begun = desk->job_count = 0;
    for (size_t i = 0; i < piece->count; i++)
        ask(piece, desk, i);
    verify(piece, desk, piece->count);
    for (size_t i = 0; i < piece->count; i++) {
        struct eds_ledger_item *item = &piece->items[i];

        if (item->device->key_count == 0 || item->is_signed)
            continue;
        item->is_signed = inspect(desk, item, false);
        item->is_signed_at_all = item->is_signed || inspect(desk, item, true);
    }
}

void eds_ledger_piece_inspect(struct eds_ledger_piece *piece, struct eds_ledger_desk *desk,
                              struct eds_fetcher *fetcher)
{
    hash_records(piece, desk);
    hash_payloads(piece, desk);
    check_signatures(piece, desk);
    if (fetcher != NULL)
        fetch_payloads(piece, desk, fetcher);
}
