/* verifier_batch.c - see verifier_batch.h. */
#include "core/verifier_batch.h"

#if EDS_VERIFIER_TABLES

#include <assert.h>

#include "core/ed25519_impl.h"
#include "core/sc25519.h"

/* A scalar below 2^252 as digits that are never 0, since no table point stands
 * for the neutral one.
 *
 * An odd number n has odd digits only: with m = (n - 1) / 2 + 2^251 cut into
 * windows m = sum of r[j] 2^(bits j), the digits d[j] = 2 r[j] - (2^bits - 1)
 * are odd, from -(2^bits - 1) to 2^bits - 1, and the sum of d[j] 2^(bits j) is
 *   2 m - (2^252 - 1) = n - 1 + 2^252 - 2^252 + 1 = n.
 * An even number takes the digits of n + 1, and the point that is one too much
 * is taken off in the topmost window.  That one has r >= half of 2^bits, thanks
 * to 2^251; so its digit is positive, and the places of its negative digits
 * hold nothing but are used for "digit, less one".
 *
 * (n - 1) / 2 for odd n, and n / 2 for even n, are both n >> 1.  False for a
 * number that is too large: one scalar in 2^127 is. */
static bool make_digits(uint16_t (*digit)[EDS_BATCH_MAX], size_t index,
                        const struct sc25519 *scalar, unsigned windows, unsigned bits)
{
    const uint64_t *word = scalar->word;
    const unsigned half = 1u << (bits - 1);
    const uint64_t top = UINT64_C(1) << (251 - 192);
    bool fits = word[3] >> 60 == 0;
    uint64_t m[5] = {word[0] >> 1 | word[1] << 63, word[1] >> 1 | word[2] << 63,
                     word[2] >> 1 | word[3] << 63, (word[3] >> 1 & (top - 1)) | top, 0};

    for (unsigned j = 0; j < windows; j++) {
        unsigned at = j * bits, word_at = at / 64, shift = at % 64;
        uint64_t pair = m[word_at] >> shift | m[word_at + 1] << 1 << (63 - shift);
        unsigned r = (unsigned)pair & (2 * half - 1);
        unsigned place = r >= half ? r - half : half - 1 - r;

        if (j == windows - 1 && word[0] % 2 == 0)
            place += half;
        digit[j][index] = (uint16_t)((j * half + place) | (r >= half ? 0 : EDS_DIGIT_MINUS));
    }
    return fits;
}

bool eds_batch_take(struct eds_batch *batch, const struct eds_verify_job *job)
{
    struct sc25519 s;
    size_t index = batch->count;
    bool fits;

    assert(index < EDS_BATCH_MAX && job->table != NULL);
    if (!sc25519_from_bytes(&s, job->signature + 32) || eds_ed25519_small_order(job->signature))
        return false;
    fits = make_digits(batch->digit + EDS_KEY_WINDOWS, index, &s, EDS_BASE_WINDOWS,
                       EDS_BASE_WINDOW_BITS);
    batch->job[index] = job;
    batch->key_table[index] = job->table->point;
    batch->verdict[index] = fits ? EDS_BATCH_BAD : EDS_BATCH_ODD;
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
        if (!make_digits(batch->digit, i, &k, EDS_KEY_WINDOWS, EDS_KEY_WINDOW_BITS))
            batch->verdict[i] = EDS_BATCH_ODD;
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
