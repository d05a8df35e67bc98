/* test_ledger_log.c - the operation log of a good ledger tells of its records, of each
 * once and of no other; each row bends one line of it. */
#include "evidence/ledger_log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "evidence/ledger_fixture.h"

#define MANY_COUNT 3000u /* records, so that many heaps have one or more */

static const struct eds_ledger_ops *good_ops;
static unsigned (*edit)(struct eds_operation *operation); /* how often it stands in the log */
static int32_t (*visit_next)(void *context, const struct eds_operation *, uint64_t created_ms);
static char findings[4096];

static int32_t visit_line(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    struct eds_operation copy = *operation;
    unsigned times = edit(&copy);
    int32_t rc = EDS_OK;

    for (unsigned i = 0; i < times && rc == EDS_OK; i++)
        rc = visit_next(context, &copy, created_ms);
    return rc;
}

static int32_t bent_operations(struct eds_ledger *ledger,
                               int32_t (*visit)(void *context, const struct eds_operation *,
                                                uint64_t created_ms),
                               void *context, struct eds_error *err)
{
    visit_next = visit;
    return good_ops->operations(ledger, visit_line, context, err);
}

static void found(void *context, const struct eds_ledger_finding *finding)
{
    char text[512];

    (void)context;
    eds_ledger_finding_text(text, sizeof text, finding);
    if (strlen(findings) + strlen(text) + 2 < sizeof findings)
        strcat(strcat(findings, text), "\n");
}

static bool is_line(const struct eds_operation *operation, const char *device_id, uint64_t sequence)
{
    return strcmp(operation->device_id, device_id) == 0 && operation->sequence == sequence;
}

static unsigned keep_line(struct eds_operation *operation)
{
    (void)operation;
    return 1;
}

static unsigned drop_line(struct eds_operation *operation)
{
    return !is_line(operation, "lift-01", 2);
}

static unsigned repeat_line(struct eds_operation *operation)
{
    return is_line(operation, "lift-01", 2) ? 2 : 1;
}

static unsigned invent_line(struct eds_operation *operation)
{
    if (is_line(operation, "lift-02", 2))
        operation->sequence = 7;
    return 1;
}

/* One that was refused tells of no record. */
static unsigned refuse_line(struct eds_operation *operation)
{
    if (is_line(operation, "lift-02", 1))
        operation->decision = EDS_DECISION_REJECTED;
    return 1;
}

static unsigned drop_all(struct eds_operation *operation)
{
    (void)operation;
    return 0;
}

#define ABSENT ": the operation log has no line of its acceptance\n"

static const struct {
    const char *name;
    unsigned (*edit)(struct eds_operation *operation);
    uint64_t finding_count;
    const char *findings;
} rows[] = {
    {"none", keep_line, 0, ""},
    {"drop_line", drop_line, 1, "device=lift-01 sequence=2" ABSENT},
    {"repeat_line", repeat_line, 1,
     "device=lift-01 sequence=2: the operation log says twice that it was accepted\n"},
    {"invent_line", invent_line, 2,
     "device=lift-02 sequence=7: the operation log says that it was accepted, and it is not "
     "there\n"
     "device=lift-02 sequence=2" ABSENT},
    {"refuse_line", refuse_line, 1, "device=lift-02 sequence=1" ABSENT},
    {"drop_all", drop_all, 5,
     "device=lift-01 sequence=1" ABSENT "device=lift-01 sequence=2" ABSENT
     "device=lift-01 sequence=3" ABSENT "device=lift-02 sequence=1" ABSENT
     "device=lift-02 sequence=2" ABSENT},
};

/* Every row, with the log read after the records (of 0) or beside them (of 1). */
static void test_lines(void **state)
{
    struct eds_ledger *ledger = fixture_open(), *again = fixture_open();
    struct eds_ledger_ops bent_ops = *ledger->ops;

    (void)state;
    good_ops = ledger->ops;
    bent_ops.operations = bent_operations;
    ledger->ops = again->ops = &bent_ops;
    for (size_t i = 0; i < 2 * (sizeof rows / sizeof rows[0]); i++) {
        const struct eds_ledger_check check = {
            .ledger = ledger, .log_ledger = i % 2 == 1 ? again : NULL, .found = found};
        struct eds_ledger_summary summary;

        findings[0] = '\0';
        edit = rows[i / 2].edit;
        assert_int_equal(eds_ledger_check_run(&check, &summary, NULL), EDS_OK);
        if (strcmp(findings, rows[i / 2].findings) != 0)
            fail_msg("%s: found\n%s", rows[i / 2].name, findings);
        assert_int_equal(summary.finding_count, rows[i / 2].finding_count);
    }
    again->ops->close(again);
    ledger->ops->close(ledger);
}

static void commit(struct eds_ledger *ledger, uint64_t sequence, bool with_line)
{
    struct eds_entry entry = {.attestation = {.present = false}};
    struct eds_append append = {.entry = &entry};
    struct eds_operation line = {
        .device_id = "lift-01", .sequence = sequence, .message = "ingest accepted"};
    const struct eds_commit one = {.appends = &append,
                                   .append_count = 1,
                                   .operations = &line,
                                   .operation_count = with_line,
                                   .now_ms = FIXTURE_NOW_MS};

    strcpy((char *)entry.record.device_id, "lift-01");
    snprintf((char *)entry.record.object_ref, sizeof entry.record.object_ref, "%llu",
             (unsigned long long)sequence);
    entry.record.sequence = sequence;
    if (sequence > 1)
        memset(entry.record.prev_record_hash, (int)(sequence - 1), EDS_HASH_SIZE);
    memset(append.record_hash, (int)sequence, EDS_HASH_SIZE);
    assert_int_equal(ledger->ops->commit(ledger, &one, NULL), EDS_OK);
}

/* Few of many lines are missing, or all of them. */
static void test_many(void **state)
{
    (void)state;
    for (unsigned every = 1; every <= 1000; every += 999) {
        struct eds_ledger_summary summary = {.finding_count = 0};
        struct eds_ledger_check check = {.found = found};
        struct eds_ledger_log *log = NULL;

        assert_int_equal(eds_ledger_open(&check.ledger, "memory:", NULL), EDS_OK);
        assert_int_equal(eds_ledger_log_create(&log, NULL), EDS_OK);
        for (uint64_t sequence = 1; sequence <= MANY_COUNT; sequence++) {
            EdsAuditRecord record = {.sequence = sequence};

            strcpy((char *)record.device_id, "lift-01");
            commit(check.ledger, sequence, sequence % every != 0);
            eds_ledger_log_add(log, &record);
        }
        findings[0] = '\0';
        assert_int_equal(eds_ledger_log_check(log, &check, &summary, NULL), EDS_OK);
        assert_int_equal(summary.finding_count, MANY_COUNT / every);
        if (every == 1000)
            assert_string_equal(findings, "device=lift-01 sequence=1000" ABSENT
                                          "device=lift-01 sequence=2000" ABSENT
                                          "device=lift-01 sequence=3000" ABSENT);
        eds_ledger_log_destroy(log);
        check.ledger->ops->close(check.ledger);
    }
}

/* What was committed after the records were read is no fault. */
static void test_server_beside(void **state)
{
    struct eds_ledger_summary summary = {.finding_count = 0};
    struct eds_ledger_check check = {.found = found};
    EdsAuditRecord record = {.sequence = 1};
    struct eds_ledger_log *log = NULL;

    (void)state;
    strcpy((char *)record.device_id, "lift-01");
    assert_int_equal(eds_ledger_open(&check.ledger, "memory:", NULL), EDS_OK);
    assert_int_equal(eds_ledger_log_create(&log, NULL), EDS_OK);
    commit(check.ledger, 1, true);
    eds_ledger_log_add(log, &record);
    for (uint64_t sequence = 2; sequence < 50; sequence++)
        commit(check.ledger, sequence, true);
    assert_int_equal(eds_ledger_log_check(log, &check, &summary, NULL), EDS_OK);
    assert_int_equal(summary.finding_count, 0);
    eds_ledger_log_destroy(log);
    check.ledger->ops->close(check.ledger);
}

/* The same, of a log that was read first, and beside a server. */
static void test_log_read_first(void **state)
{
    struct eds_ledger_summary summary = {.finding_count = 0};
    struct eds_ledger_check check = {.found = found};
    struct eds_ledger_log *log = NULL;

    (void)state;
    assert_int_equal(eds_ledger_open(&check.ledger, "memory:", NULL), EDS_OK);
    assert_int_equal(eds_ledger_open(&check.log_ledger, "memory:", NULL), EDS_OK);
    assert_int_equal(eds_ledger_log_create(&log, NULL), EDS_OK);
    for (uint64_t sequence = 1; sequence < 50; sequence++) {
        EdsAuditRecord record = {.sequence = sequence};

        strcpy((char *)record.device_id, "lift-01");
        commit(check.ledger, sequence, sequence != 40);
        if (sequence < 25)
            commit(check.log_ledger, sequence, true);
        eds_ledger_log_add(log, &record);
    }
    findings[0] = '\0';
    eds_ledger_log_read_beside(log, check.log_ledger);
    assert_int_equal(eds_ledger_log_check(log, &check, &summary, NULL), EDS_OK);
    assert_int_equal(summary.finding_count, 1);
    assert_string_equal(findings, "device=lift-01 sequence=40" ABSENT);
    eds_ledger_log_destroy(log);
    check.log_ledger->ops->close(check.log_ledger);
    check.ledger->ops->close(check.ledger);
}

static int32_t failing_operations(struct eds_ledger *ledger,
                                  int32_t (*visit)(void *context, const struct eds_operation *,
                                                   uint64_t created_ms),
                                  void *context, struct eds_error *err)
{
    (void)ledger, (void)visit, (void)context;
    return eds_error_set(err, EDS_ERR_IO, "the log cannot be read");
}

/* Ends when it is told to, and not before. */
static int32_t endless_operations(struct eds_ledger *ledger,
                                  int32_t (*visit)(void *context, const struct eds_operation *,
                                                   uint64_t created_ms),
                                  void *context, struct eds_error *err)
{
    const struct eds_operation line = {
        .device_id = "lift-01", .sequence = 1, .message = "ingest accepted"};
    int32_t rc;

    (void)ledger, (void)err;
    do {
        rc = visit(context, &line, FIXTURE_NOW_MS);
    } while (rc == EDS_OK);
    return rc;
}

static int32_t failing_scan(struct eds_ledger *ledger, const char *device_id,
                            int32_t (*visit)(void *context, const struct eds_stored *),
                            void *context, struct eds_error *err)
{
    (void)ledger, (void)device_id, (void)visit, (void)context;
    return eds_error_set(err, EDS_ERR_IO, "the records cannot be read");
}

/* A log that cannot be read ends the check; records that cannot end the log's reading. */
static void test_failures_beside(void **state)
{
    static const struct {
        bool records_fail;
        const char *said;
    } cases[] = {{false, "the log cannot be read"}, {true, "the records cannot be read"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct eds_ledger *ledger = fixture_open(), *again = fixture_open();
        const struct eds_ledger_ops *ops = ledger->ops;
        struct eds_ledger_ops failing = *ops, bent_ops = *ops;
        const struct eds_ledger_check check = {.ledger = ledger, .log_ledger = again};
        struct eds_ledger_summary summary;
        struct eds_error err;

        bent_ops.operations = cases[i].records_fail ? endless_operations : failing_operations;
        again->ops = &bent_ops;
        failing.scan_whole = failing_scan;
        if (cases[i].records_fail)
            ledger->ops = &failing;
        assert_int_equal(eds_ledger_check_run(&check, &summary, &err), EDS_ERR_IO);
        assert_string_equal(err.text, cases[i].said);
        again->ops->close(again);
        ledger->ops->close(ledger);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),           cmocka_unit_test(test_many),
        cmocka_unit_test(test_server_beside),   cmocka_unit_test(test_log_read_first),
        cmocka_unit_test(test_failures_beside),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
