/* model_check.c - see model.h: the ledger, held against the model. */
#include "ingest/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>

#include "store/gaps.h"
#include "store/roster.h"

void model_log_line(char out[EDS_ERROR_TEXT_SIZE], enum eds_decision decision, const char *id,
                    uint64_t sequence, const char *message)
{
    static const char letters[] = {'A', 'R', 'Q', 'C'};

    /* The message is the longer part; ids and references are short here. */
    snprintf(out, EDS_ERROR_TEXT_SIZE, "%c %.40s %" PRIu64 " %.500s", letters[decision], id,
             sequence, message);
}

struct log_check {
    struct model *m;
    size_t at;
    uint64_t summed_up;
};

static int32_t check_line(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    struct log_check *check = context;
    char line[EDS_ERROR_TEXT_SIZE];
    uint64_t sum;

    (void)created_ms;
    if (operation->decision == EDS_DECISION_CHANGED)
        return EDS_OK;
    if (operation->device_id[0] == '\0') {
        assert_int_equal(sscanf(operation->message, "%" SCNu64 " more", &sum), 1);
        check->summed_up += sum;
        return EDS_OK;
    }
    assert_true(check->at < check->m->log_count);
    model_log_line(line, operation->decision, operation->device_id, operation->sequence,
                   operation->message);
    assert_string_equal(line, check->m->log[check->at]);
    check->at++;
    return EDS_OK;
}

static size_t stored_gaps(struct eds_ledger *ledger, const char *device_id)
{
    struct eds_gap_place place = {.id = 0};
    struct eds_gap gap;
    size_t count = 0;

    while (ledger->gaps->next(ledger, device_id, &place, &gap, NULL) == EDS_OK)
        count++;
    return count;
}

void model_check(struct model *m)
{
    const struct eds_ledger_ops *ops = m->inner->ops;
    struct log_check check = {.m = m};

    for (unsigned d = 0; d < DEVICE_COUNT; d++) {
        struct model_device *device = &m->devices[d];
        struct eds_head head;

        assert_int_equal(stored_count(m->inner, device->id), device->accepted_count);
        for (size_t i = 0; i < device->accepted_count; i++) {
            uint8_t stored[EDS_HASH_SIZE], expected[EDS_HASH_SIZE];

            parcel_hash(&device->accepted[i], expected);
            assert_int_equal(ops->record_hash(m->inner, device->id,
                                              device->accepted[i].entry.record.sequence, stored,
                                              NULL),
                             EDS_OK);
            assert_memory_equal(stored, expected, sizeof stored);
        }
        assert_int_equal(ops->head(m->inner, device->id, &head, NULL), EDS_OK);
        assert_int_equal(head.sequence, device->last_sequence);
        assert_memory_equal(head.record_hash, device->last_hash, EDS_HASH_SIZE);
        assert_int_equal(stored_gaps(m->inner, device->id), device->gap_count);
        assert_int_equal(head.attested, device->attested);
        assert_int_equal(head.conflict_count, device->conflict_count < EDS_CONFLICTS_KEPT_MAX
                                                  ? device->conflict_count
                                                  : EDS_CONFLICTS_KEPT_MAX);
        if (device->known) {
            struct eds_enrolment it;

            assert_int_equal(
                m->inner->roster->find(m->inner, EDS_ROLE_DEVICE, device->id, &it, NULL), EDS_OK);
            assert_int_equal(it.quarantine_arrived, device->quarantined_count);
        }
    }
    assert_int_equal(ops->operations(m->inner, check_line, &check, NULL), EDS_OK);
    assert_int_equal(check.at, m->log_count);
    assert_int_equal(check.summed_up, m->lines_lost);
}
