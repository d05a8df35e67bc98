/* verifier_portable.c - the level in plain C: one lane. */
#include "core/verifier_impl.h"

#if EDS_VERIFIER_TABLES

#include <sodium.h>

typedef struct fe25519 lane_fe;
#define LANES 1
/* An inversion takes as long as 120 multiplications, and a round saves four for
 * each addition. */
#define ROUND_COUNT 30

static inline lane_fe lane_set1(struct fe25519 value)
{
    return value;
}

static inline lane_fe lane_set(const struct fe25519 value[1])
{
    return value[0];
}

static inline void lane_get(struct fe25519 value[1], lane_fe a)
{
    value[0] = a;
}

static inline lane_fe lane_first(lane_fe a)
{
    return a;
}

static inline lane_fe lane_rotate(lane_fe a, unsigned lanes)
{
    (void)lanes;
    return a;
}

static inline void lane_to_words(uint64_t word[4][1], lane_fe a)
{
    fe25519_to_words(&word[0][0], a);
}

static inline lane_fe lane_load_x(const uint64_t *const place[1])
{
    return fe25519_from_words(place[0]);
}

/* Minus y as 2 p - y, limb by limb, without a branch that would be mispredicted
 * every second time: ~y + 1 + 2 p where the mask says so.  y was below p, so no
 * limb goes below zero; it is wide then. */
static inline lane_fe lane_load_y(const uint64_t *const place[1], const uint16_t digit[1])
{
    const uint64_t mask = (digit[0] & EDS_DIGIT_MINUS) != 0 ? UINT64_MAX : 0;
    struct fe25519 y = fe25519_from_words(place[0] + 4);

    y.limb[0] = (y.limb[0] ^ mask) + ((2 * (FE25519_MASK - 18) + 1) & mask);
    for (unsigned i = 1; i < 5; i++)
        y.limb[i] = (y.limb[i] ^ mask) + ((2 * FE25519_MASK + 1) & mask);
    return y;
}

#define lane_one     fe25519_one
#define lane_add     fe25519_add
#define lane_sub     fe25519_sub
#define lane_sum     fe25519_sum
#define lane_mul     fe25519_mul
#define lane_sq      fe25519_sq
#define lane_mul_sub fe25519_mul_sub
#define lane_sq_sub  fe25519_sq_sub

#include "core/verifier_lanes.h"

_Static_assert(LANE_ROOM_SIZE(1) <= EDS_BATCH_ROOM_ONE, "room for a job");

static void hash(uint8_t (*digest)[64], const struct eds_batch *batch)
{
    crypto_hash_sha512_state state;

    for (size_t i = 0; i < batch->count; i++) {
        const struct eds_verify_job *job = batch->job[i];

        (void)crypto_hash_sha512_init(&state);
        (void)crypto_hash_sha512_update(&state, job->signature, 32);
        (void)crypto_hash_sha512_update(&state, job->table->public_key, EDS_PUBLIC_KEY_SIZE);
        (void)crypto_hash_sha512_update(&state, job->message, job->message_size);
        (void)crypto_hash_sha512_final(&state, digest[i]);
    }
}

const struct eds_verifier_arithmetic eds_verifier_portable = {hash, lanes_decide};

#endif
