/* ledger_fixture.h - a small ledger as ingest leaves it, for tests: lift-01 with
 * three attested records, lift-02 with two plain ones and a fork. */
#ifndef EDS_TESTS_EVIDENCE_LEDGER_FIXTURE_H
#define EDS_TESTS_EVIDENCE_LEDGER_FIXTURE_H

#include "store/ledger.h"

#define FIXTURE_RECORD_COUNT 5u
#define FIXTURE_NOW_MS       UINT64_C(1700000000000) /* when they came in */

extern const uint8_t fixture_seed_1[EDS_SEED_SIZE]; /* of lift-01 */
extern const uint8_t fixture_seed_2[EDS_SEED_SIZE]; /* of lift-02 */

/* fixture_open gives the ledger, in memory; the caller closes it. */
struct eds_ledger *fixture_open(void);

/* fixture_payload writes the payload of a record; returns its size. */
size_t fixture_payload(char out[64], const char *device_id, uint64_t sequence);

#endif
