/* ledger_conformance_whole.c - the conformance suite: a scan with what references
 * stand for says just what is said when it is asked one by one. */
#include "store/ledger_bench.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE_SIZE 1300000u /* bytes */

struct whole {
    struct bench *bench;
    uint64_t record_count, kept_count, elsewhere_count, large_count;
};

static int32_t compare_one(void *context, const struct eds_stored *stored)
{
    struct whole *whole = context;
    struct eds_ledger *ledger = whole->bench->ledger;
    const char *ref = (const char *)stored->entry->record.object_ref;
    uint8_t hash[EDS_HASH_SIZE];
    void *payload = NULL;
    size_t size = 0;
    int32_t rc;

    assert_non_null(stored->object);
    assert_true(stored->object->is_there);
    assert_int_equal(ledger->ops->object(ledger, ref, hash, NULL), EDS_OK);
    assert_memory_equal(stored->object->payload_hash, hash, sizeof hash);
    rc = ledger->ops->payload(ledger, ref, &payload, &size, NULL);
    if (rc == EDS_OK) {
        assert_non_null(stored->object->payload);
        assert_int_equal(stored->object->payload_size, size);
        assert_int_equal(memcmp(stored->object->payload, payload, size), 0);
        free(payload);
        whole->kept_count++;
        whole->large_count += size == LARGE_SIZE;
    } else {
        assert_int_equal(rc, EDS_ERR_NOT_FOUND);
        assert_null(stored->object->payload);
        whole->elsewhere_count++;
    }
    whole->record_count++;
    return EDS_OK;
}

/* Of 9,000 references the first are in SQLite's index, and the last are not yet. */
void test_scan_whole(void **state)
{
    struct bench *bench = *state;
    struct chain chains[] = {chain_of("a"), chain_of("b"), chain_of("c")};
    struct whole whole = {.bench = bench}, one = {.bench = bench};
    char *large = calloc(1, LARGE_SIZE);

    assert_non_null(large);
    for (unsigned i = 0; i < 9000; i++) {
        struct eds_append *append;

        batch_append(bench->batch, &chains[i / 100 % 3]);
        append = batch_last_append(bench->batch);
        if (i % 7 == 3)
            append->payload = NULL;
        if (i % 7 == 4)
            append->payload_size = 0;
        if (i % 1800 == 0) {
            append->payload = large;
            append->payload_size = LARGE_SIZE;
        }
        if (i % 1000 == 999)
            bench_commit(bench);
    }
    assert_int_equal(bench->ops->scan_whole(bench->ledger, NULL, compare_one, &whole, NULL),
                     EDS_OK);
    assert_int_equal(whole.record_count, 9000);
    assert_int_equal(whole.kept_count, 7715);
    assert_int_equal(whole.elsewhere_count, 1285);
    assert_int_equal(whole.large_count, 5);
    assert_int_equal(bench->ops->scan_whole(bench->ledger, "b", compare_one, &one, NULL), EDS_OK);
    assert_int_equal(one.record_count, chains[1].sequence);
    free(large);
}
