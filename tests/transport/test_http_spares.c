/* test_http_spares.c - memory that is kept is used again, and not kept for ever. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "transport/http_spares.h"

#define PIECE_SIZE 4096u

static void fill(struct http_spares *spares, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        void *piece = malloc(PIECE_SIZE);

        assert_non_null(piece);
        http_spares_give_back(spares, piece, PIECE_SIZE);
    }
}

static void used_again(void **state)
{
    struct http_spares spares;
    void *piece, *other;

    (void)state;
    http_spares_init(&spares, PIECE_SIZE);
    piece = http_spares_take(&spares, PIECE_SIZE);
    http_spares_give_back(&spares, piece, PIECE_SIZE);
    assert_int_equal(spares.count, 1);
    other = http_spares_take(&spares, PIECE_SIZE - 1); /* of another size */
    assert_ptr_not_equal(other, piece);
    http_spares_give_back(&spares, other, PIECE_SIZE - 1);
    assert_int_equal(spares.count, 1);
    http_spares_give_back(&spares, NULL, PIECE_SIZE); /* as free does */
    assert_int_equal(spares.count, 1);
    assert_ptr_equal(http_spares_take(&spares, PIECE_SIZE), piece);
    http_spares_give_back(&spares, piece, PIECE_SIZE);
    http_spares_destroy(&spares);
}

static void bounded(void **state)
{
    struct http_spares spares;

    (void)state;
    http_spares_init(&spares, PIECE_SIZE);
    fill(&spares, HTTP_SPARES_MAX + 2);
    assert_int_equal(spares.count, HTTP_SPARES_MAX);
    http_spares_destroy(&spares);
}

/* As many go as nobody has needed since the sweep before. */
static void swept(void **state)
{
    struct http_spares spares;
    void *taken[3];

    (void)state;
    http_spares_init(&spares, PIECE_SIZE);
    fill(&spares, 8);
    http_spares_sweep(&spares); /* they have come since */
    assert_int_equal(spares.count, 8);
    for (unsigned i = 0; i < 3; i++)
        taken[i] = http_spares_take(&spares, PIECE_SIZE);
    for (unsigned i = 0; i < 3; i++)
        http_spares_give_back(&spares, taken[i], PIECE_SIZE);
    http_spares_sweep(&spares);
    assert_int_equal(spares.count, 3);
    http_spares_sweep(&spares);
    assert_int_equal(spares.count, 0);
    http_spares_destroy(&spares);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(used_again),
        cmocka_unit_test(bounded),
        cmocka_unit_test(swept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
