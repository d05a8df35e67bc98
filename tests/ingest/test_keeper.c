/* test_keeper.c - ingest with a keeper of the caller's: what it is handed, and what
 * is checked before. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ingest/books.h"
#include "ingest/keeper.h"
#include "ingest/world.h"

#define KEPT_MAX 64u

/* Keeps everything that the checks let through, and remembers in which order. */
struct notebook {
    struct eds_keeper keeper; /* first */
    uint64_t sequences[KEPT_MAX];
    size_t kept_count, refused_count, last_count;
    uint64_t told;           /* rejections, in sums */
    enum eds_verdict answer; /* to what could be kept */
};

static void keep(struct eds_keeper *keeper, struct eds_submission **submissions, size_t count,
                 bool at_once)
{
    struct notebook *notebook = (struct notebook *)keeper;
    struct eds_flood floods[EDS_FLOODS_MAX];
    size_t flood_count = eds_books_sums(keeper->books, floods, at_once);

    for (size_t i = 0; i < flood_count; i++)
        notebook->told += floods[i].unlisted;
    for (size_t i = 0; i < count; i++) {
        struct eds_submission *submission = submissions[i];

        if (submission->verdict != EDS_VERDICT_ACCEPTED) {
            notebook->refused_count++;
            continue;
        }
        submission->verdict = notebook->answer;
        snprintf(submission->message, sizeof submission->message, "the keeper's word");
        assert_true(notebook->kept_count < KEPT_MAX);
        notebook->sequences[notebook->kept_count++] = submission->request.entry->record.sequence;
    }
    notebook->last_count = keeper->count = count;
}

static const struct notebook empty = {.keeper = {.keep = keep}};

/* A device that nobody has registered, with nothing right but its form. */
static void make_odd(struct parcel *parcel, uint64_t sequence)
{
    struct device device;

    device_make(&device, "nobody-knows", 9);
    parcel_fill(parcel, device.id, sequence, NULL, NULL, device.seed);
    parcel->entry.record.signature[0] ^= 1;
    parcel->entry.record.payload_hash[0] ^= 1;
}

static void without_a_registry_anything_is_kept(void **state)
{
    struct notebook notebook = empty;
    struct eds_ingest *ingest = start(&(struct eds_ingest_config){.keeper = &notebook.keeper});
    struct parcel parcels[3];

    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        make_odd(&parcels[i], 9 - i);
        expect(ingest, &parcels[i], EDS_VERDICT_ACCEPTED, NULL);
    }
    eds_ingest_stop(ingest);
    assert_int_equal(notebook.kept_count, 3);
    for (uint64_t i = 0; i < 3; i++)
        assert_int_equal(notebook.sequences[i], 9 - i);
}

static void many_are_handed_over_in_order(void **state)
{
    struct notebook notebook = empty;
    struct eds_ingest *ingest = start(&(struct eds_ingest_config){.keeper = &notebook.keeper});
    static struct parcel parcels[KEPT_MAX];
    struct tally tally;

    (void)state;
    tally_make(&tally);
    for (size_t i = 0; i < KEPT_MAX; i++) {
        make_odd(&parcels[i], i + 1);
        tally_submit(&tally, ingest, &parcels[i]);
    }
    tally_wait(&tally);
    tally_free(&tally);
    eds_ingest_stop(ingest);
    assert_int_equal(notebook.kept_count, KEPT_MAX);
    for (size_t i = 0; i < KEPT_MAX; i++)
        assert_int_equal(notebook.sequences[i], i + 1);
}

/* Who may bring a record is asked in any case, and a payload must come with it. */
static void some_are_refused_before(void **state)
{
    struct notebook notebook = empty;
    struct eds_ingest *ingest = start(&(struct eds_ingest_config){.keeper = &notebook.keeper});
    struct parcel parcel;

    (void)state;
    make_odd(&parcel, 1);
    parcel.submission.request.route_identity = "another";
    expect(ingest, &parcel, EDS_VERDICT_ROUTE_IDENTITY,
           "auth/device mismatch: cert_identity=another device_id=nobody-knows");
    make_odd(&parcel, 1);
    parcel.submission.request.payload_absent = true;
    expect(ingest, &parcel, EDS_VERDICT_PAYLOAD_ABSENT, "payload not found");
    eds_ingest_stop(ingest);
    assert_int_equal(notebook.kept_count, 0);
    assert_int_equal(notebook.refused_count, 2);
}

static void with_a_registry_the_checks_are_made(void **state)
{
    struct notebook notebook = empty;
    struct eds_registry *registry = eds_registry_create();
    struct eds_ingest_config config = {.keeper = &notebook.keeper, .registry = registry};
    struct eds_ingest *ingest;
    struct device device;
    struct parcel parcel;

    (void)state;
    device_make(&device, "lift-01", 1);
    device_register(&device, registry, false);
    ingest = start(&config);
    make_odd(&parcel, 1);
    parcel.entry.record.payload_hash[0] ^= 1; /* right again */
    expect(ingest, &parcel, EDS_VERDICT_UNKNOWN_DEVICE, "unknown device: nobody-knows");
    device_next(&device, &parcel);
    parcel.entry.record.signature[0] ^= 1;
    expect(ingest, &parcel, EDS_VERDICT_SIGNATURE, "invalid signature for device=lift-01");
    device_next(&device, &parcel); /* the second, without the first */
    expect(ingest, &parcel, EDS_VERDICT_ACCEPTED, NULL);
    eds_ingest_stop(ingest);
    eds_registry_destroy(registry);
    assert_int_equal(notebook.kept_count, 1);
    assert_int_equal(notebook.sequences[0], 2);
}

static void the_keeper_has_the_last_word(void **state)
{
    struct notebook notebook = empty;
    struct eds_ingest *ingest;
    struct eds_ingest_counts counts;
    char text[EDS_ERROR_TEXT_SIZE];
    struct parcel parcel;

    (void)state;
    notebook.answer = EDS_VERDICT_OVERLOADED;
    ingest = start(&(struct eds_ingest_config){.keeper = &notebook.keeper});
    make_odd(&parcel, 1);
    expect(ingest, &parcel, EDS_VERDICT_OVERLOADED, "the keeper's word");
    eds_ingest_answer_text(text, &parcel.submission);
    assert_string_equal(text, "the keeper's word");
    eds_ingest_counts(ingest, &counts);
    assert_int_equal(counts.overloaded, 1);
    eds_ingest_stop(ingest);
}

/* A thread of a transport's waits only for a keeper that was quick, and alone. */
static void a_slow_keeper_is_not_waited_for(void **state)
{
    struct notebook notebook = empty;
    struct eds_ingest_config config = {.keeper = &notebook.keeper, .quick_ns = 1000};
    struct eds_ingest *ingest = start(&config);
    struct parcel parcel;

    (void)state;
    make_odd(&parcel, 1);
    assert_true(eds_ingest_submit_here(ingest, &parcel.submission));
    notebook.keeper.commit_ns = 1001;
    assert_false(eds_ingest_submit_here(ingest, &parcel.submission));
    notebook.keeper.commit_ns = 1000;
    notebook.keeper.count = 2;
    assert_false(eds_ingest_submit_here(ingest, &parcel.submission));
    notebook.keeper.count = 1;
    assert_true(eds_ingest_submit_here(ingest, &parcel.submission));
    eds_ingest_stop(ingest);
    assert_int_equal(notebook.kept_count, 2);
}

static void sums_are_left_to_the_keeper(void **state)
{
    struct notebook notebook = empty;
    struct eds_ingest_config config = {.keeper = &notebook.keeper,
                                       .rejections_logged_per_second = 1};
    struct eds_ingest *ingest = start(&config);
    struct parcel parcel;

    (void)state;
    for (int i = 0; i < 50; i++) {
        make_odd(&parcel, 1);
        parcel.submission.request.route_identity = "another";
        expect(ingest, &parcel, EDS_VERDICT_ROUTE_IDENTITY, NULL);
    }
    eds_ingest_stop(ingest); /* tells what is left at once */
    assert_int_equal(notebook.refused_count + notebook.told, 50);
    assert_true(notebook.told > 0);
}

/* A device's rate is of what it has signed, and here nobody knows. */
static void claimed_names_use_up_no_rate(void **state)
{
    struct notebook notebook = empty;
    struct eds_ingest_config config = {.keeper = &notebook.keeper,
                                       .rate_per_device = {.per_second = 1, .burst = 1}};
    struct eds_ingest *ingest = start(&config);
    struct parcel parcel;

    (void)state;
    for (int i = 0; i < 20; i++) {
        make_odd(&parcel, 1);
        expect(ingest, &parcel, EDS_VERDICT_ACCEPTED, NULL);
    }
    eds_ingest_stop(ingest);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_registry_anything_is_kept),
        cmocka_unit_test(many_are_handed_over_in_order),
        cmocka_unit_test(some_are_refused_before),
        cmocka_unit_test(with_a_registry_the_checks_are_made),
        cmocka_unit_test(the_keeper_has_the_last_word),
        cmocka_unit_test(a_slow_keeper_is_not_waited_for),
        cmocka_unit_test(sums_are_left_to_the_keeper),
        cmocka_unit_test(claimed_names_use_up_no_rate),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
