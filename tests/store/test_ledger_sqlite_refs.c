/* test_ledger_sqlite_refs.c - a reference that is taken is found, wherever it is
 * kept by then. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_bench.h"
#include "store/ledger_sqlite_faulty_vfs.h"
#include "store/ref_block.h"
#include "support/dice.h"

#define REF_COUNT 1500u

static char refs[REF_COUNT][EDS_OBJECT_REF_SIZE];

/* Counted up by ten devices, drawn at random, or long. */
static void make_refs(void)
{
    struct dice dice;

    dice_seed(&dice);
    for (unsigned i = 0; i < REF_COUNT; i++) {
        if (i % 3 == 0)
            snprintf(refs[i], sizeof refs[i], "s3://bucket/lift-%02u/inspection-%u.bin", i % 10, i);
        else
            snprintf(refs[i], sizeof refs[i], "%s%016llx-%u",
                     i % 100 == 1 ? "a/long/way/to/the/object/that/nobody/would/have/chosen/" : "",
                     (unsigned long long)dice_u64(&dice), i);
    }
}

static void append(struct sqlite_bench *bench, struct chain *chain, const char *ref)
{
    struct eds_entry *entry = batch_append(bench->batch, chain);

    memset(entry->record.object_ref, 0, sizeof entry->record.object_ref);
    strcpy((char *)entry->record.object_ref, ref);
}

/* A small tail, so that blocks are filled, divided and filled again. */
static void fill(struct sqlite_bench *bench, struct chain *chain)
{
    make_refs();
    sqlite_bench_open(bench);
    ((struct sqlite_ledger *)bench->ledger)->tail_max = 100;
    for (size_t i = 0; i < REF_COUNT; i++) {
        append(bench, chain, refs[i]);
        if (i % 40 == 39)
            sqlite_bench_commit(bench);
    }
    sqlite_bench_commit(bench);
}

static void check_all(struct sqlite_bench *bench, struct chain *chain)
{
    const struct eds_ledger_ops *ops = bench->ledger->ops;
    uint8_t hash[EDS_HASH_SIZE];

    for (size_t i = 0; i < REF_COUNT; i++) {
        char other[EDS_OBJECT_REF_SIZE];

        if (ops->object(bench->ledger, refs[i], hash, &bench->err) != EDS_OK)
            fail_msg("%s: %s", refs[i], bench->err.text);
        snprintf(other, sizeof other, "%.*s.", (int)sizeof other - 2, refs[i]);
        assert_int_equal(ops->object(bench->ledger, other, hash, NULL), EDS_ERR_NOT_FOUND);
        other[strlen(refs[i]) - 1] = '\0';
        assert_int_equal(ops->object(bench->ledger, other, hash, NULL), EDS_ERR_NOT_FOUND);
    }
    for (size_t i = 0; i < REF_COUNT; i += 97) { /* by another payload */
        struct chain before = *chain;

        append(bench, chain, refs[i]);
        assert_int_equal(ops->commit(bench->ledger, &bench->batch->commit, &bench->err),
                         EDS_ERR_HEAD_MOVED);
        batch_clear(bench->batch);
        *chain = before;
    }
}

static void test_all_are_found(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    char *answer;

    fill(bench, &chain);
    check_all(bench, &chain);
    sqlite_bench_close(bench);
    sqlite_bench_open(bench); /* what is not in blocks is read again */
    check_all(bench, &chain);
    sqlite_bench_close(bench);
    answer = sqlite_bench_query(bench, "SELECT count(*) > 25 AND min(length(refs)) > 0 AND"
                                       " max(length(refs)) <= 800 FROM object_refs");
    assert_string_equal(answer, "1");
    free(answer);
    answer = sqlite_bench_query(bench, "SELECT indexed_id BETWEEN 1400 AND 1500 FROM"
                                       " object_index_end");
    assert_string_equal(answer, "1");
    free(answer);
    sqlite_bench_age(bench); /* and from the index that older files have */
    sqlite_bench_open(bench);
    check_all(bench, &chain);
}

/* Commits references that count up, as many as make the tail go to the blocks. */
static void count_up(struct sqlite_bench *bench, struct chain *chain, unsigned from, unsigned count)
{
    char ref[EDS_OBJECT_REF_SIZE];

    for (unsigned i = from; i < from + count; i++) {
        snprintf(ref, sizeof ref, "s3://bucket/lift-01/inspection-%06u.bin", i);
        append(bench, chain, ref);
    }
    sqlite_bench_commit(bench);
}

/* What lies behind a block that is half full makes a new one; to a shorter one it is
 * added. */
static void test_blocks_left_alone(void **state)
{
    static const char lengths[] = "SELECT group_concat(length(refs)) FROM"
                                  " (SELECT refs FROM object_refs ORDER BY first_ref LIMIT 2)";
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    char *before, *after, *answer;

    sqlite_bench_open(bench);
    ((struct sqlite_ledger *)bench->ledger)->tail_max = 40;
    count_up(bench, &chain, 0, 60);
    before = sqlite_bench_query(bench, lengths);
    assert_null(strchr(before, ','));
    assert_in_range(strtoul(before, NULL, 10), EDS_REF_BLOCK_SIZE_MAX / 2, EDS_REF_BLOCK_SIZE_MAX);
    ((struct sqlite_ledger *)bench->ledger)->tail_max = 5;
    count_up(bench, &chain, 60, 5);
    count_up(bench, &chain, 65, 5);
    after = sqlite_bench_query(bench, lengths);
    assert_memory_equal(after, before, strlen(before));
    assert_int_equal(after[strlen(before)], ',');
    answer = sqlite_bench_query(bench, "SELECT count(*) FROM object_refs");
    assert_string_equal(answer, "2"); /* 60, and twice 5 in one */
    free(before);
    free(after);
    free(answer);
}

/* Takes a reference for another payload than whoever had it first. */
static int32_t take(struct sqlite_bench *bench, const struct chain *chain, const char *ref)
{
    struct chain copy = *chain;
    int32_t rc;

    append(bench, &copy, ref);
    rc = bench->ledger->ops->commit(bench->ledger, &bench->batch->commit, &bench->err);
    batch_clear(bench->batch);
    return rc;
}

static void commit_ref(struct sqlite_bench *bench, struct chain *chain, const char *ref)
{
    append(bench, chain, ref);
    sqlite_bench_commit(bench);
}

/* References that were free among those of the index are taken, wherever this ledger or
 * another one on the file has put them meanwhile. */
static void test_gaps_close(void **state)
{
    static const char *const between[] = {"b/1", "b/2", "b/3", "b/4", "b/5", "b/6", "b/7"};
    struct sqlite_bench *bench = *state, other = *bench;
    struct chain ours = chain_of("lift-01"), theirs = chain_of("lift-02");

    sqlite_bench_open(bench);
    assert_int_equal(sqlite_bench_try_open(&other, ""), EDS_OK);
    other.batch = batch_new(1795305600123u);
    ((struct sqlite_ledger *)bench->ledger)->tail_max = 3;
    ((struct sqlite_ledger *)other.ledger)->tail_max = 1;
    commit_ref(bench, &ours, "a");
    commit_ref(bench, &ours, "c");
    for (size_t i = 0; i < sizeof between / sizeof between[0]; i++) {
        commit_ref(bench, &ours, between[i]); /* notes a gap, and each third time closes it */
        for (size_t n = 0; n <= i; n++)
            assert_int_equal(take(bench, &ours, between[n]), EDS_ERR_HEAD_MOVED);
    }
    for (unsigned i = 0; i < 5; i++) {
        char ref[EDS_OBJECT_REF_SIZE];

        snprintf(ref, sizeof ref, "b/8-%u", i);
        commit_ref(bench, &ours, ref);
        strcat(ref, "-theirs");
        commit_ref(&other, &theirs, ref);
        assert_int_equal(take(bench, &ours, ref), EDS_ERR_HEAD_MOVED);
    }
    batch_free(other.batch);
    sqlite_bench_close(&other);
}

/* References drawn from few, so that many are in use: each is refused for another payload
 * once it is, and taken if not, with gaps that merges narrow all the time. */
static void test_few_refs(void **state)
{
    enum { FEW = 400, DRAWS = 1200 };
    static bool is_taken[FEW];
    struct sqlite_bench *bench = *state;
    struct chain chains[] = {chain_of("lift-01"), chain_of("lift-02"), chain_of("lift-03")};
    struct dice dice;

    memset(is_taken, 0, sizeof is_taken);
    dice_seed(&dice);
    sqlite_bench_open(bench);
    ((struct sqlite_ledger *)bench->ledger)->tail_max = 7;
    for (unsigned i = 0; i < DRAWS; i++) {
        struct chain *chain = &chains[dice_below(&dice, 3)];
        /* Counted up, with some that lie among others. */
        unsigned number = i % 3 == 0 ? (unsigned)dice_below(&dice, FEW) : i * FEW / DRAWS;
        char ref[EDS_OBJECT_REF_SIZE];

        snprintf(ref, sizeof ref, "s3://bucket/%03u", number);
        if (is_taken[number]) {
            assert_int_equal(take(bench, chain, ref), EDS_ERR_HEAD_MOVED);
        } else {
            commit_ref(bench, chain, ref);
            is_taken[number] = true;
        }
    }
}

/* A block that somebody has been at: said when it is looked into. */
static void test_damaged_block(void **state)
{
    static const char *const edits[] = {
        "UPDATE object_refs SET refs = x''",
        "UPDATE object_refs SET refs = x'0aff'",
        "UPDATE object_refs SET refs = substr(refs, 1, length(refs) - 1)",
    };
    struct sqlite_bench *bench = *state;
    struct chain chain = chain_of("lift-01");
    size_t size;
    char *good;

    fill(bench, &chain);
    sqlite_bench_close(bench);
    good = file_read(bench->path, &size);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        size_t damaged_count = 0;

        file_write(bench->path, good, size);
        sqlite_bench_sql(bench, edits[i]);
        sqlite_bench_open(bench);
        for (size_t n = 0; n < 1000; n++) {
            uint8_t hash[EDS_HASH_SIZE];
            int32_t rc = bench->ledger->ops->object(bench->ledger, refs[n], hash, &bench->err);

            if (rc != EDS_ERR_MALFORMED)
                continue;
            assert_non_null(strstr(bench->err.text, "of object_refs has no valid refs"));
            damaged_count++;
        }
        assert_true(damaged_count > 10);
        sqlite_bench_close(bench);
    }
    free(good);
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_all_are_found), BENCH_TEST(test_blocks_left_alone),
        BENCH_TEST(test_gaps_close),    BENCH_TEST(test_few_refs),
        BENCH_TEST(test_damaged_block),
    };

    faulty_vfs_install(); /* it does not sync, which makes this fast */
    return cmocka_run_group_tests_name("sqlite references", tests, NULL, NULL);
}
