/* gap_sample.c - see gap_sample.h. */
#include "store/gap_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>

#include "store/roster_sample.h"

#define NOW_MS UINT64_C(1795305600123)

struct eds_gap gap_sample(const struct chain *chain, uint64_t resume_sequence, unsigned variant)
{
    struct eds_gap gap = {.last_sequence = chain->sequence,
                          .resume_sequence = resume_sequence,
                          .closed_ms = NOW_MS,
                          .operator_name = "alice",
                          .reason = "flash replaced"};

    strcpy(gap.device_id, chain->device_id);
    memcpy(gap.last_record_hash, chain->record_hash, EDS_HASH_SIZE);
    batch_fill(gap.resume_hash, EDS_HASH_SIZE, variant + 1);
    batch_fill(gap.key_id, EDS_KEY_ID_SIZE, variant + 2);
    batch_fill(gap.signature, EDS_SIGNATURE_SIZE, variant + 3);
    return gap;
}

void gap_move_on(struct chain *chain, const struct eds_gap *gap)
{
    chain->sequence = gap->resume_sequence - 1;
    memcpy(chain->record_hash, gap->resume_hash, EDS_HASH_SIZE);
}

uint64_t gap_add_operator(struct eds_ledger *ledger)
{
    struct eds_enrolment alice = sample_device("alice", 4711);

    alice.role = EDS_ROLE_OPERATOR;
    sample_must_put(ledger, &alice, "operator added");
    return alice.revision;
}

int32_t gap_close(struct eds_ledger *ledger, const struct eds_gap *gap, uint64_t revision,
                  struct eds_error *err)
{
    struct eds_gap_closing closing = {gap, revision, "gap closed", NOW_MS};
    int32_t rc;

    *err = (struct eds_error){.code = EDS_OK};
    rc = ledger->gaps->close(ledger, &closing, err);
    assert_int_equal(err->code, rc);
    return rc;
}
