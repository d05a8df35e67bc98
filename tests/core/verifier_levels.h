/* verifier_levels.h - the same questions to every level of the verifier that is
 * ready here, with libsodium as the judge. */
#ifndef EDS_TESTS_CORE_VERIFIER_LEVELS_H
#define EDS_TESTS_CORE_VERIFIER_LEVELS_H

#include "edgesentry/verifier.h"

#define CASE_MESSAGE_SIZE 1200u /* bytes of the longest message */

/* A signature to judge. */
struct verifier_case {
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    uint8_t signature[EDS_SIGNATURE_SIZE];
    uint8_t message[CASE_MESSAGE_SIZE];
    size_t message_size;
    const struct eds_verifier_table *table; /* of the key; NULL: made here if the */
                                            /* key may have one */
};

/* judge_all puts the cases to every level, in batches and one by one, and
 * fails the test where a verdict is not libsodium's.  Sets *good (may be NULL)
 * to the number of good ones. */
void judge_all(const struct verifier_case *cases, size_t count, size_t *good);

/* new_table makes the table of a key, or gives NULL for a key that may have
 * none.  The caller frees. */
struct eds_verifier_table *new_table(const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* new_work makes room for a batch.  The caller frees. */
struct eds_verifier_work *new_work(void);

/* next_level steps through the levels that are ready, libsodium first, and sets
 * each: for (level = 0; next_level(&level); level++). */
bool next_level(unsigned *level);

#endif
