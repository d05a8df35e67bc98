/* roster_sample.h - enrolments for the tests of the registry in a store. */
#ifndef EDS_TESTS_STORE_ROSTER_SAMPLE_H
#define EDS_TESTS_STORE_ROSTER_SAMPLE_H

#include "store/roster.h"

/* sample_device makes a device, not stored yet, with one key made of key. */
struct eds_enrolment sample_device(const char *id, uint32_t key);

/* sample_key adds a key made of key, without borders. */
struct eds_enrolled_key *sample_key(struct eds_enrolment *it, uint32_t key);

/* sample_put makes one change, by "alice" because of "a test"; returns its code. */
int32_t sample_put(struct eds_ledger *ledger, const struct eds_enrolment *it, const char *message);

/* sample_must_put fails the test unless it works; then *it is as stored. */
void sample_must_put(struct eds_ledger *ledger, struct eds_enrolment *it, const char *message);

uint64_t sample_version(struct eds_ledger *ledger);

/* sample_same fails the test unless both are the same but for the revision. */
void sample_same(const struct eds_enrolment *a, const struct eds_enrolment *b);

#endif
