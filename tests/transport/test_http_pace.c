/* Bodies come in no faster than their source may send: who is over waits before his body
 * is read, who is far over is refused, and nobody waits for a small one.  Nor may a source
 * hold the memory of all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "transport/http_lab.h"

#define HEAD "POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\n"
#define MIB  1048576u
#define BIG  (2 * MIB) /* the largest body, and the whole burst */

static const struct eds_http_config quick_to_stop = {.drain_timeout_s = 1};

/* A lab whose sources may send so many bytes a second, and one device. */
struct scene {
    struct http_lab lab;
    struct lab_device device;
    char *body; /* BIG bytes and one more */
};

static void begin(struct scene *s, uint64_t bytes_per_second)
{
    struct eds_error err;

    lab_start(&s->lab, &quick_to_stop, NULL);
    lab_device_make(&s->device, &s->lab, 1);
    assert_int_equal(eds_ingest_set_rates(s->lab.ingest, (struct eds_rate){0, 0},
                                          (struct eds_rate){bytes_per_second, BIG},
                                          (struct eds_rate){0, 0}, &err),
                     EDS_OK);
    s->body = malloc(BIG + 1);
    assert_non_null(s->body);
}

static void end(struct scene *s)
{
    lab_stop(&s->lab);
    free(s->body);
}

/* The device's next record, with blanks behind it. */
static void fill(struct scene *s, size_t size)
{
    memset(s->body, ' ', BIG + 1);
    s->body[lab_envelope(&s->device, s->body, BIG, 500)] = ' ';
    s->body[size] = '\0';
}

static unsigned read_status(struct lab_peer *peer)
{
    struct lab_reply reply;

    lab_read(peer, &reply, true);
    return reply.status;
}

static bool has_answer(const struct lab_peer *peer)
{
    struct pollfd fd = {.fd = peer->fd, .events = POLLIN};

    return poll(&fd, 1, 0) == 1;
}

static struct eds_http_counts counts(const struct scene *s)
{
    struct eds_http_counts counts;

    eds_http_server_counts(s->lab.server, &counts);
    return counts;
}

/* Says whether somebody has begun to wait, in the end. */
static void await_waiting(const struct scene *s, uint64_t count)
{
    for (int tries = 0; counts(s).waiting != count; tries++) {
        assert_true(tries < 120000);
        lab_rest(1);
    }
}

/* Twenty MiB a second, two of them at once: the third body of two MiB is not read before
 * 0.2 s.  All of them are taken. */
static void waiting(void **state)
{
    struct scene s;
    struct lab_peer peer;
    uint64_t begun_ms;

    (void)state;
    begin(&s, 20 * MIB);
    lab_connect(&peer, &s.lab);
    begun_ms = lab_now_ms();
    for (int i = 0; i < 3; i++) {
        fill(&s, BIG);
        assert_true(lab_post(&peer, s.body, BIG));
        assert_int_equal(read_status(&peer), 202);
    }
    assert_true(lab_now_ms() - begun_ms >= 200);
    assert_int_equal(counts(&s).waiting, 0);
    lab_close(&peer);
    end(&s);
}

/* Whether it has an answer before that time is over. */
static bool await_answer(const struct lab_peer *peer, uint64_t until_ms)
{
    while (!has_answer(peer) && lab_now_ms() < until_ms)
        lab_rest(1);
    return has_answer(peer);
}

#define TELLING_MS 3000u /* a machine that takes longer is too slow to tell */

/* While a large body waits, a small one of the same address does not; another large one
 * would wait for too long, and is refused before it is sent.  A stop keeps nobody. */
static void beside_one_that_waits(void **state)
{
    struct scene s;
    struct lab_peer waiting, small, third;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];
    uint64_t telling_ms;
    bool is_refused, is_waiting;
    size_t size;

    (void)state;
    begin(&s, MIB / 2); /* the second one waits for 4 s */
    lab_connect(&waiting, &s.lab);
    lab_connect(&small, &s.lab);
    lab_connect(&third, &s.lab);
    telling_ms = lab_now_ms() + TELLING_MS;
    fill(&s, BIG);
    assert_true(lab_post(&waiting, s.body, BIG));
    assert_int_equal(read_status(&waiting), 202);
    lab_print(&waiting, HEAD "Content-Length: %u\r\n\r\n", BIG);
    while (counts(&s).waiting != 1 && lab_now_ms() < telling_ms)
        lab_rest(1);

    size = lab_envelope(&s.device, body, sizeof body, 500);
    assert_in_range(size, 1, 4096);
    assert_true(lab_post(&small, body, size));
    assert_int_equal(read_status(&small), 202);
    lab_print(&third, HEAD "Content-Length: %u\r\n\r\n", BIG);
    is_refused = await_answer(&third, telling_ms);
    is_waiting = counts(&s).waiting == 1 && !has_answer(&waiting);
    if (lab_now_ms() < telling_ms) {
        assert_true(is_refused);
        assert_true(is_waiting);
    }
    if (is_refused) {
        lab_read(&third, &reply, true);
        assert_int_equal(reply.status, 429);
        assert_non_null(strstr(reply.body, "byte rate exceeded for source=127.0.0.1"));
        assert_non_null(strstr(reply.head, "\r\nRetry-After: "));
        assert_non_null(strstr(reply.head, "\r\nConnection: close\r\n"));
        assert_true(lab_closed(&third, LAB_PATIENCE_MS));
    }
    fill(&s, BIG);
    lab_send(&waiting, s.body, BIG / 8); /* so much goes into buffers */
    eds_http_server_stop(s.lab.server);
    lab_close(&waiting);
    lab_close(&small);
    lab_close(&third);
    eds_ingest_stop(s.lab.ingest);
    eds_registry_destroy(s.lab.registry);
    lab_ledger_close(&s.lab.ledger);
    free(s.body);
}

/* Who asks whether he may send is told when he may. */
static void expect_continue(void **state)
{
    struct scene s;
    struct lab_peer peer;
    struct lab_reply reply;
    uint64_t begun_ms;

    (void)state;
    begin(&s, 20 * MIB);
    lab_connect(&peer, &s.lab);
    begun_ms = lab_now_ms();
    for (int i = 0; i < 2; i++) {
        fill(&s, BIG);
        lab_print(&peer, HEAD "Expect: 100-continue\r\nContent-Length: %u\r\n\r\n", BIG);
        lab_read(&peer, &reply, false);
        assert_int_equal(reply.status, 100);
        assert_true(i == 0 || lab_now_ms() - begun_ms >= 100);
        assert_true(lab_send(&peer, s.body, BIG));
        assert_int_equal(read_status(&peer), 202);
    }
    lab_close(&peer);
    end(&s);
}

/* A body of unknown size is taken piece by piece, and so is one of many records; both
 * come to their end, however often they have to wait. */
static void pieces(void **state)
{
    static const char *const paths[] = {"/api/v1/ingest", "/api/v1/ingest/batch"};
    static const char *const types[] = {"application/json", "application/x-ndjson"};
    struct scene s;
    struct lab_peer peer;
    struct lab_reply reply;

    (void)state;
    begin(&s, 20 * MIB);
    for (size_t i = 0; i < 2; i++) {
        uint64_t begun_ms = lab_now_ms();

        lab_connect(&peer, &s.lab);
        for (int k = 0; k < 2; k++) {
            fill(&s, BIG);
            lab_print(&peer,
                      "POST %s HTTP/1.1\r\nHost: lab\r\nContent-Type: %s\r\n"
                      "Transfer-Encoding: chunked\r\n\r\n%X\r\n",
                      paths[i], types[i], BIG);
            assert_true(lab_send(&peer, s.body, BIG));
            lab_print(&peer, "\r\n0\r\n\r\n");
            lab_read(&peer, &reply, true);
            assert_int_equal(reply.status, 202);
        }
        assert_true(lab_now_ms() - begun_ms >= 85); /* all but what came without asking */
        lab_close(&peer);
    }
    assert_int_equal(lab_head(&s.lab, s.device.device_id), 4);
    end(&s);
}

/* Peers that go away while they wait, and many who come: nothing is left of them. */
static void gone(void **state)
{
    enum { COUNT = 20 };
    struct scene s;
    struct lab_peer peers[COUNT];

    (void)state;
    begin(&s, 32 * MIB);
    for (int round = 0; round < 4; round++) {
        for (size_t i = 0; i < COUNT; i++) {
            lab_connect(&peers[i], &s.lab);
            lab_print(&peers[i], HEAD "Content-Length: %u\r\n\r\n{", BIG / 4);
        }
        for (size_t i = 0; i < COUNT; i++)
            lab_close(&peers[i]);
    }
    await_waiting(&s, 0); /* on a slow machine nobody has waited: that is no matter here */
    for (int tries = 0; counts(&s).connections > 0; tries++) {
        assert_true(tries < 12000);
        lab_rest(10);
    }
    assert_int_equal(counts(&s).body_memory, 0);
    end(&s);
}

/* One who sends most of many bodies and then dawdles holds a part of the memory and not
 * all of it: others come through, and what he has begun is taken when he ends it. */
static void body_memory_of_one(void **state)
{
    enum { SIZE = 60000, COUNT = 30 };
    struct http_lab lab;
    struct lab_device device, other;
    struct lab_peer hoarding[COUNT], peer;
    struct lab_reply reply;
    struct eds_http_counts counts;
    static char body[2 * SIZE];
    size_t size, refused = 0;

    (void)state;
    lab_start(&lab,
              &(struct eds_http_config){.body_memory_max = 1000000, .body_size_max = 2 * SIZE},
              "127.0.0.0/8");
    lab_device_make(&device, &lab, 1);
    lab_device_make(&other, &lab, 2);
    for (size_t i = 0; i < COUNT; i++) {
        lab_connect(&hoarding[i], &lab);
        lab_print(&hoarding[i], HEAD "Content-Length: %d\r\n\r\n", SIZE);
        lab_send(&hoarding[i], body, SIZE - 1);
    }
    /* A quarter of the memory is room for four at most; others learn that at their end. */
    for (int tries = 0; tries == 0 || (counts.body_memory < 400000 && tries < 120000); tries++) {
        lab_rest(1);
        eds_http_server_counts(lab.server, &counts);
    }
    assert_in_range(counts.body_memory, 1, 250000 + COUNT * 16384);
    size = lab_envelope(&device, body, sizeof body, 500); /* an ordinary one, of the same source */
    lab_connect(&peer, &lab);
    assert_true(lab_post(&peer, body, size));
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 202);
    lab_close(&peer);
    memset(body, ' ', SIZE);
    lab_connect_from(&peer, &lab, "127.0.0.2");
    size = lab_envelope(&other, body, sizeof body, 30000);
    assert_true(lab_post(&peer, body, size));
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 202);
    lab_close(&peer);
    for (size_t i = 0; i < COUNT; i++) {
        lab_send(&hoarding[i], " ", 1);
        lab_read(&hoarding[i], &reply, true);
        refused += reply.status == 503;
        lab_close(&hoarding[i]);
    }
    assert_in_range(refused, COUNT - 4, COUNT);
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting),
        cmocka_unit_test(beside_one_that_waits),
        cmocka_unit_test(expect_continue),
        cmocka_unit_test(pieces),
        cmocka_unit_test(gone),
        cmocka_unit_test(body_memory_of_one),
    };

    return cmocka_run_group_tests_name("http_pace", tests, NULL, NULL);
}
