/* ledger_exhaust.c - see ledger_exhaust.h. */
#include "store/ledger_exhaust.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "store/ledger_dump.h"
#include "store/ledger_workload.h"

/* Opens the ledger, at the second try at the latest. */
static struct eds_ledger *open_at_last(const struct exhaust *exhaust)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err = {.text = ""};
    int32_t rc = exhaust->open(&ledger, exhaust->context, &err);

    if (rc != EDS_OK) {
        if (rc != EDS_ERR_NO_MEMORY)
            fail_msg("%s %s", eds_error_name(rc), err.text);
        assert_int_equal(err.code, rc);
        assert_null(ledger);
        rc = exhaust->open(&ledger, exhaust->context, &err);
    }
    if (rc != EDS_OK)
        fail_msg("second try: %s", err.text);
    return ledger;
}

static bool commit_once(const struct exhaust *exhaust, uint64_t n)
{
    struct workload workload;
    struct eds_ledger *ledger;
    bool did_fail;

    workload_begin(&workload);
    exhaust->fail_at(n);
    ledger = open_at_last(exhaust);
    workload_run(&workload, ledger);
    did_fail = exhaust->count() >= n;
    exhaust->fail_at(0);
    assert_int_equal(workload.done_count, WORKLOAD_STEPS);
    assert_in_range(workload.failed_count, 0, 1);
    workload_check(&workload, ledger);
    ledger->ops->close(ledger);
    exhaust->clean(exhaust->context);
    workload_end(&workload);
    return did_fail;
}

uint64_t exhaust_commits(const struct exhaust *exhaust)
{
    uint64_t n = 1;

    while (commit_once(exhaust, n))
        n = workload_next(n);
    return n;
}

static bool read_once(const struct exhaust *exhaust, const char *expected, uint64_t n)
{
    struct eds_error err = {.code = EDS_OK};
    struct eds_ledger *ledger;
    char *text;
    bool did_fail;

    exhaust->fail_at(n);
    ledger = open_at_last(exhaust);
    text = ledger_dump(ledger, &err);
    did_fail = exhaust->count() >= n;
    exhaust->fail_at(0);
    if (text == NULL) {
        assert_int_equal(err.code, EDS_ERR_NO_MEMORY);
        text = ledger_dump(ledger, &err);
    }
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
    ledger->ops->close(ledger);
    return did_fail;
}

uint64_t exhaust_reads(const struct exhaust *exhaust)
{
    struct eds_ledger *ledger;
    struct eds_error err;
    uint64_t n = 1;
    char *expected;

    assert_int_equal(exhaust->open(&ledger, exhaust->context, &err), EDS_OK);
    expected = ledger_dump(ledger, &err);
    assert_non_null(expected);
    ledger->ops->close(ledger);
    while (read_once(exhaust, expected, n))
        n = workload_next(n);
    free(expected);
    return n;
}
