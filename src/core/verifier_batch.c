/* verifier_batch.c - see verifier_batch.h. */
#include "core/verifier_batch.h"

#if EDS_VERIFIER_TABLES

#include <assert.h>

#include "core/ed25519_impl.h"
#include "core/sc25519.h"

/* Stores a scalar.  One from 2^252 on, which one in 2^127 is, has no digits: its
 * job is given up, and goes on with the scalar's lower bits. */
static void store_scalar(struct eds_batch *batch, uint64_t (*word)[EDS_BATCH_MAX], size_t index,
                         const struct sc25519 *scalar)
{
    for (size_t i = 0; i < 4; i++)
        word[i][index] = scalar->word[i];
    if (scalar->word[3] >> 60 == 0)
        return;
    word[3][index] &= (UINT64_C(1) << 60) - 1;
    batch->verdict[index] = EDS_BATCH_ODD;
}

bool eds_batch_take(struct eds_batch *batch, const struct eds_verify_job *job)
{
    struct sc25519 s;
    size_t index = batch->count;

    assert(index < EDS_BATCH_MAX && job->table != NULL);
    if (!sc25519_from_bytes(&s, job->signature + 32) || eds_ed25519_small_order(job->signature))
        return false;
    batch->job[index] = job;
    batch->key_table[index] = job->table->point;
    batch->verdict[index] = EDS_BATCH_BAD;
    store_scalar(batch, batch->s, index, &s);
    batch->count++;
    return true;
}

static void take_hashes(struct eds_batch *batch, const struct eds_verifier_arithmetic *arithmetic)
{
    uint8_t hash[EDS_BATCH_MAX][64];
    struct sc25519 k;

    arithmetic->hash(hash, batch);
    for (size_t i = 0; i < batch->count; i++) {
        sc25519_reduce(&k, hash[i]);
        store_scalar(batch, batch->k, i, &k);
    }
}

void eds_batch_try(struct eds_batch *batch, const struct eds_verifier_arithmetic *arithmetic,
                   void *room)
{
    if (batch->count == 0)
        return;
    take_hashes(batch, arithmetic);
    arithmetic->decide(batch, room);
}

void eds_batch_settle(struct eds_batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct eds_verify_job *job = batch->job[i];

        if (batch->verdict[i] != EDS_BATCH_ODD)
            continue;
        batch->verdict[i] = eds_ed25519_verify(job->signature, job->message, job->message_size,
                                               job->table->public_key)
                                ? EDS_BATCH_GOOD
                                : EDS_BATCH_BAD;
    }
}

void eds_batch_decide(struct eds_batch *batch, const struct eds_verifier_arithmetic *arithmetic,
                      void *room)
{
    eds_batch_try(batch, arithmetic, room);
    eds_batch_settle(batch);
}

#endif
