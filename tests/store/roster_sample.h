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

/* An array of changes as a source for change_all: batch_size at a time, and the batch
 * fail_at fails with SAMPLE_FAILED (0: none). */
#define SAMPLE_FAILED (-1234)

struct sample_source {
    struct eds_roster_source source;
    const struct eds_roster_change *changes;
    size_t count, batch_size, fail_at;
    size_t done, batch; /* so far */
};

struct sample_source sample_source(const struct eds_roster_change *changes, size_t count,
                                   size_t batch_size, size_t fail_at);

uint64_t sample_version(struct eds_ledger *ledger);

#endif
