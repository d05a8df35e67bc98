/* test_http_batch.c - many records in one request: one result each, in their
 * order, whatever is wrong with some of them and however the body comes. */
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <cmocka.h>

#include "codec/batch_reader.h"
#include "transport/http_lab.h"

#define LINES "application/x-ndjson"
#define BYTES "application/octet-stream"

static const struct eds_http_config defaults = {.address = NULL};

/* A batch in the making. */
struct batch {
    char *text;
    size_t size, room;
};

static void add(struct batch *batch, const void *bytes, size_t size)
{
    while (batch->room - batch->size < size) {
        batch->room = 2 * batch->room + 4096;
        batch->text = realloc(batch->text, batch->room);
        assert_non_null(batch->text);
    }
    memcpy(batch->text + batch->size, bytes, size);
    batch->size += size;
}

static void add_record(struct batch *batch, struct lab_device *device)
{
    char body[LAB_BODY_SIZE];
    size_t size = lab_envelope(device, body, sizeof body, 90);

    body[size] = '\n';
    add(batch, body, size + 1);
}

static void add_compact(struct batch *batch, struct lab_device *device)
{
    char body[LAB_BODY_SIZE];
    uint8_t bytes[LAB_BODY_SIZE];
    struct eds_envelope envelope;
    size_t size = lab_envelope(device, body, sizeof body, 90);

    assert_int_equal(eds_json_envelope_decode(&envelope, body, size, NULL), EDS_OK);
    assert_int_equal(eds_batch_write_bytes(bytes, &size, &envelope.entry, envelope.payload,
                                           envelope.payload_size),
                     EDS_OK);
    add(batch, bytes, size);
}

/* Reads an answer of any length; its body is to be freed. */
static char *read_long(struct lab_peer *peer, unsigned *status)
{
    struct batch got = {NULL, 0, 0};
    char buf[65536], *body = NULL, *length;
    size_t wanted = SIZE_MAX;

    while (got.size < wanted) {
        struct pollfd fd = {.fd = peer->fd, .events = POLLIN};
        ssize_t size = poll(&fd, 1, 20000) == 1 ? recv(peer->fd, buf, sizeof buf, 0) : -1;

        assert_true(size > 0);
        add(&got, buf, (size_t)size);
        add(&got, "", 1); /* for strstr */
        got.size--;
        body = strstr(got.text, "\r\n\r\n");
        length = strstr(got.text, "Content-Length: ");
        if (body != NULL && length != NULL)
            wanted = (size_t)(body + 4 - got.text) + strtoul(length + 16, NULL, 10);
    }
    *status = (unsigned)strtoul(got.text + 9, NULL, 10);
    memmove(got.text, body + 4, got.size - (size_t)(body + 4 - got.text) + 1);
    return got.text;
}

static void send_head(struct lab_peer *peer, const char *type, const char *framing)
{
    lab_print(peer,
              "POST /api/v1/ingest/batch HTTP/1.1\r\nHost: lab\r\nContent-Type: %s\r\n%s\r\n\r\n",
              type, framing);
}

/* Sends the batch and reads the answer; returns its whole body, to be freed. */
static char *post(const struct http_lab *lab, const char *type, const struct batch *batch,
                  unsigned *status)
{
    struct lab_peer peer;
    char framing[64], *body;

    lab_connect(&peer, lab);
    snprintf(framing, sizeof framing, "Content-Length: %zu", batch->size);
    send_head(&peer, type, framing);
    lab_send(&peer, batch->text, batch->size);
    body = read_long(&peer, status);
    lab_close(&peer);
    return body;
}

static void expect(const struct http_lab *lab, const char *type, struct batch *batch,
                   unsigned status, const char *body)
{
    unsigned got;
    char *answer = post(lab, type, batch, &got);

    assert_string_equal(answer, body);
    assert_int_equal(got, status);
    free(answer);
    batch->size = 0;
}

#define OK_RESULT "{\"status\":\"accepted\"}"

static void good_batches(void **state)
{
    struct http_lab lab;
    struct lab_device device, other;
    struct batch batch = {NULL, 0, 0};

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    lab_device_make(&other, &lab, 2);
    for (unsigned i = 0; i < 2; i++) {
        add_record(&batch, &device);
        add_record(&batch, &other);
    }
    expect(&lab, LINES, &batch, 202,
           "{\"accepted\":4,\"rejected\":0,\"results\":[" OK_RESULT "," OK_RESULT "," OK_RESULT
           "," OK_RESULT "]}");
    add_compact(&batch, &device);
    add_compact(&batch, &other);
    expect(&lab, BYTES, &batch, 202,
           "{\"accepted\":2,\"rejected\":0,\"results\":[" OK_RESULT "," OK_RESULT "]}");
    add_record(&batch, &device);
    batch.size--; /* no line break at the end */
    expect(&lab, "application/ndjson; charset=utf-8", &batch, 202,
           "{\"accepted\":1,\"rejected\":0,\"results\":[" OK_RESULT "]}");
    assert_int_equal(lab_head(&lab, device.device_id), 4);
    assert_int_equal(lab_head(&lab, other.device_id), 3);
    free(batch.text);
    lab_stop(&lab);
}

/* What is wrong with one record does not touch its neighbours. */
static void partial_success(void **state)
{
    struct http_lab lab;
    struct lab_device device, stranger = {.device_id = "stranger", .seed = {9}};
    struct batch batch = {NULL, 0, 0};
    size_t first_size;

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    stranger.sequence = 0;
    add_record(&batch, &device);
    first_size = batch.size;
    add(&batch, "\n{\"record\":7}\n", 14);
    add_record(&batch, &stranger);
    add(&batch, batch.text, first_size); /* the first one again */
    add_record(&batch, &device);
    expect(&lab, LINES, &batch, 207,
           "{\"accepted\":2,\"rejected\":3,\"results\":[" OK_RESULT
           ",{\"status\":\"rejected\",\"error\":\"line 3: record: expected an object, found '7' at "
           "line 1 column 11 (byte 10)\"}"
           ",{\"status\":\"rejected\",\"error\":\"ingest verification failed: unknown device: "
           "stranger\"}"
           ",{\"status\":\"rejected\",\"error\":\"ingest verification failed: duplicate record for "
           "device=lift-001 sequence=1\"}"
           "," OK_RESULT "]}");
    add_compact(&batch, &device);
    add(&batch, "\x07lift", 5);
    expect(&lab, BYTES, &batch, 207,
           "{\"accepted\":1,\"rejected\":1,\"results\":[" OK_RESULT
           ",{\"status\":\"rejected\",\"error\":\"record 2 at byte 254: device_id at byte 0: "
           "the bytes end inside it\"}]}");
    free(batch.text);
    lab_stop(&lab);
}

static void send_all(struct lab_peer *peer, const struct batch *batch, size_t piece)
{
    for (size_t at = 0; at < batch->size; at += piece) {
        size_t size = batch->size - at < piece ? batch->size - at : piece;

        lab_print(peer, "%zx\r\n", size);
        lab_send(peer, batch->text + at, size);
        lab_print(peer, "\r\n");
    }
    lab_print(peer, "0\r\n\r\n");
}

/* More than three blocks, in chunks that end anywhere, to a store that takes its
 * time: the body waits for it. */
static void long_stream(void **state)
{
    enum { DEVICES = 7, COUNT = 4900 };
    struct http_lab lab;
    struct lab_device devices[DEVICES];
    struct batch batch = {NULL, 0, 0};
    struct lab_peer peer;
    unsigned status;
    char *answer;

    (void)state;
    lab_start(&lab, &defaults, NULL);
    for (unsigned i = 0; i < DEVICES; i++)
        lab_device_make(&devices[i], &lab, i);
    for (unsigned i = 0; i < COUNT; i++)
        add_record(&batch, &devices[i % DEVICES]);
    lab_connect(&peer, &lab);
    send_head(&peer, LINES, "Transfer-Encoding: chunked");
    send_all(&peer, &batch, 30011);
    answer = read_long(&peer, &status);
    assert_int_equal(status, 202);
    assert_int_equal(strncmp(answer, "{\"accepted\":4900,\"rejected\":0,", 30), 0);
    for (unsigned i = 0; i < DEVICES; i++)
        assert_int_equal(lab_head(&lab, devices[i].device_id), COUNT / DEVICES);
    free(answer);
    free(batch.text);
    lab_close(&peer);
    lab_stop(&lab);
}

/* Somebody else's submissions, waiting in the queue. */
struct filler {
    struct eds_entry entry;
    struct eds_submission submission;
};

static void forget(struct eds_submission *submission)
{
    (void)submission;
}

static struct filler *fill_queue(struct http_lab *lab, size_t count)
{
    struct filler *fillers = calloc(count, sizeof *fillers);

    assert_non_null(fillers);
    lab_hold(lab);
    for (size_t i = 0; i < count; i++) {
        strcpy((char *)fillers[i].entry.record.device_id, "filler");
        fillers[i].submission = (struct eds_submission){
            .request = {.entry = &fillers[i].entry, .payload = ""}, .done = forget};
        eds_ingest_submit(lab->ingest, &fillers[i].submission);
    }
    return fillers;
}

static void await_overload(struct http_lab *lab)
{
    struct eds_ingest_counts counts = {.overloaded = 0};

    for (unsigned i = 0; i < 12000 && counts.overloaded == 0; i++) {
        lab_rest(10);
        eds_ingest_counts(lab->ingest, &counts);
    }
    assert_true(counts.overloaded > 0);
}

/* What a full queue has no room for, and all that follows it, can come again. */
static void full_queue(void **state)
{
    enum { COUNT = 3000 };
    struct http_lab lab;
    struct lab_device device;
    struct batch batch = {NULL, 0, 0};
    struct lab_peer peer;
    unsigned status;
    char *answer, *at;
    struct filler *fillers;
    uint64_t taken;

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    for (unsigned i = 0; i < COUNT; i++)
        add_compact(&batch, &device);
    fillers = fill_queue(&lab, 3000);
    lab_connect(&peer, &lab);
    send_head(&peer, BYTES, "Transfer-Encoding: chunked");
    send_all(&peer, &batch, 65536);
    await_overload(&lab);
    lab_release(&lab);
    answer = read_long(&peer, &status);
    lab_close(&peer);
    assert_int_equal(status, 207);
    taken = lab_head(&lab, device.device_id);
    assert_true(taken > 0 && taken < COUNT);
    at = answer;
    for (uint64_t i = 0; i < taken; i++, at++) {
        at = strstr(at, OK_RESULT);
        assert_non_null(at);
    }
    assert_null(strstr(at, OK_RESULT));
    for (uint64_t i = taken; i < COUNT; i++, at++) {
        at = strstr(at, "\"error\":\"the server is busy: send the record again\",\"retry\":true}");
        assert_non_null(at);
    }
    free(answer);
    while (taken < COUNT) { /* all of it again, which may also be too much at once */
        uint64_t before = taken;

        free(post(&lab, BYTES, &batch, &status));
        taken = lab_head(&lab, device.device_id);
        assert_true(taken > before);
    }
    free(batch.text);
    lab_stop(&lab);
    free(fillers);
}

static void failing_store(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct batch batch = {NULL, 0, 0};
    char *answer, *at;
    unsigned status;

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    add_record(&batch, &device);
    add_record(&batch, &device);
    atomic_store(&lab.ledger.failing, true);
    answer = post(&lab, LINES, &batch, &status);
    assert_int_equal(status, 207);
    at = strstr(answer,
                "\"error\":\"the record could not be stored: send it again\",\"retry\":true}");
    assert_non_null(at);
    /* The second was in the same commit, or came too early after all. */
    assert_non_null(strstr(at + 1, "\"retry\":true}]}"));
    free(answer);
    atomic_store(&lab.ledger.failing, false);
    expect(&lab, LINES, &batch, 202,
           "{\"accepted\":2,\"rejected\":0,\"results\":[" OK_RESULT "," OK_RESULT "]}");
    free(batch.text);
    lab_stop(&lab);
}

/* The ledger itself is the committer's meanwhile. */
static uint64_t accepted_count(struct http_lab *lab)
{
    struct eds_ingest_counts counts;

    eds_ingest_counts(lab->ingest, &counts);
    return counts.accepted;
}

/* Who leaves in the middle is forgotten when the store is done with him; what he
 * sent in whole blocks is kept. */
static void leaving_clients(void **state)
{
    struct http_lab lab;
    struct lab_device devices[3];
    struct batch batches[3] = {{NULL, 0, 0}, {NULL, 0, 0}, {NULL, 0, 0}};
    struct lab_peer peer;

    (void)state;
    lab_start(&lab, &defaults, NULL);
    for (unsigned i = 0; i < 3; i++) {
        lab_device_make(&devices[i], &lab, i);
        while (batches[i].size < 1300000 * (i + 1)) /* one block, two, three; and a rest */
            add_record(&batches[i], &devices[i]);
    }
    lab_hold(&lab);
    for (unsigned i = 0; i < 3; i++) {
        lab_connect(&peer, &lab);
        send_head(&peer, LINES, "Content-Length: 100000000");
        if (i < 2) /* the third block finds the connection waiting */
            lab_send(&peer, batches[i].text, batches[i].size);
        else
            lab_send(&peer, batches[i].text, 2200000);
        lab_rest(50);
        lab_close(&peer);
    }
    lab_rest(50);
    lab_release(&lab);
    for (unsigned tries = 0; tries < 6000 && accepted_count(&lab) < 3000; tries++)
        lab_rest(20);
    assert_true(accepted_count(&lab) >= 3000); /* a megabyte of each: some 1100 records */
    for (unsigned i = 0; i < 3; i++)
        free(batches[i].text);
    lab_stop(&lab);
}

static void refused_requests(void **state)
{
    struct http_lab lab;
    struct lab_device device;
    struct lab_reply reply;
    struct lab_peer peer;
    struct batch batch = {NULL, 0, 0};
    struct eds_http_config config = {.body_size_max = 20000};

    (void)state;
    lab_start(&lab, &config, NULL);
    lab_device_make(&device, &lab, 1);
    expect(&lab, LINES, &batch, 400,
           "{\"status\":\"rejected\",\"error\":\"no record in the batch\"}");
    add(&batch, "\n\n \n", 4);
    expect(&lab, LINES, &batch, 400,
           "{\"status\":\"rejected\",\"error\":\"no record in the batch\"}");
    add_record(&batch, &device);
    expect(&lab, "application/json", &batch, 415,
           "{\"status\":\"rejected\",\"error\":\"Expected request with `Content-Type: "
           "application/x-ndjson`\"}");
    device.sequence = 0;
    memset(device.record_hash, 0, sizeof device.record_hash);
    add_record(&batch, &device);
    while (batch.size < 50000)
        add(&batch, "{ ", 2);
    expect(
        &lab, LINES, &batch, 207,
        "{\"accepted\":1,\"rejected\":1,\"results\":[" OK_RESULT
        ",{\"status\":\"rejected\",\"error\":\"record 2 is larger than 20000 bytes: what follows "
        "was not read\"}]}");
    lab_connect(&peer, &lab);
    lab_print(&peer, "GET /api/v1/ingest/batch HTTP/1.1\r\nHost: lab\r\n\r\n");
    lab_read(&peer, &reply, true);
    assert_int_equal(reply.status, 405);
    lab_close(&peer);
    free(batch.text);
    lab_stop(&lab);
}

/* One record in the compact form, where envelopes go. */
static void single_bytes(void **state)
{
    static const struct {
        size_t cut, more;
        unsigned status;
    } rows[] = {{0, 0, 202}, {1, 0, 400}, {0, 1, 400}};
    struct http_lab lab;
    struct lab_device device;
    struct batch batch = {NULL, 0, 0};

    (void)state;
    lab_start(&lab, &defaults, NULL);
    lab_device_make(&device, &lab, 1);
    add_compact(&batch, &device);
    add(&batch, "!", 1);
    for (size_t i = sizeof rows / sizeof rows[0]; i-- > 0;) {
        struct lab_reply reply;
        struct lab_peer peer;
        size_t size = batch.size - 1 - rows[i].cut + rows[i].more;

        lab_connect(&peer, &lab);
        lab_print(&peer,
                  "POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\nContent-Type: " BYTES
                  "\r\nContent-Length: %zu\r\n\r\n",
                  size);
        lab_send(&peer, batch.text, size);
        lab_read(&peer, &reply, true);
        assert_int_equal(reply.status, rows[i].status);
        lab_close(&peer);
    }
    assert_int_equal(lab_head(&lab, device.device_id), 1);
    free(batch.text);
    lab_stop(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_batches),     cmocka_unit_test(partial_success),
        cmocka_unit_test(long_stream),      cmocka_unit_test(full_queue),
        cmocka_unit_test(failing_store),    cmocka_unit_test(leaving_clients),
        cmocka_unit_test(refused_requests), cmocka_unit_test(single_bytes),
    };

    return cmocka_run_group_tests_name("http_batch", tests, NULL, NULL);
}
