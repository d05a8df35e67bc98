/* test_delivery.c - many records at once: what goes together, and what becomes of
 * each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/features.h"
#include "device/delivery.h"
#include "device/maker.h"
#include "support/alloc.h"
#include "support/temp_dir.h"

#define DEVICES   3u
#define BATCH_MAX 8u
#define NOW_MS    1000000u

static const struct delivery_pauses pauses = {
    .hold = 60000, .retry_first = 500, .retry_max = 500, .store = 1000};

/* Takes many at once: as a script says, or as a server. */
struct many_sender {
    struct eds_sender sender; /* first */
    struct fake_server fake;
    const char *script; /* a letter an item; NULL: as a server */
    size_t calls, singles;
};

struct bench {
    struct many_sender many;
    struct eds_buffer *buffer;
    struct maker makers[DEVICES];
    struct delivery delivery;
};

static struct eds_reply scripted(char letter)
{
    static const struct {
        char letter;
        enum eds_outcome outcome;
    } outcomes[] = {{'A', EDS_OUTCOME_ACCEPTED}, {'D', EDS_OUTCOME_DUPLICATE},
                    {'C', EDS_OUTCOME_CONFLICT}, {'R', EDS_OUTCOME_REJECTED},
                    {'H', EDS_OUTCOME_HELD},     {'W', EDS_OUTCOME_AWAY},
                    {'L', EDS_OUTCOME_LATER}};
    struct eds_reply reply = {.text = "as the script says"};
    size_t i = 0;

    while (outcomes[i].letter != letter)
        i++;
    reply.outcome = outcomes[i].outcome;
    return reply;
}

static size_t send_many(struct eds_sender *sender, const struct eds_buffer_item *const *items,
                        size_t count, struct eds_reply *out)
{
    struct many_sender *many = (struct many_sender *)sender;
    size_t sent = 0;

    many->calls++;
    assert_in_range(count, 2, sender->batch_max);
    for (; sent < count && (many->script == NULL || many->script[sent] != '-'); sent++)
        if (many->script != NULL)
            out[sent] = scripted(many->script[sent]);
        else
            many->fake.sender.send(&many->fake.sender, items[sent], &out[sent]);
    return sent;
}

static void send_one(struct eds_sender *sender, const struct eds_buffer_item *item,
                     struct eds_reply *out)
{
    struct many_sender *many = (struct many_sender *)sender;

    many->singles++;
    many->fake.sender.send(&many->fake.sender, item, out);
}

static int set_up(void **state)
{
    static const char *const ids[DEVICES] = {"lift-a", "lift-b", "lift-c"};
    struct bench *bench = calloc(1, sizeof *bench);

    fake_server_init(&bench->many.fake);
    bench->many.sender =
        (struct eds_sender){.send = send_one, .send_many = send_many, .batch_max = BATCH_MAX};
    for (size_t i = 0; i < DEVICES; i++)
        maker_init(&bench->makers[i], ids[i]);
    assert_int_equal(eds_buffer_open(&bench->buffer, "memory:", NULL, NULL), EDS_OK);
    assert_int_equal(eds_delivery_open(&bench->delivery, &bench->many.sender, NULL), EDS_OK);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;

    eds_delivery_close(&bench->delivery);
    eds_buffer_close(bench->buffer);
    free(bench);
    return 0;
}

/* As a forwarder's lane does it.  The number of items claimed. */
static size_t claim(struct bench *bench, uint64_t now_ms)
{
    uint64_t wake_ms;
    struct eds_error err;
    int32_t rc;

    eds_delivery_make_room(&bench->delivery);
    rc = eds_buffer_claim(bench->buffer, now_ms, &bench->delivery.claim, &wake_ms, &err);
    assert_true(rc == EDS_OK || rc == EDS_ERR_NOT_FOUND);
    assert_int_equal(rc == EDS_OK, bench->delivery.claim.count > 0);
    return bench->delivery.claim.count;
}

/* Sends what is claimed.  How many replies there were. */
static size_t deliver(struct bench *bench, uint64_t now_ms)
{
    eds_delivery_send(&bench->delivery);
    assert_int_equal(eds_delivery_settle(&bench->delivery, bench->buffer, now_ms, &pauses, NULL),
                     EDS_OK);
    eds_delivery_free_items(&bench->delivery);
    return bench->delivery.reply_count;
}

static void fill(struct bench *bench, size_t records, size_t payload_size)
{
    for (size_t n = 0; n < records; n++)
        for (size_t i = 0; i < DEVICES; i++)
            maker_push(&bench->makers[i], bench->buffer, payload_size);
}

/* What a claim has of each device in turn, as "abbbc". */
static void assert_claimed(const struct bench *bench, const char *expected)
{
    const struct buffer_claim *claim = &bench->delivery.claim;
    char got[64] = "";

    for (size_t i = 0; i < claim->count; i++) {
        got[i] = (char)claim->items[i]->entry.record.device_id[5];
        assert_string_equal(claim->devices[i]->id, claim->items[i]->entry.record.device_id);
        if (i > 0 && got[i] == got[i - 1])
            assert_int_equal(claim->items[i]->entry.record.sequence,
                             claim->items[i - 1]->entry.record.sequence + 1);
    }
    assert_string_equal(got, expected);
}

/* A device after the other, whoever waits longest for a turn first. */
static void test_turns(void **state)
{
    struct bench *bench = *state;

    fill(bench, 3, 20);
    assert_int_equal(claim(bench, NOW_MS), BATCH_MAX);
    assert_claimed(bench, "aaabbbcc");
    assert_int_equal(deliver(bench, NOW_MS), BATCH_MAX);
    maker_push(&bench->makers[0], bench->buffer, 20);
    assert_int_equal(claim(bench, NOW_MS), 2);
    assert_claimed(bench, "ac");
    assert_int_equal(deliver(bench, NOW_MS), 2);
    assert_int_equal(claim(bench, NOW_MS), 0);
    assert_int_equal(bench->many.fake.accepted, 10);
    assert_int_equal(bench->many.fake.gaps, 0);
}

/* The most urgent device first, with all that must go before its alarm. */
static void test_urgent(void **state)
{
    static struct made made;
    struct bench *bench = *state;

    fill(bench, 3, 20);
    maker_next(&bench->makers[2], 10, &made);
    assert_int_equal(
        eds_buffer_push(bench->buffer, &made.entry, made.payload, 10, EDS_PRIORITY_ALARM, NULL),
        EDS_OK);
    assert_int_equal(claim(bench, NOW_MS), BATCH_MAX);
    assert_claimed(bench, "ccccaaab");
    (void)deliver(bench, NOW_MS);
}

/* A lone record takes the ordinary way. */
static void test_lone_record(void **state)
{
    struct bench *bench = *state;

    maker_push(&bench->makers[0], bench->buffer, 20);
    assert_int_equal(claim(bench, NOW_MS), 1);
    (void)deliver(bench, NOW_MS);
    assert_int_equal(bench->many.singles, 1);
    assert_int_equal(bench->many.calls, 0);
}

/* Payloads go together up to half a mebibyte; a larger one goes alone. */
static void test_large_payloads(void **state)
{
    static uint8_t large[600000];
    struct bench *bench = *state;
    static struct made made;

    for (size_t i = 0; i < 6; i++)
        maker_push(&bench->makers[0], bench->buffer, 65536);
    for (size_t i = 0; i < 6; i++)
        maker_push(&bench->makers[1], bench->buffer, 65536);
    bench->many.sender.batch_max = 100;
    assert_int_equal(claim(bench, NOW_MS), 8);
    assert_claimed(bench, "aaaaaabb");
    (void)deliver(bench, NOW_MS);
    assert_int_equal(claim(bench, NOW_MS), 4);
    (void)deliver(bench, NOW_MS);
    for (size_t i = 0; i < 2; i++) {
        maker_next(&bench->makers[2], 1, &made);
        assert_int_equal(eds_buffer_push(bench->buffer, &made.entry, large, sizeof large,
                                         EDS_PRIORITY_NORMAL, NULL),
                         EDS_OK);
    }
    assert_int_equal(claim(bench, NOW_MS), 1);
    (void)deliver(bench, NOW_MS);
    assert_int_equal(claim(bench, NOW_MS), 1);
    (void)deliver(bench, NOW_MS);
}

/* A sender sets its own limit, also to one it could not have; without send_many there
 * is none. */
static void test_batch_max(void **state)
{
    static const struct {
        size_t batch_max;
        bool has_many;
        size_t claimed;
    } rows[] = {{5, true, 5}, {0, true, 1}, {1, true, 1}, {1000000, true, 1024}, {5, false, 1}};
    struct bench *bench = *state;

    fill(bench, 500, 1);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        bench->many.sender.batch_max = rows[i].batch_max;
        bench->many.sender.send_many = rows[i].has_many ? send_many : NULL;
        assert_int_equal(claim(bench, NOW_MS), rows[i].claimed);
        assert_int_equal(deliver(bench, NOW_MS), rows[i].claimed);
    }
}

/* Without memory for more it goes on with the room that it has. */
static void test_no_memory(void **state)
{
    struct bench *bench = *state;

    for (uint64_t n = 1; n <= 5; n++) {
        alloc_fail_at(n);
        eds_delivery_make_room(&bench->delivery);
        alloc_fail_at(0);
        assert_int_equal(bench->delivery.claim.room, 1);
    }
    eds_delivery_make_room(&bench->delivery);
    assert_int_equal(bench->delivery.claim.room, BATCH_MAX);
}

/* One call with these replies: lift-a has four items in it, lift-b two.  What each has
 * left, how many dead letters there are, and how long the two are held back. */
static const struct {
    const char *name, *script;
    size_t a_waits, b_waits, dead;
    unsigned a_pause_ms, b_pause_ms; /* at least, and at most a quarter more */
} verdicts[] = {
    {"all accepted", "AAAAAA", 0, 0, 0, 0, 0},
    {"duplicates are delivered", "DDAAAD", 0, 0, 0, 0, 0},
    {"one refused", "ARAAAA", 0, 0, 1, 0, 0},
    {"one in conflict", "AAACAA", 0, 0, 1, 0, 0},
    {"held, and what is behind", "AHHHAA", 3, 0, 0, 60000, 0},
    {"refused behind one that is held", "HRCRAA", 4, 0, 0, 60000, 0},
    {"not decided, and refused behind", "AWRRAA", 3, 0, 0, 500, 0},
    {"refused before one not decided", "RWAAAA", 1, 0, 1, 500, 0},
    {"accepted behind one not decided", "WAAAAA", 1, 0, 0, 500, 0},
    {"not decided, then held", "WHAAAA", 2, 0, 0, 60000, 0},
    {"held, then not decided", "HWAAAA", 2, 0, 0, 60000, 0},
    {"another device is refused for itself", "WAAARA", 1, 0, 1, 500, 0},
    {"another device is not decided", "AAAAWW", 0, 2, 0, 0, 500},
    {"nothing decided: nobody is held back", "WWWWWW", 4, 2, 0, 0, 0},
    {"not decided, by a server that is there", "LLLLLL", 4, 2, 0, 500, 500},
    {"later, and refused behind", "ALRCAA", 3, 0, 0, 500, 0},
    {"only the first was sent", "A-", 3, 2, 0, 0, 0},
    {"only the first was sent, and refused", "R-", 3, 2, 1, 0, 0},
    {"only the first was sent, and held", "H-", 4, 2, 0, 60000, 0},
};

static size_t count_waiting(struct bench *bench, const char *id)
{
    struct eds_buffer_item *item;
    uint64_t after = 0;
    size_t count = 0;

    while (eds_buffer_next(bench->buffer, id, after, false, &item, NULL) == EDS_OK) {
        after = item->id;
        count++;
        free(item);
    }
    return count;
}

static bool is_about(uint64_t pause_ms, unsigned expected_ms)
{
    return pause_ms >= expected_ms && pause_ms <= expected_ms + expected_ms / 4;
}

static void test_verdicts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof verdicts / sizeof verdicts[0]; i++) {
        struct buffer_device *a, *b;
        struct eds_buffer_counts left;
        uint64_t pauses_ms[2];
        struct bench *bench;

        set_up((void **)&bench);
        for (size_t k = 0; k < 6; k++)
            maker_push(&bench->makers[k / 4], bench->buffer, 20);
        bench->many.script = verdicts[i].script;
        assert_int_equal(claim(bench, NOW_MS), 6);
        assert_claimed(bench, "aaaabb");
        a = bench->delivery.claim.devices[0];
        b = bench->delivery.claim.devices[5];
        (void)deliver(bench, NOW_MS);
        eds_buffer_counts(bench->buffer, &left);
        assert_false(a->in_flight || b->in_flight);
        pauses_ms[0] = a->not_before_ms > 0 ? a->not_before_ms - NOW_MS : 0;
        pauses_ms[1] = b->not_before_ms > 0 ? b->not_before_ms - NOW_MS : 0;
        if (count_waiting(bench, "lift-a") != verdicts[i].a_waits ||
            count_waiting(bench, "lift-b") != verdicts[i].b_waits ||
            left.waiting != verdicts[i].a_waits + verdicts[i].b_waits ||
            left.dead != verdicts[i].dead || !is_about(pauses_ms[0], verdicts[i].a_pause_ms) ||
            !is_about(pauses_ms[1], verdicts[i].b_pause_ms))
            fail_msg("%s: lift-a has %zu and %llu ms, lift-b %zu and %llu ms, %llu are dead",
                     verdicts[i].name, count_waiting(bench, "lift-a"),
                     (unsigned long long)pauses_ms[0], count_waiting(bench, "lift-b"),
                     (unsigned long long)pauses_ms[1], (unsigned long long)left.dead);
        tear_down((void **)&bench);
    }
}

/* Held back means held back, and no longer than that. */
static void test_held_back(void **state)
{
    struct bench *bench = *state;

    fill(bench, 2, 20);
    bench->many.script = "AAHHAA";
    assert_int_equal(claim(bench, NOW_MS), 6);
    (void)deliver(bench, NOW_MS);
    assert_int_equal(claim(bench, NOW_MS + pauses.hold - 1), 0);
    assert_int_equal(claim(bench, NOW_MS + pauses.hold + pauses.hold / 4), 2);
    assert_claimed(bench, "bb");
    bench->many.script = NULL;
    bench->many.fake.head_count = 0;
    (void)deliver(bench, NOW_MS);
    assert_int_equal(bench->many.fake.accepted, 2);
}

static struct eds_buffer_item *next(struct eds_buffer *buffer, uint64_t after)
{
    struct eds_buffer_item *item = NULL;
    int32_t rc = eds_buffer_next(buffer, NULL, after, false, &item, NULL);

    assert_true(rc == EDS_OK || rc == EDS_ERR_NOT_FOUND);
    return item;
}

/* Closes a durable buffer and opens it again; it has so many items either way. */
static void assert_waiting(struct eds_buffer **buffer, const char *url, uint64_t count)
{
    struct eds_buffer_item *item;
    uint64_t after = 0, found = 0;

    assert_int_equal(eds_buffer_len(*buffer), count);
    if (eds_buffer_is_durable(*buffer)) {
        eds_buffer_close(*buffer);
        assert_int_equal(eds_buffer_open(buffer, url, NULL, NULL), EDS_OK);
        assert_int_equal(eds_buffer_len(*buffer), count);
    }
    for (; (item = next(*buffer, after)) != NULL; found++) {
        after = item->id;
        free(item);
    }
    assert_int_equal(found, count);
}

/* In every store, delivered items go together; where one of them is not there, what
 * is said to be there is there. */
static void check_remove(const char *url)
{
    const struct eds_buffer_item *items[6];
    struct eds_buffer *buffer;
    struct eds_buffer_item *left;
    struct maker a, b;
    uint64_t after = 0;

    assert_int_equal(eds_buffer_open(&buffer, url, NULL, NULL), EDS_OK);
    maker_init(&a, "a");
    maker_init(&b, "b");
    for (int i = 0; i < 10; i++)
        maker_push(i % 2 == 0 ? &a : &b, buffer, (size_t)i);
    for (size_t i = 0; i < 6; i++) {
        items[i] = next(buffer, after);
        after = items[i]->id;
    }
    assert_int_equal(eds_buffer_remove(buffer, items, 0, NULL), EDS_OK);
    assert_int_equal(eds_buffer_remove(buffer, items, 5, NULL), EDS_OK);
    assert_waiting(&buffer, url, 5);
    assert_int_equal(eds_buffer_remove(buffer, items + 4, 2, NULL), EDS_ERR_NOT_FOUND);
    assert_waiting(&buffer, url, 5);
    assert_int_equal(eds_buffer_remove(buffer, items + 5, 1, NULL), EDS_OK);
    assert_waiting(&buffer, url, 4);
    left = next(buffer, 0);
    assert_made(left, "a", 4);
    free(left);
    for (size_t i = 0; i < 6; i++)
        free((void *)(uintptr_t)items[i]);
    eds_buffer_close(buffer);
}

static void test_remove(void **state)
{
    static const char *const schemes[] = {"log:", "sqlite:"};
    char directory[EDS_TEMP_DIR_SIZE], url[EDS_TEMP_DIR_SIZE + 32];

    (void)state;
    check_remove("memory:");
    for (size_t i = 0; i < (EDS_BUFFER_SQLITE ? 2 : 1); i++) {
        temp_dir_make(directory);
        snprintf(url, sizeof url, "%s%s/buffer", schemes[i], directory);
        check_remove(url);
        temp_dir_remove(directory);
    }
}

#define BENCH_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_turns),          BENCH_TEST(test_urgent),    BENCH_TEST(test_lone_record),
        BENCH_TEST(test_large_payloads), BENCH_TEST(test_batch_max), BENCH_TEST(test_no_memory),
        cmocka_unit_test(test_verdicts), BENCH_TEST(test_held_back), cmocka_unit_test(test_remove),
    };

    return cmocka_run_group_tests_name("delivery", tests, NULL, NULL);
}
