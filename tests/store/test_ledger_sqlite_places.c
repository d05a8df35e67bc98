/* test_ledger_sqlite_places.c - records are found by the places that are kept for
 * them: those that an older file gets, those of many commits, and those of a file
 * that somebody has been at. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "store/ledger_dump.h"
#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_bench.h"
#include "store/ledger_sqlite_faulty_vfs.h"
#include "support/dice.h"

#define DEVICE_COUNT 4u

/* From fewer than one set of places to many of them. */
static const size_t record_counts[DEVICE_COUNT] = {1, EDS_PLACES_MAX, EDS_PLACES_MAX + 1, 150};
#define RECORD_COUNT (1 + EDS_PLACES_MAX + EDS_PLACES_MAX + 1 + 150)

/* Commits of any size, the devices in any order. */
static void fill(struct sqlite_bench *bench, struct chain chains[DEVICE_COUNT])
{
    static const char *const ids[DEVICE_COUNT] = {"crane-7", "lift-01", "lift-02", "lift-03"};
    size_t left = RECORD_COUNT;
    struct dice dice;

    dice_seed(&dice);
    sqlite_bench_open(bench);
    for (size_t i = 0; i < DEVICE_COUNT; i++)
        chains[i] = chain_of(ids[i]);
    while (left > 0) {
        size_t i = dice_below(&dice, DEVICE_COUNT);

        if (chains[i].sequence == record_counts[i])
            continue;
        batch_append(bench->batch, &chains[i]);
        batch_operation(bench->batch, EDS_DECISION_ACCEPTED, ids[i], chains[i].sequence,
                        "accepted");
        if (--left == 0 || dice_below(&dice, 8) == 0)
            sqlite_bench_commit(bench);
    }
}

static char *dump(struct sqlite_bench *bench)
{
    char *text = ledger_dump(bench->ledger, &bench->err);

    if (text == NULL)
        fail_msg("%s", bench->err.text);
    return text;
}

static int32_t count(void *context, const struct eds_stored *stored)
{
    (void)stored;
    ++*(size_t *)context;
    return EDS_OK;
}

static size_t count_records(struct sqlite_bench *bench, const char *device_id)
{
    size_t found = 0;

    if (bench->ledger->ops->scan(bench->ledger, device_id, count, &found, &bench->err) != EDS_OK)
        fail_msg("%s", bench->err.text);
    return found;
}

static void assert_answer(struct sqlite_bench *bench, const char *query, const char *expected)
{
    char *answer = sqlite_bench_query(bench, query);

    assert_string_equal(answer, expected);
    free(answer);
}

static void test_every_record(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chains[DEVICE_COUNT];
    uint8_t hash[EDS_HASH_SIZE];
    char *text;

    fill(bench, chains);
    assert_int_equal(count_records(bench, NULL), RECORD_COUNT);
    for (size_t i = 0; i < DEVICE_COUNT; i++) {
        const struct eds_ledger_ops *ops = bench->ledger->ops;
        const char *id = chains[i].device_id;

        assert_int_equal(count_records(bench, id), record_counts[i]);
        for (uint64_t n = 1; n <= record_counts[i]; n++)
            assert_int_equal(ops->record_hash(bench->ledger, id, n, hash, NULL), EDS_OK);
        assert_memory_equal(hash, chains[i].record_hash, EDS_HASH_SIZE);
        assert_int_equal(ops->record_hash(bench->ledger, id, 0, hash, NULL), EDS_ERR_NOT_FOUND);
        assert_int_equal(ops->record_hash(bench->ledger, id, record_counts[i] + 1, hash, NULL),
                         EDS_ERR_NOT_FOUND);
    }
    assert_int_equal(count_records(bench, "lift-04"), 0);
    text = dump(bench); /* look-ups and scans agree */
    free(text);
    sqlite_bench_close(bench);
    /* A head keeps at least one place. */
    assert_answer(bench,
                  "SELECT group_concat(device_id || first_sequence) FROM"
                  " (SELECT * FROM record_places ORDER BY device_id, first_sequence)",
                  "lift-021,lift-031,lift-0333,lift-0365,lift-0397");
}

static void test_older_file(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chains[DEVICE_COUNT];
    char *before, *after;

    fill(bench, chains);
    before = dump(bench);
    sqlite_bench_close(bench);
    for (unsigned round = 0; round < 3; round++) {
        if (round == 0)
            sqlite_bench_age(bench);
        assert_int_equal(sqlite_bench_try_open(bench, "?mode=ro"),
                         round == 0 ? EDS_ERR_UNSUPPORTED : EDS_OK);
        sqlite_bench_close(bench);
        sqlite_bench_open(bench);
        after = dump(bench);
        assert_string_equal(before, after);
        free(after);
        sqlite_bench_close(bench);
    }
    free(before);
    assert_answer(bench, "SELECT count(*) FROM record_places", "5");
    assert_answer(bench, "PRAGMA integrity_check", "ok");
    sqlite_bench_open(bench);
    for (size_t i = 0; i < DEVICE_COUNT; i++) /* the chains go on */
        for (size_t n = 0; n < EDS_PLACES_MAX; n++)
            batch_append(bench->batch, &chains[i]);
    sqlite_bench_commit(bench);
    assert_int_equal(count_records(bench, NULL), RECORD_COUNT + DEVICE_COUNT * EDS_PLACES_MAX);
}

/* Bringing a file up to date fails at each operation in turn: it is as it was,
 * and the next try does it. */
static void test_cut_short(void **state)
{
    static const unsigned kinds[] = {FAULTY_READ, FAULTY_WRITE, FAULTY_SYNC, FAULTY_SHM};
    struct sqlite_bench *bench = *state;
    struct chain chains[DEVICE_COUNT];
    char *before, *after, *old, log[sizeof bench->path + 8];
    uint64_t failures = 0;
    size_t size;

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    faulty_vfs_begin(NULL);
    snprintf(log, sizeof log, "%s-wal", bench->path);
    fill(bench, chains);
    before = dump(bench);
    sqlite_bench_close(bench);
    sqlite_bench_age(bench);
    old = file_read(bench->path, &size);
    for (unsigned kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++)
        for (uint64_t n = 1, failed = 1; failed > 0; n += 1 + n / 8) {
            file_write(bench->path, old, size);
            (void)remove(log);
            faulty_vfs_begin(NULL);
            faulty_vfs_fail(kinds[kind], n, false);
            (void)sqlite_bench_try_open(bench, "");
            sqlite_bench_close(bench);
            failed = faulty_vfs_failures();
            failures += failed;
            faulty_vfs_fail(0, 0, false);
            sqlite_bench_open(bench);
            after = dump(bench);
            assert_string_equal(before, after);
            free(after);
            sqlite_bench_close(bench);
        }
    assert_true(failures > 20);
    free(before);
    free(old);
}

/* What somebody who knows SQL could do, and what a scan then shows. */
static void test_edits(void **state)
{
    static const struct {
        const char *sql;
        size_t record_count; /* 0: damaged, and why: */
        const char *said;
    } rows[] = {
        {"UPDATE audit_records SET id = id", RECORD_COUNT, NULL},
        {"DELETE FROM audit_records WHERE device_id = 'lift-03' AND sequence = 7", RECORD_COUNT - 1,
         NULL},
        {"DELETE FROM audit_records WHERE device_id = 'lift-03' AND sequence IN (1, 32, 33, 150)",
         RECORD_COUNT - 4, NULL},
        {"DELETE FROM audit_records WHERE device_id = 'lift-03'", RECORD_COUNT - 150, NULL},
        {"DELETE FROM chain_heads WHERE device_id = 'lift-03'", RECORD_COUNT, NULL},
        {"DELETE FROM record_places WHERE device_id = 'lift-03'", RECORD_COUNT, NULL},
        {"DELETE FROM record_places WHERE first_sequence = 33", RECORD_COUNT, NULL},
        {"UPDATE chain_heads SET places = x'' WHERE device_id = 'crane-7'", RECORD_COUNT, NULL},
        {"UPDATE chain_heads SET places = x'01' WHERE device_id = 'lift-03'", RECORD_COUNT, NULL},
        {"INSERT INTO audit_records SELECT NULL, device_id, 900, timestamp_ms, payload_hash,"
         " signature, prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id,"
         " attest_signature, object_id FROM audit_records WHERE device_id = 'lift-01' LIMIT 1",
         RECORD_COUNT + 1, NULL},
        {"UPDATE audit_records SET sequence = 900 WHERE device_id = 'lift-03' AND sequence = 7", 0,
         "sequence"},
        {"UPDATE audit_records SET device_id = 'lift-09' WHERE device_id = 'lift-03' AND"
         " sequence = 7",
         0, "device_id"},
        {"UPDATE record_places SET places = x'8080' WHERE first_sequence = 33", 0, "places"},
        {"UPDATE record_places SET device_id = printf('%0256d', 1) WHERE first_sequence = 33", 0,
         "device_id"},
    };
    struct sqlite_bench *bench = *state;
    struct chain chains[DEVICE_COUNT];
    char *good;
    size_t size;

    fill(bench, chains);
    sqlite_bench_close(bench);
    good = file_read(bench->path, &size);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t found = 0;
        int32_t rc;

        file_write(bench->path, good, size);
        sqlite_bench_sql(bench, rows[i].sql);
        sqlite_bench_open(bench);
        rc = bench->ledger->ops->scan(bench->ledger, NULL, count, &found, &bench->err);
        if (rows[i].said == NULL && (rc != EDS_OK || found != rows[i].record_count))
            fail_msg("%s: %s, %zu records", rows[i].sql, eds_error_name(rc), found);
        if (rows[i].said != NULL &&
            (rc != EDS_ERR_MALFORMED || strstr(bench->err.text, rows[i].said) == NULL))
            fail_msg("%s: %s %s", rows[i].sql, eds_error_name(rc), bench->err.text);
        sqlite_bench_close(bench);
    }
    free(good);
}

/* The rows of a device whose head is gone are shown in their order all the same,
 * in as many slices as it takes. */
static int32_t check_order(void *context, const struct eds_stored *stored)
{
    struct chain *chain = context;
    const EdsAuditRecord *record = &stored->entry->record;

    assert_true(strcmp((const char *)record->device_id, chain->device_id) != 0 ||
                record->sequence == chain->sequence + 1);
    strcpy(chain->device_id, (const char *)record->device_id);
    chain->sequence = record->sequence;
    return EDS_OK;
}

static void test_without_heads(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chains[DEVICE_COUNT], seen = chain_of("");

    fill(bench, chains);
    while (chains[3].sequence < 1000)
        batch_append(bench->batch, &chains[3]);
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "DELETE FROM chain_heads");
    sqlite_bench_open(bench);
    assert_int_equal(count_records(bench, NULL), RECORD_COUNT + 850);
    assert_int_equal(count_records(bench, "lift-03"), 1000);
    assert_int_equal(bench->ledger->ops->scan(bench->ledger, NULL, check_order, &seen, NULL),
                     EDS_OK);
    assert_int_equal(seen.sequence, 1000);
}

/* A head that somebody has set back must not lead to a second record under a
 * sequence. */
static void test_head_set_back(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01"), back;

    sqlite_bench_open(bench);
    batch_append(bench->batch, &chain);
    batch_append(bench->batch, &chain);
    back = chain;
    batch_append(bench->batch, &chain);
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "UPDATE chain_heads SET sequence = 2, record_hash ="
                            " (SELECT record_hash FROM audit_records WHERE sequence = 2)");
    sqlite_bench_open(bench);
    batch_append(bench->batch, &back);
    assert_int_equal(bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err),
                     EDS_ERR_HEAD_MOVED);
    assert_string_equal(bench->err.text, "device lift-01 has a record 3 already");
    assert_int_equal(count_records(bench, NULL), 3);
}

/* A slice that is full in the middle of places, which move to another table before
 * the next one. */
static uint8_t large[1 << 16]; /* sixteen fill a slice */

struct reading {
    struct sqlite_bench *writer;
    struct chain chain, seen;
};

static void append_large(struct sqlite_bench *bench, struct chain *chain)
{
    struct eds_append *append;

    batch_append(bench->batch, chain);
    append = batch_last_append(bench->batch);
    append->payload = large;
    append->payload_size = sizeof large;
}

static int32_t check_and_append(void *context, const struct eds_stored *stored)
{
    struct reading *reading = context;

    assert_non_null(stored->object);
    assert_non_null(stored->object->payload);
    assert_int_equal(stored->object->payload_size, sizeof large);
    if (reading->chain.sequence < 120) {
        append_large(reading->writer, &reading->chain);
        sqlite_bench_commit(reading->writer);
    }
    return check_order(&reading->seen, stored);
}

static void test_slices_of_bytes(void **state)
{
    struct sqlite_bench *bench = *state, reader = *bench;
    struct reading reading = {bench, chain_of("lift-01"), chain_of("")};

    faulty_vfs_uninstall(); /* it copies each file at each sync */
    sqlite_bench_open(bench);
    sqlite_bench_execute(((struct sqlite_ledger *)bench->ledger)->db, "PRAGMA synchronous=OFF");
    while (reading.chain.sequence < 40)
        append_large(bench, &reading.chain);
    sqlite_bench_commit(bench);
    assert_int_equal(sqlite_bench_try_open(&reader, "?mode=ro"), EDS_OK);
    assert_int_equal(reader.ledger->ops->scan_whole(reader.ledger, NULL, check_and_append, &reading,
                                                    &reader.err),
                     EDS_OK);
    assert_true(reading.seen.sequence >= 40);
    assert_true(reading.chain.sequence > 40 + EDS_PLACES_MAX); /* some moved meanwhile */
    sqlite_bench_close(&reader);
    sqlite_bench_close(bench);
    faulty_vfs_install();
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_every_record),    BENCH_TEST(test_older_file),
        BENCH_TEST(test_cut_short),       BENCH_TEST(test_edits),
        BENCH_TEST(test_without_heads),   BENCH_TEST(test_head_set_back),
        BENCH_TEST(test_slices_of_bytes),
    };

    faulty_vfs_install(); /* it does not sync, which makes this fast */
    return cmocka_run_group_tests_name("sqlite places", tests, NULL, NULL);
}
