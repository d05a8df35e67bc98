/* test_ledger_postgres_references.c - a commit takes its references for new; where one is
 * in use it is made again, whatever happens meanwhile, and those after it look first. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/ledger_postgres_bench.h"

static struct postgres_server server;

/* Fills in a commit of records that have the same reference and payload. */
static void fill_shared(struct postgres_bench *bench, const char *ref, unsigned count)
{
    batch_clear(bench->batch);
    for (unsigned i = 0; i < count; i++) {
        struct eds_entry *entry = batch_append(bench->batch, &bench->chains[i]);

        snprintf((char *)entry->record.object_ref, sizeof entry->record.object_ref, "%s", ref);
        memset(entry->record.payload_hash, 7, EDS_HASH_SIZE);
        batch_last_append(bench->batch)->payload = (const uint8_t *)"the same";
        batch_last_append(bench->batch)->payload_size = 8;
    }
}

static void commit_shared(struct postgres_bench *bench, const char *ref, unsigned count)
{
    struct eds_error err;

    fill_shared(bench, ref, count);
    if (postgres_bench_try(bench, &err) != EDS_OK)
        fail_msg("%s: %s", ref, err.text);
    assert_int_equal(bench->memory->ops->commit(bench->memory, &bench->batch->commit, &err),
                     EDS_OK);
    postgres_bench_compare(bench);
}

/* Numbers are never given back, so they tell how many rows were tried; a wrong one
 * divides by zero. */
static void assert_last_id(unsigned expected)
{
    char sql[128];

    snprintf(sql, sizeof sql,
             "SELECT 1 / CASE WHEN max(id) = %u THEN 1 ELSE 0 END FROM place%u.audit_records",
             expected, server.schema_count);
    postgres_sql(&server, sql);
}

static void test_looks_only_after_one_in_use(void **state)
{
    struct postgres_bench *bench = *state;

    postgres_bench_commit(bench, "all new");
    assert_last_id(3); /* at once */
    commit_shared(bench, "a", 2);
    assert_last_id(3 + 2 + 2); /* and made again */
    commit_shared(bench, "a", 2);
    assert_last_id(7 + 2);
    commit_shared(bench, "b", 2);
    assert_last_id(9 + 2);
    postgres_bench_commit(bench, "all new");
    assert_last_id(11 + 3);
    postgres_bench_compare(bench);
}

/* Another payload is refused on either way, and nothing of the commit is left. */
static void test_taken(void **state)
{
    struct postgres_bench *bench = *state;
    struct chain before[POSTGRES_BENCH_DEVICES];
    struct eds_error err;

    commit_shared(bench, "a", 1); /* once is new: the next commit does not look */
    for (unsigned i = 0; i < 2; i++) {
        memcpy(before, bench->chains, sizeof before);
        fill_shared(bench, "a", 2);
        bench->batch->entries[1].record.payload_hash[0] ^= 1;
        assert_int_equal(postgres_bench_try(bench, &err), EDS_ERR_HEAD_MOVED);
        assert_non_null(strstr(err.text, "object_ref a stands for another payload"));
        memcpy(bench->chains, before, sizeof before);
        postgres_bench_compare(bench);
    }
}

/* The connection breaks where a commit is undone, and where it is made again. */
static void test_cut_while_made_again(void **state)
{
    static const struct {
        const char *words;
        size_t size;
    } places[] = {{"ROLLBACK", 8}, {"\0add_objects\0", 13}, {"\0fill_objects\0", 14}};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        for (enum proxy_fault fault = PROXY_BEFORE; fault <= PROXY_ANSWER; fault++) {
            struct postgres_bench *bench = postgres_bench_new(&server, "");

            postgres_bench_commit(bench, "all new");
            tcp_proxy_arm(bench->proxy, fault, places[i].words, places[i].size, 0);
            commit_shared(bench, "a", 2);
            assert_int_equal(tcp_proxy_broken(bench->proxy), 1);
            postgres_bench_free(bench);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        POSTGRES_BENCH_TEST(test_looks_only_after_one_in_use, &server),
        POSTGRES_BENCH_TEST(test_taken, &server),
        cmocka_unit_test(test_cut_while_made_again),
    };
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_remove(&server);
    return failed;
}
