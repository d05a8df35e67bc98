/* test_ledger_memory_changes.c - memory runs out at every allocation while operators
 * change things: each change is made whole or not at all, and works at the second
 * try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "store/change_script.h"
#include "support/alloc.h"

static void test_no_memory(void **state)
{
    bool did_fail = true;
    unsigned failed = 0;
    uint64_t n;

    (void)state;
    for (n = 1; did_fail; n++) {
        struct eds_ledger *ledger = NULL;

        assert_int_equal(eds_ledger_open(&ledger, "memory:", NULL), EDS_OK);
        did_fail = change_script_fail(ledger, alloc_fail_at, alloc_count, n, &failed);
        ledger->ops->close(ledger);
    }
    print_message("fewer than %llu allocations\n", (unsigned long long)n);
    assert_true(n > 30);
    assert_int_equal(failed, n - 2); /* each one */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_no_memory)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
