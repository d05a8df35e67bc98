/* vouching.c - see vouching.h. */
#include "evidence/vouching.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/attest.h"
#include "edgesentry/verifier.h"

#define KEYS_MAX  8u  /* tables; 86 KiB each */
#define ALIGNMENT 64u /* bytes; of tables and of the verifier's work */

struct key {
    struct eds_verifier_table table;
    uint8_t key_id[EDS_KEY_ID_SIZE];
    uint64_t last_sequence; /* that it may have signed */
};

struct eds_vouching {
    size_t key_count;
    struct key keys[];
};

/* Each entry has up to two signatures. */
#define JOBS_MAX (2 * EDS_VOUCHING_BATCH_MAX)

struct eds_vouching_desk {
    uint8_t work[EDS_VERIFIER_WORK_SIZE]; /* first: it must be aligned */
    struct eds_verify_job jobs[JOBS_MAX];
    bool verdicts[JOBS_MAX];
    uint8_t messages[EDS_VOUCHING_BATCH_MAX][EDS_ATTEST_MESSAGE_SIZE];
};

static void *allocate(size_t size)
{
    return aligned_alloc(ALIGNMENT, (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT);
}

struct eds_vouching *eds_vouching_create(const struct eds_chain_rules *rules)
{
    size_t count = rules->public_key_count < KEYS_MAX ? rules->public_key_count : KEYS_MAX;
    struct eds_vouching *vouching;

    if (count == 0 || eds_verifier_init() == EDS_VERIFIER_LIBSODIUM)
        return NULL;
    vouching = allocate(sizeof *vouching + count * sizeof vouching->keys[0]);
    if (vouching == NULL)
        return NULL;
    vouching->key_count = 0;
    for (size_t i = 0; i < count; i++) {
        struct key *key = &vouching->keys[vouching->key_count];

        if (eds_verifier_table_build(&key->table, rules->public_keys[i]) != EDS_OK)
            continue; /* no good key: it vouches for nothing */
        eds_key_id(key->key_id, rules->public_keys[i]);
        key->last_sequence = rules->last_sequences == NULL ? UINT64_MAX : rules->last_sequences[i];
        vouching->key_count++;
    }
    return vouching;
}

void eds_vouching_destroy(struct eds_vouching *vouching)
{
    free(vouching);
}

struct eds_vouching_desk *eds_vouching_desk_create(void)
{
    return allocate(sizeof(struct eds_vouching_desk));
}

void eds_vouching_desk_destroy(struct eds_vouching_desk *desk)
{
    free(desk);
}

/* The key that an entry is most likely signed by: the one its attestation
 * names, else the first that may have signed so late. */
static const struct key *guess_key(const struct eds_vouching *vouching,
                                   const struct eds_entry *entry)
{
    for (size_t i = 0; i < vouching->key_count; i++) {
        const struct key *key = &vouching->keys[i];

        if (entry->record.sequence <= key->last_sequence &&
            (!entry->attestation.present ||
             memcmp(key->key_id, entry->attestation.key_id, EDS_KEY_ID_SIZE) == 0))
            return key;
    }
    return NULL;
}

/* Adds an entry's one or two jobs; returns how many. */
static size_t add_jobs(struct eds_verify_job *jobs, const struct eds_vouching *vouching,
                       const struct eds_inspection_item *item,
                       uint8_t message[EDS_ATTEST_MESSAGE_SIZE])
{
    const struct eds_entry *entry = &item->entry;
    const struct key *key = guess_key(vouching, entry);

    if (key == NULL)
        return 0;
    jobs[0] = (struct eds_verify_job){.table = &key->table,
                                      .message = entry->record.payload_hash,
                                      .message_size = sizeof entry->record.payload_hash,
                                      .signature = entry->record.signature};
    if (!entry->attestation.present)
        return 1;
    eds_attest_message(message, entry->attestation.key_id, item->record_hash);
    jobs[1] = (struct eds_verify_job){.table = &key->table,
                                      .message = message,
                                      .message_size = EDS_ATTEST_MESSAGE_SIZE,
                                      .signature = entry->attestation.signature};
    return 2;
}

void eds_vouching_run(const struct eds_vouching *vouching, struct eds_vouching_desk *desk,
                      const struct eds_inspection_item *items, size_t count, bool *vouched)
{
    size_t job_counts[EDS_VOUCHING_BATCH_MAX];
    size_t used = 0;

    assert(count <= EDS_VOUCHING_BATCH_MAX);
    for (size_t i = 0; i < count; i++) {
        job_counts[i] = add_jobs(&desk->jobs[used], vouching, &items[i], desk->messages[i]);
        used += job_counts[i];
    }
    eds_verify_many((struct eds_verifier_work *)(void *)desk->work, desk->jobs, used,
                    desk->verdicts);
    used = 0;
    for (size_t i = 0; i < count; i++) {
        vouched[i] = job_counts[i] > 0;
        for (size_t job = 0; job < job_counts[i]; job++)
            vouched[i] = vouched[i] && desk->verdicts[used++];
    }
}
