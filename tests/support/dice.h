/* dice.h - repeatable random numbers for tests.
 *
 * The seed is printed, and EDS_TEST_SEED=number in the environment sets it, so
 * that a failure can be had again. */
#ifndef EDS_TESTS_SUPPORT_DICE_H
#define EDS_TESTS_SUPPORT_DICE_H

#include <stddef.h>
#include <stdint.h>

struct dice {
    uint64_t state;
};

/* dice_seed starts a series; prints the seed. */
void dice_seed(struct dice *dice);

uint64_t dice_u64(struct dice *dice);

/* dice_below gives 0 to limit - 1. */
size_t dice_below(struct dice *dice, size_t limit);

void dice_bytes(struct dice *dice, void *out, size_t size);

#endif
