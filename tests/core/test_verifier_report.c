/* test_verifier_report.c - a level that fails its self-test is off, and is told of.
 *
 * The self-test is replaced here: this program's own is linked instead of core's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "core/verifier_selftest.h"
#include "edgesentry/error.h"
#include "verifier_levels.h"

#if EDS_VERIFIER_TABLES

static const struct eds_verifier_arithmetic *faulty;

bool eds_verifier_selftest(const struct eds_verifier_arithmetic *arithmetic)
{
    return arithmetic != faulty;
}

#endif

static enum eds_verifier_health told[EDS_VERIFIER_LEVEL_COUNT];
static unsigned told_count;

static void tell(enum eds_verifier_level level, enum eds_verifier_health health)
{
    told[level] = health;
    told_count++;
}

/* The fastest level that is neither absent nor faulty. */
static enum eds_verifier_level fastest_told(void)
{
    unsigned level = EDS_VERIFIER_LEVEL_COUNT - 1;

    while (level > EDS_VERIFIER_LIBSODIUM && told[level] != EDS_VERIFIER_READY)
        level--;
    return (enum eds_verifier_level)level;
}

static void a_faulty_level_is_off(void **state)
{
    enum eds_verifier_level best = EDS_VERIFIER_LEVEL_COUNT - 1, chosen;

    (void)state;
    assert_int_equal(
        eds_verifier_configure((enum eds_verifier_level)EDS_VERIFIER_LEVEL_COUNT, tell),
        EDS_ERR_USAGE);
    assert_int_equal(eds_verifier_configure(best, tell), EDS_OK);
#if EDS_VERIFIER_TABLES
    while (eds_verifier_arithmetic(best) == NULL)
        best--;
    faulty = eds_verifier_arithmetic(best);
#endif
    chosen = eds_verifier_init();
    assert_int_equal(told_count, EDS_VERIFIER_LEVEL_COUNT - 1); /* each level but libsodium */
    assert_int_equal(chosen, fastest_told());
    assert_int_equal(chosen, eds_verifier_get_level());
    for (unsigned level = 1; level < EDS_VERIFIER_LEVEL_COUNT; level++) {
        assert_int_equal(eds_verifier_level_health((enum eds_verifier_level)level), told[level]);
#if EDS_VERIFIER_TABLES
        /* Without portable tables there is none at all. */
        assert_int_equal(told[level] == EDS_VERIFIER_FAILED,
                         level == (unsigned)best || best == EDS_VERIFIER_PORTABLE);
#else
        assert_int_equal(told[level], EDS_VERIFIER_ABSENT);
#endif
    }
#if EDS_VERIFIER_TABLES
    assert_true(chosen < best);
    assert_int_equal(eds_verifier_set_level(best), EDS_ERR_UNSUPPORTED);
#endif
    /* Once is enough, and afterwards nothing can be configured. */
    assert_int_equal(eds_verifier_init(), chosen);
    assert_int_equal(told_count, EDS_VERIFIER_LEVEL_COUNT - 1);
    assert_int_equal(eds_verifier_configure(EDS_VERIFIER_LIBSODIUM, NULL), EDS_ERR_BUSY);
    assert_int_equal(eds_verifier_get_level(), chosen);
}

static void levels_by_name(void **state)
{
    enum eds_verifier_level level;

    (void)state;
    for (unsigned i = 0; i < EDS_VERIFIER_LEVEL_COUNT; i++) {
        assert_int_equal(eds_verifier_level_from_name(
                             &level, eds_verifier_level_name((enum eds_verifier_level)i)),
                         EDS_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(eds_verifier_level_from_name(&level, "unknown"), EDS_ERR_UNSUPPORTED);
    assert_int_equal(eds_verifier_level_from_name(&level, "AVX2"), EDS_ERR_UNSUPPORTED);
    assert_int_equal(eds_verifier_level_from_name(&level, ""), EDS_ERR_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_faulty_level_is_off),
        cmocka_unit_test(levels_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
