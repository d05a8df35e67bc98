/* test_ledger_sqlite_threads.c - readers with ledgers of their own beside a writer.
 *
 * What a reader sees is always whole: every chain without a gap, and never
 * shorter than what was acknowledged before it began. */
#include <stdarg.h>
#include <setjmp.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_sqlite.h"
#include "store/ledger_sqlite_bench.h"

#define COMMIT_COUNT 120u
#define READER_COUNT 2u

static atomic_uint_least64_t acknowledged; /* records of each of the two devices */
static atomic_bool is_over;

struct walk {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint8_t record_hash[EDS_HASH_SIZE];
    uint64_t sequence, record_count;
};

static int32_t follow(void *context, const struct eds_stored *stored)
{
    static const uint8_t zero[EDS_HASH_SIZE];
    struct walk *walk = context;
    const EdsAuditRecord *record = &stored->entry->record;

    if (strcmp(walk->device_id, (const char *)record->device_id) != 0) {
        memcpy(walk->device_id, record->device_id, sizeof walk->device_id);
        memcpy(walk->record_hash, zero, EDS_HASH_SIZE);
        walk->sequence = 0;
    }
    if (record->sequence != walk->sequence + 1 ||
        memcmp(record->prev_record_hash, walk->record_hash, EDS_HASH_SIZE) != 0)
        return EDS_ERR_CHAIN_INVALID;
    memcpy(walk->record_hash, stored->record_hash, EDS_HASH_SIZE);
    walk->sequence++;
    walk->record_count++;
    return EDS_OK;
}

/* Scans again and again; the result is the first thing that went wrong. */
static void *read_on(void *context)
{
    struct sqlite_bench *bench = context, own = *bench;
    int32_t rc = sqlite_bench_try_open(&own, "?mode=ro");

    while (rc == EDS_OK && !atomic_load(&is_over)) {
        struct walk walk = {.sequence = 0};
        struct eds_head head;
        uint64_t least = atomic_load(&acknowledged);

        rc = own.ledger->ops->scan(own.ledger, NULL, follow, &walk, &own.err);
        if (rc == EDS_OK && walk.record_count < 2 * least)
            rc = EDS_ERR_TRUNCATED;
        if (rc == EDS_OK)
            rc = own.ledger->ops->head(own.ledger, "lift-01", &head, &own.err);
        if (rc == EDS_OK && head.sequence < least)
            rc = EDS_ERR_HEAD_MOVED;
    }
    sqlite_bench_close(&own);
    return (void *)(intptr_t)rc;
}

static void test_readers_beside_writer(void **state)
{
    struct sqlite_bench *bench = *state;
    struct chain lift = chain_of("lift-01"), crane = chain_of("crane-7");
    pthread_t readers[READER_COUNT];
    void *result;

    sqlite_bench_open(bench);
    ((struct sqlite_ledger *)bench->ledger)->wal_pages_soft = 40;
    ((struct sqlite_ledger *)bench->ledger)->wal_pages_hard = 160;
    ((struct sqlite_ledger *)bench->ledger)->wal_pages_wait = 160;
    for (unsigned i = 0; i < READER_COUNT; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_on, bench), 0);
    for (unsigned i = 0; i < COMMIT_COUNT; i++) {
        for (unsigned k = 0; k < 10; k++) {
            batch_append(bench->batch, &lift);
            batch_append(bench->batch, &crane);
        }
        sqlite_bench_commit(bench);
        atomic_store(&acknowledged, lift.sequence);
    }
    atomic_store(&is_over, true);
    for (unsigned i = 0; i < READER_COUNT; i++) {
        assert_int_equal(pthread_join(readers[i], &result), 0);
        assert_int_equal((int32_t)(intptr_t)result, EDS_OK);
    }
}

/* Several writers with ledgers of their own: every record gets in, once. */
static void *append_some(void *context)
{
    struct sqlite_bench *bench = context, own = *bench;
    struct chain chain = chain_of("shared");
    int32_t rc = sqlite_bench_try_open(&own, "");
    unsigned done = 0;

    own.batch = batch_new(1);
    while (rc == EDS_OK && done < 25) {
        struct eds_head head;

        rc = own.ledger->ops->head(own.ledger, chain.device_id, &head, &own.err);
        if (rc != EDS_OK)
            break;
        chain.sequence = head.sequence;
        memcpy(chain.record_hash, head.record_hash, EDS_HASH_SIZE);
        batch_clear(own.batch);
        batch_append(own.batch, &chain);
        rc = own.ledger->ops->commit(own.ledger, &own.batch->commit, &own.err);
        if (rc == EDS_OK)
            done++;
        else if (rc == EDS_ERR_HEAD_MOVED)
            rc = EDS_OK; /* decide again */
    }
    batch_free(own.batch);
    sqlite_bench_close(&own);
    return (void *)(intptr_t)rc;
}

static void test_writers_race(void **state)
{
    struct sqlite_bench *bench = *state;
    struct walk walk = {.sequence = 0};
    pthread_t writers[3];
    void *result;

    /* Opening races, too: there is no file yet. */
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, append_some, bench), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(writers[i], &result), 0);
        assert_int_equal((int32_t)(intptr_t)result, EDS_OK);
    }
    sqlite_bench_open(bench);
    assert_int_equal(bench->ledger->ops->scan(bench->ledger, NULL, follow, &walk, NULL), EDS_OK);
    assert_int_equal(walk.record_count, 75);
}

#define BENCH_TEST(test)                                                                           \
    cmocka_unit_test_setup_teardown(test, sqlite_bench_set_up, sqlite_bench_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_readers_beside_writer),
        BENCH_TEST(test_writers_race),
    };

    return cmocka_run_group_tests_name("ledger threads", tests, NULL, NULL);
}
