/* test_books.c - counting, and which rejections get a line: the books alone,
 * with their second moved by hand, and through the whole way in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "ingest/books.h"
#include "ingest/faulty_ledger.h"
#include "ingest/queue.h"
#include "ingest/world.h"

#define SECOND_NS 1000000000u

static void pass_a_second(struct eds_books *books)
{
    books->window_start -= SECOND_NS;
}

/* All sums together. */
static uint64_t sum_of(struct eds_books *books, bool at_once)
{
    struct eds_flood floods[EDS_FLOODS_MAX];
    size_t count = eds_books_sums(books, floods, at_once);
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        sum += floods[i].unlisted + floods[i].limited;
    return sum;
}

/* Who floods has his own sum and takes no line from others; who comes when the
 * table is full shares one. */
static void test_each_source(void **state)
{
    struct eds_flood floods[EDS_FLOODS_MAX];
    struct eds_books books;
    char source[64];
    size_t count;

    (void)state;
    assert_true(eds_books_init(&books, 1000, 2, false));
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(eds_books_list(&books, "10.0.0.7"), i < 2);
    assert_true(eds_books_list(&books, "10.0.0.8"));
    eds_books_limited(&books, "10.0.0.7");
    assert_int_equal(eds_books_sums(&books, floods, true), 1);
    assert_string_equal(floods[0].source, "10.0.0.7");
    assert_int_equal(floods[0].unlisted, 5);
    assert_int_equal(floods[0].limited, 1);
    for (unsigned i = 0; i < 100; i++) {
        snprintf(source, sizeof source, "source %u", i);
        eds_books_limited(&books, source);
    }
    count = eds_books_sums(&books, floods, true);
    assert_int_equal(count, EDS_FLOODS_MAX);
    assert_string_equal(floods[0].source, "");
    assert_int_equal(floods[0].limited, 100 - (EDS_FLOODS_MAX - 1));
    assert_string_equal(floods[1].source, "source 0");
    /* A name that is too long is cut, and its source known again. */
    memset(source, 'x', sizeof source - 1);
    eds_books_limited(&books, source);
    eds_books_limited(&books, source);
    assert_int_equal(eds_books_sums(&books, floods, true), 1);
    assert_int_equal(strlen(floods[0].source), EDS_FLOOD_SOURCE_SIZE - 1);
    assert_int_equal(floods[0].limited, 2);
    eds_books_free(&books);
}

/* Requests over a rate wake no committer: it must look by itself. */
static void test_deadline_with_rates(void **state)
{
    struct eds_books books;
    uint64_t before = eds_queue_now_ns(), deadline;

    (void)state;
    assert_true(eds_books_init(&books, 1, 1, true));
    deadline = eds_books_deadline(&books);
    assert_in_range(deadline, before + SECOND_NS, eds_queue_now_ns() + SECOND_NS);
    eds_books_free(&books);
}

static void test_so_many_a_second(void **state)
{
    struct eds_books books;
    struct eds_ingest_counts counts;

    (void)state;
    assert_true(eds_books_init(&books, 3, 3, false));
    for (unsigned second = 0; second < 3; second++) {
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(eds_books_list(&books, NULL), i < 3);
        assert_int_equal(sum_of(&books, false), 0); /* not yet */
        pass_a_second(&books);
        assert_int_equal(sum_of(&books, false), 7);
        assert_int_equal(sum_of(&books, false), 0); /* told once */
    }
    eds_books_counts(&books, &counts);
    assert_int_equal(counts.unlisted, 21);
    eds_books_free(&books);
}

static void test_a_new_second_keeps_the_sum(void **state)
{
    struct eds_books books;

    (void)state;
    assert_true(eds_books_init(&books, 1, 1, false));
    assert_true(eds_books_list(&books, NULL));
    assert_false(eds_books_list(&books, NULL));
    pass_a_second(&books);
    assert_true(eds_books_list(&books, NULL)); /* a line again, the sum still waits */
    assert_int_equal(sum_of(&books, false), 0);
    assert_false(eds_books_list(&books, NULL));
    assert_int_equal(sum_of(&books, true), 2);
    eds_books_free(&books);
}

static void test_deadline(void **state)
{
    struct eds_books books;
    uint64_t before = eds_queue_now_ns();

    (void)state;
    assert_true(eds_books_init(&books, 1, 1, false));
    assert_int_equal(eds_books_deadline(&books), 0);
    assert_true(eds_books_list(&books, NULL));
    assert_in_range(eds_books_deadline(&books), before + SECOND_NS, eds_queue_now_ns() + SECOND_NS);
    pass_a_second(&books);
    assert_int_equal(sum_of(&books, false), 0);
    assert_int_equal(eds_books_deadline(&books), 0); /* the second is over and done with */
    eds_books_unlisted(&books, &(struct eds_flood){.unlisted = 5});
    assert_in_range(eds_books_deadline(&books), before + SECOND_NS, eds_queue_now_ns() + SECOND_NS);
    assert_int_equal(sum_of(&books, false), 0); /* no hurry: the store has failed */
    assert_int_equal(sum_of(&books, true), 5);
    eds_books_free(&books);
}

static void test_counts(void **state)
{
    struct eds_books books;
    struct eds_ingest_counts counts;

    (void)state;
    assert_true(eds_books_init(&books, 1, 1, false));
    for (unsigned verdict = 0; verdict <= EDS_VERDICT_OVERLOADED; verdict++)
        for (unsigned i = 0; i <= verdict; i++)
            eds_books_count(&books, (enum eds_verdict)verdict);
    eds_books_committed(&books);
    eds_books_counts(&books, &counts);
    assert_int_equal(counts.accepted, EDS_VERDICT_ACCEPTED + 1);
    assert_int_equal(counts.duplicate, EDS_VERDICT_DUPLICATE + 1);
    assert_int_equal(counts.conflict, EDS_VERDICT_CONFLICT + 1);
    assert_int_equal(counts.store_failed, EDS_VERDICT_STORE + 1);
    assert_int_equal(counts.overloaded, EDS_VERDICT_OVERLOADED + 1);
    assert_int_equal(counts.rejected, 2 + 3 + 4 + 5 + 6 + 7 + 8 + 9 + 12 + 13 + 15 + 16 + 17);
    assert_int_equal(counts.commits, 1);
    eds_books_free(&books);
}

/* The operation log of a ledger, as far as rejections go. */
struct lines {
    unsigned count;           /* lines of single rejections */
    unsigned sums;            /* lines that sum up */
    unsigned long long total; /* of the sums */
    char last_sum[64];
};

static int32_t read_line(void *context, const struct eds_operation *operation, uint64_t created_ms)
{
    struct lines *lines = context;
    unsigned long long sum;

    (void)created_ms;
    if (operation->decision == EDS_DECISION_ACCEPTED)
        return EDS_OK;
    if (operation->device_id[0] != '\0') {
        lines->count++;
        return EDS_OK;
    }
    lines->sums++;
    assert_int_equal(operation->sequence, 0);
    assert_int_equal(sscanf(operation->message, "%llu more", &sum), 1);
    snprintf(lines->last_sum, sizeof lines->last_sum, "%s", operation->message);
    lines->total += sum;
    return EDS_OK;
}

static struct lines read_lines(struct eds_ledger *ledger)
{
    struct lines lines = {0};

    assert_int_equal(ledger->ops->operations(ledger, read_line, &lines, NULL), EDS_OK);
    return lines;
}

struct scene {
    struct eds_registry *registry;
    struct eds_ledger *inner;
    struct faulty_ledger ledger;
    struct eds_ingest *ingest;
    struct device device;
};

static void set_scene(struct scene *s, unsigned lines_a_second)
{
    s->registry = eds_registry_create();
    s->inner = open_ledger("memory:");
    faulty_make(&s->ledger, s->inner);
    device_make(&s->device, "lift-01", 1);
    device_register(&s->device, s->registry, false);
    s->ingest = start(&(struct eds_ingest_config){.ledger = &s->ledger.base,
                                                  .registry = s->registry,
                                                  .rejections_logged_per_second = lines_a_second});
}

static void end_scene(struct scene *s)
{
    faulty_free(&s->ledger);
    s->inner->ops->close(s->inner);
    eds_registry_destroy(s->registry);
}

/* Rejections by the checks before the queue, and by the committer. */
static void test_flood(void **state)
{
    struct parcel good, bad;
    struct eds_ingest_counts counts;
    struct lines lines;
    struct scene s;

    (void)state;
    set_scene(&s, 5);
    device_next(&s.device, &good);
    expect(s.ingest, &good, EDS_VERDICT_ACCEPTED, "");
    parcel_fill(&bad, "nobody", 1, NULL, NULL, s.device.seed);
    for (unsigned i = 0; i < 12; i++) {
        expect(s.ingest, &bad, EDS_VERDICT_UNKNOWN_DEVICE, "unknown device: nobody");
        expect(s.ingest, &good, EDS_VERDICT_DUPLICATE, NULL);
    }
    eds_ingest_counts(s.ingest, &counts);
    assert_in_range(counts.unlisted, 24 - 10, 24 - 5); /* a second may end in between */
    assert_int_equal(counts.duplicate, 12);
    assert_int_equal(counts.rejected, 12);
    eds_ingest_stop(s.ingest);
    lines = read_lines(s.inner);
    assert_int_equal(lines.count + lines.total, 24);
    assert_int_equal(lines.total, counts.unlisted);
    assert_in_range(lines.sums, 1, 2);
    end_scene(&s);
}

/* Three rejections, of which one is listed, and then a store that fails once.  False if a
 * second may have ended meanwhile. */
static bool begin_flood(struct scene *s)
{
    uint64_t begun_ns = eds_queue_now_ns();
    struct parcel bad;

    set_scene(s, 1);
    parcel_fill(&bad, "nobody", 1, NULL, NULL, s->device.seed);
    for (unsigned i = 0; i < 3; i++)
        expect(s->ingest, &bad, EDS_VERDICT_UNKNOWN_DEVICE, NULL);
    faulty_fail(&s->ledger, FAULTY_COMMIT, 1, 1, EDS_ERR_IO);
    return eds_queue_now_ns() - begun_ns < SECOND_NS;
}

/* The sum comes when the second is over, though nothing else happens; and comes
 * again if the store failed. */
static void test_sum_comes_by_itself(void **state)
{
    struct lines lines;
    struct scene s;

    (void)state;
    while (!begin_flood(&s)) {
        eds_ingest_stop(s.ingest);
        end_scene(&s);
    }
    for (unsigned tenths = 0; tenths < 1200 && faulty_calls(&s.ledger, FAULTY_COMMIT) < 2; tenths++)
        usleep(100000);
    assert_true(faulty_calls(&s.ledger, FAULTY_COMMIT) >= 2);
    eds_ingest_stop(s.ingest);
    lines = read_lines(s.inner);
    assert_int_equal(lines.sums, 1); /* the one that failed is not there */
    assert_int_equal(lines.count + lines.total, 3);
    assert_string_equal(lines.last_sum, "2 more rejections were not listed");
    end_scene(&s);
}

/* Rejections whose lines were lost with a failed commit are in the next sum. */
static void test_lost_lines_are_summed_up(void **state)
{
    struct parcel bad;
    struct lines lines;
    struct scene s;

    (void)state;
    set_scene(&s, 100);
    parcel_fill(&bad, "nobody", 1, NULL, NULL, s.device.seed);
    expect(s.ingest, &bad, EDS_VERDICT_UNKNOWN_DEVICE, NULL);
    faulty_fail(&s.ledger, FAULTY_COMMIT, 1, 1, EDS_ERR_IO);
    expect(s.ingest, &bad, EDS_VERDICT_UNKNOWN_DEVICE, NULL); /* decided all the same */
    expect(s.ingest, &bad, EDS_VERDICT_UNKNOWN_DEVICE, NULL);
    eds_ingest_stop(s.ingest);
    lines = read_lines(s.inner);
    assert_int_equal(lines.count, 2);
    assert_int_equal(lines.total, 1);
    assert_string_equal(lines.last_sum, "1 more rejection was not listed");
    end_scene(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_source),
        cmocka_unit_test(test_deadline_with_rates),
        cmocka_unit_test(test_so_many_a_second),
        cmocka_unit_test(test_a_new_second_keeps_the_sum),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_flood),
        cmocka_unit_test(test_sum_comes_by_itself),
        cmocka_unit_test(test_lost_lines_are_summed_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
