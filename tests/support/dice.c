/* dice.c - see dice.h. */
#include "support/dice.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

void dice_seed(struct dice *dice)
{
    const char *given = getenv("EDS_TEST_SEED");
    struct timespec now;

    if (given != NULL) {
        dice->state = strtoull(given, NULL, 10);
    } else {
        clock_gettime(CLOCK_REALTIME, &now);
        dice->state = (uint64_t)now.tv_sec * 1000000007u + (uint64_t)now.tv_nsec;
    }
    printf("seed: EDS_TEST_SEED=%" PRIu64 "\n", dice->state);
}

/* SplitMix64: one addition and three shifts are random enough for tests. */
uint64_t dice_u64(struct dice *dice)
{
    uint64_t z = dice->state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

size_t dice_below(struct dice *dice, size_t limit)
{
    return (size_t)(dice_u64(dice) % limit);
}

void dice_bytes(struct dice *dice, void *out, size_t size)
{
    uint8_t *at = out;

    for (size_t i = 0; i < size; i++)
        at[i] = (uint8_t)dice_u64(dice);
}
