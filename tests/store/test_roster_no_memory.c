/* test_roster_no_memory.c - memory runs out at every allocation of ours while the
 * registry is changed and read: a change is made whole or not at all, and works
 * at the second try. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/features.h"
#include "store/roster_sample.h"
#include "support/alloc.h"
#include "support/temp_dir.h"
#include "support/enrolment.h"

static char directory[EDS_TEMP_DIR_SIZE];

static int32_t count(void *context, const struct eds_enrolment *it)
{
    (void)it;
    ++*(unsigned *)context;
    return EDS_OK;
}

/* Two changes at once, of which one is new and one is not, with the n-th
 * allocation failing; false when there are fewer. */
static bool change_once(const char *url, uint64_t n)
{
    struct eds_ledger *ledger = NULL;
    struct eds_enrolment first = sample_device("lift-01", 1), second = sample_device("lift-02", 2);
    struct eds_roster_change changes[] = {{&first, "device revoked", "alice", "a test"},
                                          {&second, "device added", "alice", "a test"}};
    struct eds_enrolment found;
    struct eds_error err;
    uint64_t version = 0;
    unsigned seen = 0;
    bool did_fail;
    int32_t rc;

    assert_int_equal(eds_ledger_open(&ledger, url, &err), EDS_OK);
    sample_must_put(ledger, &first, "device added");
    first.state = EDS_DEVICE_REVOKED;
    sample_key(&first, 3);
    alloc_fail_at(n);
    rc = ledger->roster->change(ledger, changes, 2, 1, &err);
    if (rc == EDS_OK)
        rc = ledger->roster->changed(ledger, 0, count, &seen, &err);
    did_fail = alloc_count() >= n;
    alloc_fail_at(0);
    if (rc != EDS_OK)
        assert_int_equal(rc, EDS_ERR_NO_MEMORY);
    assert_int_equal(ledger->roster->version(ledger, &version, &err), EDS_OK);
    if (version == 1) { /* nothing of it is there, and it works now */
        assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, "lift-02", &found, &err),
                         EDS_ERR_NOT_FOUND);
        assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, "lift-01", &found, &err),
                         EDS_OK);
        assert_int_equal(found.state, EDS_DEVICE_ACTIVE);
        assert_int_equal(found.key_count, 1);
        assert_int_equal(ledger->roster->change(ledger, changes, 2, 1, &err), EDS_OK);
    }
    assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, "lift-01", &found, &err),
                     EDS_OK);
    enrolment_same(&found, &first);
    assert_int_equal(ledger->roster->find(ledger, EDS_ROLE_DEVICE, "lift-02", &found, &err),
                     EDS_OK);
    enrolment_same(&found, &second);
    ledger->ops->close(ledger);
    return did_fail;
}

static void test_memory(void **state)
{
    uint64_t n = 1;

    (void)state;
    while (change_once("memory:", n))
        n++;
    printf("fewer than %llu allocations\n", (unsigned long long)n);
    assert_true(n > 8);
}

static void test_sqlite(void **state)
{
    char url[EDS_TEMP_DIR_SIZE + 32];
    bool did_fail = EDS_STORE_SQLITE;
    uint64_t n;

    (void)state;
    for (n = 1; did_fail; n++) {
        temp_dir_make(directory);
        snprintf(url, sizeof url, "sqlite:%s/ledger.db", directory);
        did_fail = change_once(url, n);
        temp_dir_remove(directory);
    }
    assert_true(n > 3 || !EDS_STORE_SQLITE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory),
        cmocka_unit_test(test_sqlite),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
