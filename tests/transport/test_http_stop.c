/* Stores that fail, clients that leave, servers that stop: what was answered
 * "accepted" is in the ledger, and what is not in the ledger can come again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "support/alloc.h"
#include "transport/http_lab.h"

static const struct eds_http_config defaults = {.address = NULL};

/* Posts a body on a fresh connection; 0 if there was no answer. */
static unsigned post(const struct http_lab *lab, const char *body, size_t size,
                     struct lab_reply *reply)
{
    struct lab_peer peer;

    lab_connect(&peer, lab);
    lab_post(&peer, body, size);
    lab_read(&peer, reply, true);
    lab_close(&peer);
    return reply->status;
}

static void failing_store(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    for (int i = 0; i < 3; i++) {
        size_t size = lab_envelope(&device, body, sizeof body, 90);

        atomic_store(&lab.ledger.failing, true);
        for (int tries = 0; tries < 2; tries++) {
            assert_int_equal(post(&lab, body, size, &reply), 503);
            assert_non_null(strstr(reply.head, "\r\nRetry-After: 1\r\n"));
            assert_string_equal(reply.body,
                                "{\"status\":\"rejected\",\"error\":\"the record could not be "
                                "stored: send it again\"}");
        }
        assert_true(lab_head(&lab, device.device_id) == (uint64_t)i);
        atomic_store(&lab.ledger.failing, false);
        assert_int_equal(post(&lab, body, size, &reply), 202);
        assert_int_equal(post(&lab, body, size, &reply), 422);
        assert_non_null(strstr(reply.body, "ingest verification failed: duplicate record for "
                                           "device=lift-001 sequence="));
    }
    lab_stop(&lab);
}

/* A client that leaves while its record is being stored: stored it is, and
 * sent again it is a duplicate. */
static void leaving_clients(void **state)
{
    enum { COUNT = 20 };
    struct http_lab lab;
    struct lab_device devices[COUNT];
    struct lab_peer peers[COUNT];
    struct lab_reply reply;
    char bodies[COUNT][LAB_BODY_SIZE];
    size_t sizes[COUNT];

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_hold(&lab);
    for (unsigned i = 0; i < COUNT; i++) {
        lab_device_make(&devices[i], &lab, i);
        sizes[i] = lab_envelope(&devices[i], bodies[i], LAB_BODY_SIZE, 90);
        lab_connect(&peers[i], &lab);
        lab_post(&peers[i], bodies[i], sizes[i]);
    }
    lab_await_queued(&lab, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        lab_close(&peers[i]);
    lab_release(&lab);
    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(post(&lab, bodies[i], sizes[i], &reply), 422);
        assert_non_null(strstr(reply.body, "duplicate record"));
        assert_true(lab_head(&lab, devices[i].device_id) == 1);
    }
    lab_stop(&lab);
}

/* A store that has become slow does not hold up what needs no store, not even
 * with a single thread. */
static void store_that_hangs(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer, other;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE];

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.thread_count = 1}, NULL);
    lab_device_make(&device, &lab, 1);
    lab_hold(&lab);
    lab_rest(20);
    lab_release(&lab); /* from now on it counts as slow */
    lab_connect(&peer, &lab);
    lab_connect(&other, &lab);
    atomic_store(&lab.ledger.waiting, true);
    lab_post(&peer, body, lab_envelope(&device, body, sizeof body, 90));
    while (!atomic_load(&lab.ledger.held))
        lab_rest(1);
    lab_print(&other, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
    lab_read(&other, &reply, true);
    assert_int_equal(reply.status, 404);
    atomic_store(&lab.ledger.waiting, false);
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 202);
    lab_close(&peer);
    lab_close(&other);
    lab_stop(&lab);
}

static void *stop_lab(void *lab)
{
    lab_stop(lab);
    return NULL;
}

/* The head of an upload, which the server has begun to read when this returns. */
static void begin_upload(struct lab_peer *peer, size_t size)
{
    struct lab_reply reply;

    lab_print(peer,
              "POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\nContent-Type: application/json\r\n"
              "Expect: 100-continue\r\nContent-Length: %zu\r\n\r\n",
              size);
    lab_read(peer, &reply, false);
    assert_int_equal(reply.status, 100);
}

/* Asks on a connection until the server says that it stops. */
static void await_stop(struct lab_peer *peer)
{
    struct lab_reply reply = {.status = 404};

    for (unsigned ms = 0; reply.status == 404; ms++) {
        assert_true(ms < LAB_PATIENCE_MS);
        lab_rest(1);
        lab_print(peer, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
        lab_read(peer, &reply, true);
    }
    assert_int_equal(reply.status, 503);
}

/* Stopping waits for what is with the store, as long as it takes, and answers
 * it.  What comes later is not taken: neither a request on an open connection
 * nor an upload whose end comes after drain_timeout_s. */
static void stopping_while_storing(void **state)
{
    struct http_lab lab;
    struct lab_device devices[2];
    struct lab_peer stored, late, idle, asking;
    struct lab_reply reply;
    char body[LAB_BODY_SIZE], late_body[LAB_BODY_SIZE];
    pthread_t stopper;
    size_t size, late_size;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.drain_timeout_s = 1}, NULL);
    lab_device_make(&devices[0], &lab, 0);
    lab_device_make(&devices[1], &lab, 1);
    size = lab_envelope(&devices[0], body, sizeof body, 90);
    late_size = lab_envelope(&devices[1], late_body, sizeof late_body, 90);
    lab_connect(&idle, &lab);
    lab_print(&idle, "GET / HTTP/1.1\r\nHost: lab\r\n\r\n");
    lab_read(&idle, &reply, true);
    lab_connect(&late, &lab);
    lab_connect(&asking, &lab);
    begin_upload(&late, late_size);
    lab_send(&late, late_body, late_size - 1);
    lab_hold(&lab);
    lab_connect(&stored, &lab);
    lab_post(&stored, body, size);
    lab_await_queued(&lab, 1);
    assert_int_equal(pthread_create(&stopper, NULL, stop_lab, &lab), 0);
    await_stop(&asking);

    lab_post(&idle, body, size);
    lab_read(&idle, &reply, true);
    assert_int_equal(reply.status, 503);
    assert_non_null(strstr(reply.head, "\r\nRetry-After: 1\r\n"));
    assert_true(lab_closed(&idle, LAB_PATIENCE_MS));
    lab_rest(1200);
    lab_send(&late, late_body + late_size - 1, 1);
    lab_read(&late, &reply, true);
    assert_int_equal(reply.status, 503);

    lab_rest(600); /* longer than anything else at a stop is waited for */
    lab_release(&lab);
    lab_read(&stored, &reply, true);
    assert_int_equal(reply.status, 202);
    assert_non_null(strstr(reply.head, "\r\nConnection: close\r\n"));
    assert_true(lab_closed(&stored, LAB_PATIENCE_MS));
    pthread_join(stopper, NULL);
    lab_close(&stored);
    lab_close(&late);
    lab_close(&idle);
    lab_close(&asking);
}

/* An upload that comes to its end in drain_timeout_s is taken; one that does not
 * holds a stop up for so long and no longer, even if its end comes just then. */
static void stopping_while_sending(void **state)
{
    struct http_lab lab;
    struct lab_device devices[8];
    struct lab_peer peers[8];
    struct lab_reply reply;
    char body[LAB_BODY_SIZE], last[8];
    uint64_t begun_ms;
    pthread_t stopper;

    (void)state;
    lab_start(&lab, &(struct eds_http_config){.drain_timeout_s = 1}, NULL);
    for (unsigned i = 0; i < 8; i++) {
        size_t size;

        lab_device_make(&devices[i], &lab, i);
        lab_connect(&peers[i], &lab);
        size = lab_envelope(&devices[i], body, sizeof body, 90);
        last[i] = body[size - 1];
        begin_upload(&peers[i], size);
        lab_send(&peers[i], body, size - 1);
    }
    begun_ms = lab_now_ms();
    assert_int_equal(pthread_create(&stopper, NULL, stop_lab, &lab), 0);
    lab_rest(200);
    lab_send(&peers[0], &last[0], 1);
    lab_read(&peers[0], &reply, true);
    if (lab_now_ms() - begun_ms < 1000) /* else this machine is too slow to tell */
        assert_int_equal(reply.status, 202);
    lab_rest(785);
    for (size_t i = 1; i < 8; i++) {
        lab_rest(5);
        lab_send(&peers[i], &last[i], 1);
    }
    for (size_t i = 0; i < 8; i++) {
        assert_true(lab_closed(&peers[i], LAB_PATIENCE_MS));
        lab_close(&peers[i]);
    }
    pthread_join(stopper, NULL);
}

struct sender {
    struct lab_peer peer; /* connected: the test's own thread can say why it is not */
    struct lab_device device;
    pthread_t thread;
    atomic_ullong acknowledged;
};

/* Sends one record after the other until the server is gone. */
static void *run_sender(void *context)
{
    struct sender *sender = context;
    struct lab_reply reply = {.status = 202};
    char body[LAB_BODY_SIZE];

    while (reply.status == 202) {
        size_t size = lab_envelope(&sender->device, body, sizeof body, 90);

        lab_post(&sender->peer, body, size);
        lab_read(&sender->peer, &reply, true);
        if (reply.status == 202)
            sender->acknowledged++;
    }
    return NULL;
}

/* Until each has had some answers: that is load, on any machine. */
static void await_load(struct sender *senders, size_t count)
{
    for (unsigned ms = 0; count > 0; ms++) {
        assert_true(ms < LAB_PATIENCE_MS);
        lab_rest(1);
        if (atomic_load(&senders[count - 1].acknowledged) > 2)
            count--;
    }
}

static void stopping_under_load(void **state)
{
    enum { COUNT = 6, ROUNDS = 5 };
    struct http_lab lab;
    struct sender senders[COUNT];
    uint64_t acknowledged = 0;

    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        lab_start(&lab, &defaults, NULL);
        for (unsigned i = 0; i < COUNT; i++) {
            memset(&senders[i], 0, sizeof senders[i]);
            lab_device_make(&senders[i].device, &lab, i);
            lab_connect(&senders[i].peer, &lab);
            assert_int_equal(pthread_create(&senders[i].thread, NULL, run_sender, &senders[i]), 0);
        }
        await_load(senders, COUNT);
        eds_http_server_stop(lab.server);
        eds_ingest_stop(lab.ingest);
        for (size_t i = 0; i < COUNT; i++) {
            uint64_t stored = lab_head(&lab, senders[i].device.device_id);

            pthread_join(senders[i].thread, NULL);
            lab_close(&senders[i].peer);
            if (stored < senders[i].acknowledged || stored > senders[i].acknowledged + 1)
                fail_msg("%llu acknowledged, %llu stored",
                         (unsigned long long)senders[i].acknowledged, (unsigned long long)stored);
            acknowledged += senders[i].acknowledged;
        }
        eds_registry_destroy(lab.registry);
        lab.ledger.memory->ops->close(lab.ledger.memory);
    }
    assert_true(acknowledged > COUNT * ROUNDS);
}

/* Whatever allocation of the server fails: no crash, no false answer, and the
 * next request is as good as if nothing had been. */
static void out_of_memory(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_reply reply;
    char body[2 * LAB_BODY_SIZE];
    unsigned refused = 0;

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    for (uint64_t n = 1; n < 40; n++) {
        size_t size = lab_envelope(&device, body, sizeof body, 2500); /* the body must grow once */
        uint64_t before = device.sequence - 1;
        unsigned status;

        alloc_fail_at(n);
        status = post(&lab, body, size, &reply);
        alloc_fail_at(0);
        if (status != 202) {
            assert_true(status == 503 || status == 0);
            refused++;
            assert_true(lab_head(&lab, device.device_id) == before);
            assert_int_equal(post(&lab, body, size, &reply), 202);
        }
        assert_true(lab_head(&lab, device.device_id) == device.sequence);
    }
    assert_true(refused >= 3); /* connection, body, body again: so much was there to fail */
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failing_store),          cmocka_unit_test(leaving_clients),
        cmocka_unit_test(stopping_while_storing), cmocka_unit_test(stopping_while_sending),
        cmocka_unit_test(stopping_under_load),    cmocka_unit_test(out_of_memory),
        cmocka_unit_test(store_that_hangs),
    };

    return cmocka_run_group_tests_name("http_stop", tests, NULL, NULL);
}
