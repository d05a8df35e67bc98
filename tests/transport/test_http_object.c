/* Payloads that come before their records: who may bring them, what is kept, and
 * what a record can then refer to. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hex.h"
#include "edgesentry/json.h"
#include "support/temp_dir.h"
#include "transport/http_lab.h"

#define LIMIT 300000u /* bytes of a payload */

struct scene {
    struct http_lab lab;
    struct lab_device device;
    struct lab_peer peer;
    struct lab_reply reply;
    struct eds_objects *objects;
    char dir[EDS_TEMP_DIR_SIZE];
    struct eds_entry entry; /* of the record that the payload belongs to */
    char hash[2 * EDS_HASH_SIZE + 1], signature[2 * EDS_SIGNATURE_SIZE + 1];
    uint8_t payload[LIMIT + 1];
};

/* The device's next record, of a payload of so many bytes. */
static void make_record(struct scene *s, size_t size)
{
    lab_next(&s->device, &s->entry, s->payload, size);
    eds_hex_encode(s->hash, s->entry.record.payload_hash, EDS_HASH_SIZE);
    eds_hex_encode(s->signature, s->entry.record.signature, EDS_SIGNATURE_SIZE);
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    struct eds_error err;
    char ledger[EDS_TEMP_DIR_SIZE + 16];

    assert_non_null(s);
    *state = s;
    temp_dir_make(s->dir);
    snprintf(ledger, sizeof ledger, "%s/ledger.db", s->dir);
    assert_int_equal(eds_objects_open_beside(&s->objects, ledger, false, &err), EDS_OK);
    lab_start(&s->lab, &(struct eds_http_config){.uploaded = s->objects, .object_size_max = LIMIT},
              NULL);
    lab_device_make(&s->device, &s->lab, 1);
    for (size_t i = 0; i < sizeof s->payload; i++)
        s->payload[i] = (uint8_t)(i % 251);
    lab_connect(&s->peer, &s->lab);
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;

    lab_close(&s->peer);
    lab_stop(&s->lab);
    s->objects->ops->close(s->objects);
    temp_dir_remove(s->dir);
    free(s);
    return 0;
}

/* A connection may have been closed by the answer before. */
static void renew(struct scene *s)
{
    lab_close(&s->peer);
    lab_connect(&s->peer, &s->lab);
}

static void put(struct scene *s, const char *signature, const void *payload, size_t size)
{
    lab_print(&s->peer,
              "PUT /api/v1/objects/%s HTTP/1.1\r\nHost: lab\r\nEdgeSentry-Device: %s\r\n"
              "EdgeSentry-Signature: %s\r\nContent-Length: %zu\r\n\r\n",
              s->hash, s->device.device_id, signature, size);
    lab_send(&s->peer, payload, size);
    lab_read(&s->peer, &s->reply, true);
}

static void post_bare(struct scene *s)
{
    char body[EDS_JSON_ENTRY_SIZE_MAX + 64];
    size_t size = eds_json_envelope_encode_bare(body, sizeof body, &s->entry);

    lab_post(&s->peer, body, size);
    lab_read(&s->peer, &s->reply, true);
}

/* Files that are still, or for ever, on their way. */
static unsigned incoming_count(const struct scene *s)
{
    char path[EDS_TEMP_DIR_SIZE + 32];
    unsigned count = 0;
    DIR *dir;

    snprintf(path, sizeof path, "%s/objects/incoming", s->dir);
    dir = opendir(path);
    while (dir != NULL && readdir(dir) != NULL)
        count++;
    if (dir != NULL)
        closedir(dir);
    return count > 2 ? count - 2 : 0;
}

static void expect_kept(struct scene *s, size_t size, bool kept)
{
    struct eds_object_name name = {.object_ref = ""};
    struct eds_error err;
    size_t got = 0;
    void *bytes;
    int32_t rc;

    memcpy(name.payload_hash, s->entry.record.payload_hash, EDS_HASH_SIZE);
    rc = s->objects->ops->get(s->objects, &name, &bytes, &got, &err);
    assert_int_equal(rc, kept ? EDS_OK : EDS_ERR_NOT_FOUND);
    if (!kept)
        return;
    assert_int_equal(got, size);
    assert_memory_equal(bytes, s->payload, size);
    free(bytes);
}

/* The payload, again, and its record; nothing of it goes into the ledger. */
static void there_and_referred_to(void **state)
{
    static const size_t sizes[] = {0, 1, 4096, 65537, LIMIT};
    struct scene *s = *state;

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        make_record(s, sizes[i]);
        put(s, s->signature, s->payload, sizes[i]);
        assert_int_equal(s->reply.status, 201);
        assert_string_equal(s->reply.body, "{\"status\":\"stored\"}");
        expect_kept(s, sizes[i], true);
        put(s, s->signature, s->payload, sizes[i]);
        assert_int_equal(s->reply.status, 200);
        post_bare(s);
        assert_int_equal(s->reply.status, 202);
        post_bare(s);
        assert_int_equal(s->reply.status, 422); /* a duplicate */
        assert_non_null(strstr(s->reply.body, "duplicate record"));
    }
    assert_int_equal(lab_head(&s->lab, s->device.device_id), sizeof sizes / sizeof sizes[0]);
    assert_int_equal(incoming_count(s), 0);
}

static void record_without_payload(void **state)
{
    struct scene *s = *state;

    make_record(s, 10);
    post_bare(s);
    assert_int_equal(s->reply.status, 422);
    assert_string_equal(s->reply.body, "{\"status\":\"rejected\",\"error\":\"payload not found for "
                                       "device=lift-001 sequence=1\"}");
    put(s, s->signature, s->payload, 10);
    post_bare(s); /* the same record: nothing had changed */
    assert_int_equal(s->reply.status, 202);
}

/* Each is one edit away from what is taken, and leaves nothing behind. */
static void refused(void **state)
{
    static const struct {
        const char *what, *method, *path, *fields;
        unsigned status;
        const char *words;
    } rows[] = {
        {"good", "PUT", "%s", "", 201, "stored"},
        {"method", "POST", "%s", "", 405, ""},
        {"short name", "PUT", "%.63s", "", 404, ""},
        {"longer name", "PUT", "%s0", "", 404, ""},
        {"no hex", "PUT", "%.63sg", "", 404, ""},
        {"capitals", "PUT", "%.63sA", "", 404, ""},
        {"other hash", "PUT", "%.60s0000", "", 422, "invalid signature for device=lift-001"},
        {"type", "PUT", "%s", "Content-Type: text/plain\r\n", 415, "octet-stream"},
        {"two devices", "PUT", "%s", "EdgeSentry-Device: lift-001\r\n", 400, "ambiguous"},
        {"two signatures", "PUT", "%s", "edgesentry-signature: 00\r\n", 400, "ambiguous"},
    };
    struct scene *s = *state;

    make_record(s, 10);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char path[80];

        snprintf(path, sizeof path, rows[i].path, s->hash);
        lab_print(&s->peer,
                  "%s /api/v1/objects/%s HTTP/1.1\r\nHost: lab\r\nEdgeSentry-Device: %s\r\n"
                  "EdgeSentry-Signature: %s\r\n%sContent-Length: 10\r\n\r\n",
                  rows[i].method, path, s->device.device_id, s->signature, rows[i].fields);
        lab_send(&s->peer, s->payload, 10);
        lab_read(&s->peer, &s->reply, true);
        if (s->reply.status != rows[i].status || !strstr(s->reply.body, rows[i].words))
            fail_msg("%s: %u %s", rows[i].what, s->reply.status, s->reply.body);
        assert_true(rows[i].status != 405 || strstr(s->reply.head, "Allow: PUT") != NULL);
        renew(s);
    }
    assert_int_equal(incoming_count(s), 0);
}

/* Who signs for a payload must be known, and have signed for this one. */
static void signers(void **state)
{
    struct scene *s = *state;
    struct lab_device other;
    char signature[2 * EDS_SIGNATURE_SIZE + 1];

    lab_device_make(&other, &s->lab, 2);
    make_record(s, 10);
    memcpy(signature, s->signature, sizeof signature);
    signature[0] = signature[0] == '0' ? '1' : '0';
    put(s, signature, s->payload, 10);
    assert_int_equal(s->reply.status, 422);
    renew(s);
    put(s, "", s->payload, 10);
    assert_int_equal(s->reply.status, 400);
    renew(s);
    strcpy(s->device.device_id, "lift-002"); /* whose signature it is not */
    put(s, s->signature, s->payload, 10);
    assert_int_equal(s->reply.status, 422);
    renew(s);
    strcpy(s->device.device_id, "lift-009");
    put(s, s->signature, s->payload, 10);
    assert_int_equal(s->reply.status, 422);
    assert_non_null(strstr(s->reply.body, "ingest verification failed: unknown device: lift-009"));
    expect_kept(s, 10, false);
    assert_int_equal(incoming_count(s), 0);
}

/* Other content than the path says, too much of it, or not all of it. */
static void wrong_bodies(void **state)
{
    struct scene *s = *state;

    make_record(s, 1000);
    put(s, s->signature, s->payload + 1, 1000);
    assert_int_equal(s->reply.status, 422);
    assert_non_null(strstr(s->reply.body, "another hash"));
    put(s, s->signature, s->payload, 999);
    assert_int_equal(s->reply.status, 422);
    put(s, s->signature, s->payload, LIMIT + 1);
    assert_int_equal(s->reply.status, 413);
    renew(s);
    /* In chunks the size shows late. */
    lab_print(&s->peer,
              "PUT /api/v1/objects/%s HTTP/1.1\r\nHost: lab\r\nEdgeSentry-Device: %s\r\n"
              "EdgeSentry-Signature: %s\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n",
              s->hash, s->device.device_id, s->signature, LIMIT + 1);
    lab_send(&s->peer, s->payload, LIMIT + 1);
    lab_print(&s->peer, "\r\n0\r\n\r\n");
    lab_read(&s->peer, &s->reply, true);
    assert_int_equal(s->reply.status, 413);
    renew(s);
    lab_print(&s->peer,
              "PUT /api/v1/objects/%s HTTP/1.1\r\nHost: lab\r\nEdgeSentry-Device: %s\r\n"
              "EdgeSentry-Signature: %s\r\nContent-Length: 1000\r\n\r\n",
              s->hash, s->device.device_id, s->signature);
    lab_send(&s->peer, s->payload, 500);
    renew(s); /* gone in the middle */
    for (unsigned i = 0; i < 500 && incoming_count(s) > 0; i++)
        lab_rest(10);
    assert_int_equal(incoming_count(s), 0);
    expect_kept(s, 1000, false);
    put(s, s->signature, s->payload, 1000);
    assert_int_equal(s->reply.status, 201);
}

/* A server with nowhere to put them says so, and takes no such record either. */
static void nowhere(void **state)
{
    struct scene *s = *state;

    lab_close(&s->peer);
    lab_stop(&s->lab);
    lab_start(&s->lab, &(struct eds_http_config){.object_size_max = LIMIT}, NULL);
    lab_device_make(&s->device, &s->lab, 1);
    lab_connect(&s->peer, &s->lab);
    make_record(s, 10);
    put(s, s->signature, s->payload, 10);
    assert_int_equal(s->reply.status, 501);
    renew(s);
    post_bare(s);
    assert_int_equal(s->reply.status, 422);
    assert_non_null(strstr(s->reply.body, "payload not found"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_and_referred_to, begin, end),
        cmocka_unit_test_setup_teardown(record_without_payload, begin, end),
        cmocka_unit_test_setup_teardown(refused, begin, end),
        cmocka_unit_test_setup_teardown(signers, begin, end),
        cmocka_unit_test_setup_teardown(wrong_bodies, begin, end),
        cmocka_unit_test_setup_teardown(nowhere, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
