/* test_ledger_memory.c - the in-memory ledger keeps every promise of a ledger,
 * and stays as it was when memory runs out. */
#include "store/gap_conformance.h"
#include "store/order_conformance.h"
#include "store/ledger_conformance.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>

#include "store/ledger_exhaust.h"
#include "store/ledger_workload.h"
#include "store/quarantine_conformance.h"
#include "store/roster_conformance.h"
#include "support/alloc.h"

static struct eds_ledger *open_memory(void)
{
    struct eds_ledger *ledger = NULL;

    (void)eds_ledger_open(&ledger, "memory:", NULL);
    return ledger;
}

static void clean(void)
{
}

static int32_t open_empty(struct eds_ledger **out, void *context, struct eds_error *err)
{
    (void)context;
    return eds_ledger_open(out, "memory:", err);
}

/* One with something in it; only what is read of it is to fail. */
static int32_t open_filled(struct eds_ledger **out, void *context, struct eds_error *err)
{
    const uint64_t *n = context;
    struct workload workload;

    alloc_fail_at(0);
    assert_int_equal(eds_ledger_open(out, "memory:", err), EDS_OK);
    workload_begin(&workload);
    workload_run(&workload, *out);
    workload_end(&workload);
    alloc_fail_at(*n);
    return EDS_OK;
}

static uint64_t failing_at;

static void fail_at(uint64_t n)
{
    failing_at = n;
    alloc_fail_at(n);
}

static void clean_nothing(void *context)
{
    (void)context;
}

static void test_no_memory(void **state)
{
    struct exhaust exhaust = {fail_at, alloc_count, open_empty, clean_nothing, &failing_at};
    uint64_t n = exhaust_commits(&exhaust);

    (void)state;
    printf("fewer than %llu allocations in committing\n", (unsigned long long)n);
    assert_true(n > 100);
    exhaust.open = open_filled;
    n = exhaust_reads(&exhaust);
    printf("fewer than %llu allocations in reading\n", (unsigned long long)n);
    assert_true(n > 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory)};
    int failures = ledger_conformance_run("memory", open_memory, clean) +
                   roster_conformance_run("memory's registry", open_memory, clean) +
                   quarantine_conformance_run("kept apart", open_memory, clean) +
                   gap_conformance_run("gaps", open_memory, clean) +
                   order_conformance_run("commands", open_memory, clean);

    return failures + cmocka_run_group_tests_name("memory runs out", tests, NULL, NULL);
}
