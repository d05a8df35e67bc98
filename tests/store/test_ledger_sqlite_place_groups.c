/* test_ledger_sqlite_place_groups.c - devices with so many records that the rows which lead
 * to them are led to themselves: found, read in order and brought up to date like others,
 * and a file that somebody has been at. */
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

#define GROUP_RECORDS (EDS_PLACES_MAX * EDS_PLACE_ROWS_MAX)
#define DEVICE_COUNT  4u

static const char *const ids[DEVICE_COUNT] = {"crane-7", "lift-01", "lift-02", "lift-03"};

/* As many as a head can lead to, one more, and two groups with something behind them. */
static const size_t record_counts[DEVICE_COUNT] = {5, GROUP_RECORDS + EDS_PLACES_MAX,
                                                   GROUP_RECORDS + EDS_PLACES_MAX + 1, 1200};
#define RECORD_COUNT (5 + 2 * (GROUP_RECORDS + EDS_PLACES_MAX) + 1 + 1200)

/* Where the devices' groups begin. */
#define GROUPS                                                                                     \
    "SELECT group_concat(device_id || ' ' || first_sequence) FROM"                                 \
    " (SELECT * FROM place_groups ORDER BY device_id, first_sequence)"

static void append(struct sqlite_bench *bench, struct chain *chain, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (bench->batch->commit.append_count == BATCH_MAX)
            sqlite_bench_commit(bench);
        batch_append(bench->batch, chain);
    }
}

/* Commits of any size, the devices in any order. */
static void fill(struct sqlite_bench *bench, struct chain chains[DEVICE_COUNT])
{
    size_t left = RECORD_COUNT;
    struct dice dice;

    dice_seed(&dice);
    sqlite_bench_open(bench);
    for (size_t i = 0; i < DEVICE_COUNT; i++)
        chains[i] = chain_of(ids[i]);
    while (left > 0) {
        size_t i = dice_below(&dice, DEVICE_COUNT), room = record_counts[i] - chains[i].sequence;
        size_t count = room == 0 ? 0 : 1 + dice_below(&dice, room < 50 ? room : 50);

        append(bench, &chains[i], count);
        left -= count;
        if (left == 0 || dice_below(&dice, 4) == 0)
            sqlite_bench_commit(bench);
    }
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

/* Whether a scan goes by places. */
static bool is_complete(struct sqlite_bench *bench)
{
    bool complete = false;

    if (eds_sqlite_count_places((struct sqlite_ledger *)bench->ledger, &complete, &bench->err) !=
        EDS_OK)
        fail_msg("%s", bench->err.text);
    return complete;
}

/* Every record of a device is there by its number, and no other one. */
static void check_device(struct sqlite_bench *bench, const struct chain *chain)
{
    const struct eds_ledger_ops *ops = bench->ledger->ops;
    uint8_t hash[EDS_HASH_SIZE];

    for (uint64_t n = 1; n <= chain->sequence; n++)
        if (ops->record_hash(bench->ledger, chain->device_id, n, hash, &bench->err) != EDS_OK)
            fail_msg("%s", bench->err.text);
    assert_memory_equal(hash, chain->record_hash, EDS_HASH_SIZE);
    assert_int_equal(ops->record_hash(bench->ledger, chain->device_id, 0, hash, NULL),
                     EDS_ERR_NOT_FOUND);
    assert_int_equal(
        ops->record_hash(bench->ledger, chain->device_id, chain->sequence + 1, hash, NULL),
        EDS_ERR_NOT_FOUND);
    assert_int_equal(count_records(bench, chain->device_id), chain->sequence);
}

static void check_all(struct sqlite_bench *bench, const struct chain chains[DEVICE_COUNT])
{
    uint64_t sum = 0;

    assert_true(is_complete(bench));
    for (size_t i = 0; i < DEVICE_COUNT; i++) {
        check_device(bench, &chains[i]);
        sum += chains[i].sequence;
    }
    assert_int_equal(count_records(bench, NULL), sum);
    assert_int_equal(count_records(bench, "lift-04"), 0);
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

    fill(bench, chains);
    check_all(bench, chains);
    sqlite_bench_close(bench);
    assert_answer(bench, GROUPS, "lift-02 1,lift-03 1,lift-03 513");
    assert_answer(bench, "SELECT count(*) FROM record_places", "70"); /* 16 + 17 + 37 */
    sqlite_bench_open(bench); /* heads are read again, and go on */
    for (size_t i = 0; i < DEVICE_COUNT; i++)
        append(bench, &chains[i], 40);
    sqlite_bench_commit(bench);
    check_all(bench, chains);
}

static char *dump(struct sqlite_bench *bench)
{
    char *text = ledger_dump(bench->ledger, &bench->err);

    if (text == NULL)
        fail_msg("%s", bench->err.text);
    return text;
}

/* A file of an older version has the same groups, and its chains go on. */
static void test_older_files(void **state)
{
    static void (*const ages[])(struct sqlite_bench *) = {sqlite_bench_age, sqlite_bench_age_to_10};
    struct sqlite_bench *bench = *state;
    struct chain filled[DEVICE_COUNT], chains[DEVICE_COUNT];
    char *before, *after, *now;
    size_t size;

    fill(bench, filled);
    before = dump(bench);
    sqlite_bench_close(bench);
    now = file_read(bench->path, &size);
    for (size_t age = 0; age < sizeof ages / sizeof ages[0]; age++) {
        memcpy(chains, filled, sizeof chains);
        file_write(bench->path, now, size);
        ages[age](bench);
        sqlite_bench_open(bench);
        after = dump(bench);
        assert_string_equal(before, after);
        free(after);
        check_all(bench, chains);
        for (size_t i = 0; i < DEVICE_COUNT; i++)
            append(bench, &chains[i], GROUP_RECORDS + 40);
        sqlite_bench_commit(bench);
        check_all(bench, chains);
        sqlite_bench_close(bench);
        assert_answer(bench, GROUPS,
                      "crane-7 1,lift-01 1,lift-01 513,lift-02 1,lift-02 513,lift-03 1,"
                      "lift-03 513,lift-03 1025");
        assert_answer(bench, "PRAGMA integrity_check", "ok");
        assert_answer(bench,
                      "SELECT group_concat(name) FROM sqlite_schema WHERE name LIKE"
                      " '%old%' OR name LIKE '%new%'",
                      "");
    }
    free(before);
    free(now);
}

/* What somebody who knows SQL could do; what record 600 of lift-03, in its second group,
 * record 1100, in a row that its head leads to, and all of them look like then. */
static const struct edit {
    const char *sql;
    int32_t found_600, found_1100;
    const char *said; /* by the one that is damaged */
    bool is_complete; /* as far as counting shows */
} edits[] = {
    {"UPDATE place_groups SET place_rows = place_rows", EDS_OK, EDS_OK, NULL, true},
    {"DELETE FROM place_groups WHERE device_id = 'lift-03' AND first_sequence = 513",
     EDS_ERR_NOT_FOUND, EDS_OK, NULL, false},
    {"UPDATE place_groups SET place_rows = x'8080' WHERE first_sequence = 513", EDS_ERR_MALFORMED,
     EDS_OK, "row 513 of place_groups has no valid place_rows", false},
    {"UPDATE place_groups SET place_rows = x'01' WHERE first_sequence = 513", EDS_ERR_MALFORMED,
     EDS_OK, "row 513 of place_groups has no valid place_rows", false},
    {"UPDATE place_groups SET place_rows = x'' WHERE first_sequence = 513", EDS_ERR_MALFORMED,
     EDS_OK, "row 513 of place_groups has no valid place_rows", false},
    {"UPDATE place_groups SET first_sequence = 514 WHERE first_sequence = 513", EDS_ERR_MALFORMED,
     EDS_OK, "row 514 of place_groups has no valid place_rows", true},
    {"UPDATE place_groups SET place_rows = (SELECT place_rows FROM place_groups WHERE device_id ="
     " 'lift-02') WHERE first_sequence = 513",
     EDS_ERR_MALFORMED, EDS_OK, "row 513 of place_groups has no valid place_rows", true},
    {"DELETE FROM record_places WHERE device_id = 'lift-03' AND first_sequence = 577",
     EDS_ERR_MALFORMED, EDS_OK,
     "of record_places, with records of device lift-03 from 577 on, is missing", false},
    {"UPDATE record_places SET device_id = 'lift-02' WHERE first_sequence = 577", EDS_ERR_MALFORMED,
     EDS_OK, "of record_places has no valid device_id", true},
    {"UPDATE record_places SET device_id = printf('%0256d', 1) WHERE first_sequence = 577",
     EDS_ERR_MALFORMED, EDS_OK, "of record_places has no valid device_id", true},
    {"UPDATE record_places SET first_sequence = 578 WHERE first_sequence = 577", EDS_ERR_MALFORMED,
     EDS_OK, "of record_places has no valid first_sequence", true},
    {"UPDATE record_places SET places = x'01' WHERE first_sequence = 577", EDS_ERR_MALFORMED,
     EDS_OK, "of record_places has no valid places", true},
    {"UPDATE record_places SET places = (SELECT places FROM record_places WHERE first_sequence ="
     " 609) WHERE first_sequence = 577",
     EDS_ERR_MALFORMED, EDS_OK, "of record_places has no valid places", true},
    {"UPDATE record_places SET places = x'4101' WHERE first_sequence = 577 AND device_id ="
     " 'lift-03'",
     EDS_ERR_MALFORMED, EDS_OK, "of record_places has no valid places", true},
    {"DELETE FROM record_places WHERE first_sequence = 1089", EDS_OK, EDS_ERR_MALFORMED,
     "of record_places, with records of device lift-03 from 1089 on, is missing", false},
    {"UPDATE record_places SET device_id = 'lift-02' WHERE first_sequence = 1089", EDS_OK,
     EDS_ERR_MALFORMED, "of record_places has no valid device_id", true},
    {"UPDATE record_places SET places = x'00' WHERE first_sequence = 1089", EDS_OK,
     EDS_ERR_MALFORMED, "of record_places has no valid places", true},
    {"UPDATE chain_heads SET place_rows = x'' WHERE device_id = 'lift-03'", EDS_OK,
     EDS_ERR_NOT_FOUND, NULL, false},
    {"UPDATE chain_heads SET place_rows = x'81' WHERE device_id = 'lift-03'", EDS_ERR_MALFORMED,
     EDS_ERR_MALFORMED, "of chain_heads has no valid place_rows", false},
    {"UPDATE chain_heads SET places = (SELECT places FROM chain_heads WHERE device_id = 'lift-02')"
     " WHERE device_id = 'lift-03'",
     EDS_ERR_MALFORMED, EDS_ERR_MALFORMED, "of chain_heads has no valid place_rows", false},
    {"UPDATE chain_heads SET places = x'' WHERE device_id = 'lift-03'", EDS_ERR_MALFORMED,
     EDS_ERR_MALFORMED, "of chain_heads has no valid place_rows", false},
    {"INSERT INTO record_places(device_id, first_sequence, places) SELECT device_id,"
     " first_sequence, places FROM record_places WHERE first_sequence = 1089",
     EDS_OK, EDS_OK, NULL, false},
    {"DELETE FROM chain_heads WHERE device_id = 'lift-03'", EDS_OK, EDS_ERR_NOT_FOUND, NULL, false},
};

static void check_edit(struct sqlite_bench *bench, const struct edit *edit)
{
    const struct eds_ledger_ops *ops = bench->ledger->ops;
    uint8_t hash[EDS_HASH_SIZE];
    size_t found = 0;
    int32_t rc = ops->record_hash(bench->ledger, "lift-03", 600, hash, &bench->err);

    if (rc != edit->found_600)
        fail_msg("%s: 600: %s %s", edit->sql, eds_error_name(rc), bench->err.text);
    if (rc == EDS_ERR_MALFORMED && strstr(bench->err.text, edit->said) == NULL)
        fail_msg("%s: %s", edit->sql, bench->err.text);
    rc = ops->record_hash(bench->ledger, "lift-03", 1100, hash, &bench->err);
    if (rc != edit->found_1100)
        fail_msg("%s: 1100: %s %s", edit->sql, eds_error_name(rc), bench->err.text);
    if (rc == EDS_ERR_MALFORMED && strstr(bench->err.text, edit->said) == NULL)
        fail_msg("%s: %s", edit->sql, bench->err.text);
    if (is_complete(bench) != edit->is_complete)
        fail_msg("%s: complete or not", edit->sql);
    rc = ops->scan(bench->ledger, NULL, count, &found, &bench->err);
    if (edit->is_complete && edit->said != NULL) {
        if (rc != EDS_ERR_MALFORMED || strstr(bench->err.text, edit->said) == NULL)
            fail_msg("%s: %s %s", edit->sql, eds_error_name(rc), bench->err.text);
    } else if (rc != EDS_OK || found != RECORD_COUNT) {
        fail_msg("%s: %s, %zu records", edit->sql, eds_error_name(rc), found);
    }
}

static void test_edits(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chains[DEVICE_COUNT];
    char *good;
    size_t size;

    fill(bench, chains);
    sqlite_bench_close(bench);
    good = file_read(bench->path, &size);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        file_write(bench->path, good, size);
        sqlite_bench_sql(bench, edits[i].sql);
        sqlite_bench_open(bench);
        check_edit(bench, &edits[i]);
        sqlite_bench_close(bench);
    }
    free(good);
}

/* A scan of one device does not count: it stops at a row that is missing. */
static void test_one_device(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chains[DEVICE_COUNT];
    size_t found = 0;

    fill(bench, chains);
    sqlite_bench_close(bench);
    sqlite_bench_sql(bench, "DELETE FROM record_places WHERE first_sequence = 1089");
    sqlite_bench_open(bench);
    assert_int_equal(bench->ledger->ops->scan(bench->ledger, "lift-03", count, &found, &bench->err),
                     EDS_ERR_MALFORMED);
    assert_non_null(strstr(bench->err.text, "from 1089 on, is missing"));
    assert_int_equal(found, 1088);
}

/* Readers beside a writer whose places move on while they read.  lift-01 shifts the
 * slices of lift-02, so that they end anywhere in a row of places. */
struct reading {
    struct sqlite_bench *writer;
    struct dice dice;
    struct chain chain, seen;
    uint64_t seen_count;
};

static int32_t check_and_append(void *context, const struct eds_stored *stored)
{
    struct reading *reading = context;
    const EdsAuditRecord *record = &stored->entry->record;

    if (strcmp((const char *)record->device_id, reading->seen.device_id) != 0)
        reading->seen = chain_of((const char *)record->device_id);
    assert_int_equal(record->sequence, reading->seen.sequence + 1);
    reading->seen.sequence++;
    reading->seen_count++;
    /* Visits come in slices of 256: what is added by one of them is all there by the next. */
    if (reading->seen_count % 64 == 0 && reading->chain.sequence < 4000) {
        append(reading->writer, &reading->chain, 1 + dice_below(&reading->dice, 150));
        sqlite_bench_commit(reading->writer);
    }
    return EDS_OK;
}

static void test_reader_beside_writer(void **state)
{
    static const size_t starts[] = {33, 300, 543, 544, 1056, 1100};
    struct sqlite_bench *bench = *state, reader = *bench;
    struct dice dice;

    dice_seed(&dice);
    for (size_t i = 0; i < sizeof starts / sizeof starts[0]; i++) {
        struct reading reading = {bench, dice, chain_of("lift-02"), chain_of(""), 0};
        struct chain shift = chain_of("lift-01");
        size_t shift_count = 300 + dice_below(&dice, 256);

        (void)remove(bench->path);
        faulty_vfs_begin(NULL);
        sqlite_bench_open(bench);
        append(bench, &shift, shift_count);
        append(bench, &reading.chain, starts[i]);
        sqlite_bench_commit(bench);
        assert_int_equal(sqlite_bench_try_open(&reader, "?mode=ro"), EDS_OK);
        if (reader.ledger->ops->scan(reader.ledger, i % 2 == 0 ? NULL : "lift-02", check_and_append,
                                     &reading, &reader.err) != EDS_OK)
            fail_msg("%s", reader.err.text);
        assert_string_equal(reading.seen.device_id, "lift-02");
        assert_true(reading.seen.sequence >= starts[i]);
        check_device(&reader, &reading.chain);
        sqlite_bench_close(&reader);
        sqlite_bench_close(bench);
        dice = reading.dice;
    }
}

/* The commit that makes a group fails at each operation in turn: it is there or not, and
 * the next try does it. */
static void test_cut_short(void **state)
{
    static const unsigned kinds[] = {FAULTY_READ, FAULTY_WRITE, FAULTY_SYNC, FAULTY_SHM};
    struct sqlite_bench *bench = *state;
    struct chain full = chain_of("lift-01");
    char *good, log[sizeof bench->path + 8];
    uint64_t failures = 0;
    size_t size;

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    snprintf(log, sizeof log, "%s-wal", bench->path);
    sqlite_bench_open(bench);
    append(bench, &full, GROUP_RECORDS + EDS_PLACES_MAX);
    sqlite_bench_commit(bench);
    sqlite_bench_close(bench);
    good = file_read(bench->path, &size);
    for (unsigned kind = 0; kind < sizeof kinds / sizeof kinds[0]; kind++)
        for (uint64_t n = 1, failed = 1; failed > 0; n++) {
            struct chain chain = full;
            int32_t rc;

            file_write(bench->path, good, size);
            (void)remove(log);
            faulty_vfs_begin(NULL);
            sqlite_bench_open(bench);
            batch_append(bench->batch, &chain);
            faulty_vfs_fail(kinds[kind], n, false);
            rc = bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err);
            failed = faulty_vfs_failures();
            failures += failed;
            faulty_vfs_fail(0, 0, false);
            if (rc != EDS_OK) /* on the same connection, or the one that takes its place */
                rc = bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err);
            if (rc != EDS_OK)
                fail_msg("%s", bench->err.text);
            batch_clear(bench->batch);
            assert_true(is_complete(bench));
            check_device(bench, &chain);
            sqlite_bench_close(bench);
            assert_answer(bench, GROUPS, "lift-01 1");
        }
    assert_true(failures > 5);
    free(good);
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_every_record), BENCH_TEST(test_older_files),
        BENCH_TEST(test_edits),        BENCH_TEST(test_one_device),
        BENCH_TEST(test_cut_short),    BENCH_TEST(test_reader_beside_writer),
    };

    faulty_vfs_install(); /* it does not sync, which makes this fast */
    return cmocka_run_group_tests_name("sqlite place groups", tests, NULL, NULL);
}
