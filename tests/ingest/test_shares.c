/* test_shares.c - what a source may hold: a part, never less than two bodies, and given
 * back it is there again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "ingest/shares.h"

static struct eds_shares shares;

static void make(size_t memory_max, size_t body_size_max)
{
    struct eds_error err;

    shares = (struct eds_shares){.share_max = 0};
    assert_int_equal(eds_shares_init(&shares, memory_max, body_size_max, &err), EDS_OK);
}

static void test_part(void **state)
{
    atomic_size_t *share;

    (void)state;
    make(1000, 100);
    share = eds_shares_of(&shares, "10.0.0.7");
    assert_true(eds_shares_reserve(&shares, share, 200));
    assert_false(eds_shares_reserve(&shares, share, 51)); /* what is refused costs nothing */
    assert_true(eds_shares_reserve(&shares, share, 50));
    assert_false(eds_shares_reserve(&shares, share, 1));
    eds_shares_give_back(share, 250);
    assert_true(eds_shares_reserve(&shares, share, 250));
    eds_shares_give_back(NULL, 0);
    make(1000, 300); /* two bodies are more than a quarter */
    assert_true(eds_shares_reserve(&shares, share, 600));
    assert_false(eds_shares_reserve(&shares, share, 1));
}

/* A source has one place; an IPv6 address has that of its /64. */
static void test_places(void **state)
{
    unsigned others = 0;

    (void)state;
    make(1000, 100);
    assert_ptr_equal(eds_shares_of(&shares, "10.0.0.7"), eds_shares_of(&shares, "10.0.0.7"));
    assert_ptr_equal(eds_shares_of(&shares, "fd00:0:0:1::1"),
                     eds_shares_of(&shares, "fd00:0:0:1:ffff::2"));
    for (char last = '0'; last <= '9'; last++) {
        char source[] = {'1', '0', '.', '0', '.', '1', '.', last, '\0'};

        others += eds_shares_of(&shares, source) != eds_shares_of(&shares, "10.0.0.7");
    }
    assert_in_range(others, 1, 10); /* by chance one may share it, but not all of them */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_part),
        cmocka_unit_test(test_places),
    };

    return cmocka_run_group_tests_name("shares", tests, NULL, NULL);
}
