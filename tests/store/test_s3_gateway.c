/* test_s3_gateway.c - payloads in a real S3 service (Ceph's object gateway): the
 * promises of every store, in all ways to address it, and its own features. */
#include "store/objects_conformance.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "support/rgw.h"

#define URL_SIZE 512u

static struct rgw rgw;
static unsigned place_number; /* each test has a prefix of its own */
static const char *place_parameters;

static struct eds_objects *open_url(const char *format, ...)
{
    struct eds_objects *objects = NULL;
    struct eds_error err;
    char url[URL_SIZE];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(url, sizeof url, format, arguments);
    va_end(arguments);
    if (eds_objects_open(&objects, url, false, &err) != EDS_OK)
        fail_msg("%s: %s", url, err.text);
    return objects;
}

static struct eds_objects *open_place(void)
{
    return open_url("s3://bucket/place%u?endpoint=http://%s:%d&%s", place_number,
                    strstr(place_parameters, "virtual") != NULL ? "localhost" : "127.0.0.1",
                    rgw.port, place_parameters);
}

static void clean(void)
{
    place_number++;
}

static void spoil(const struct eds_object_name *name, const void *bytes, size_t size)
{
    char digits[2 * EDS_HASH_SIZE + 1];

    (void)size; /* a text */
    eds_hex_encode(digits, name->payload_hash, EDS_HASH_SIZE);
    rgw_s3(&rgw, NULL, 0, "put bucket place%u/%s '%s'", place_number, digits, (const char *)bytes);
}

/* The key of a payload under a prefix. */
static void key_of(char out[2 * EDS_HASH_SIZE + 1], const char *payload)
{
    uint8_t hash[EDS_HASH_SIZE];

    eds_blake3(hash, payload, strlen(payload));
    eds_hex_encode(out, hash, EDS_HASH_SIZE);
}

static void expect_put(struct eds_objects *objects, const char *payload, int32_t rc,
                       const char *says)
{
    struct eds_error err = {.text = ""};
    int32_t got = objects_put(objects, "ref", payload, strlen(payload), &err);

    if (got != rc || strstr(err.text, says) == NULL)
        fail_msg("%s: %s", eds_error_name(got), err.text);
}

static void test_what_is_kept(void **state)
{
    struct eds_objects *objects =
        open_url("s3://bucket/a%%20b/c?endpoint=http://127.0.0.1:%d", rgw.port);
    char key[2 * EDS_HASH_SIZE + 1], text[4096], line[256];

    (void)state;
    expect_put(objects, "door closed", EDS_OK, "");
    key_of(key, "door closed");
    rgw_s3(&rgw, text, sizeof text, "get bucket 'a b/c/%s'", key);
    assert_string_equal(text, "door closed");
    rgw_s3(&rgw, text, sizeof text, "head bucket 'a b/c/%s'", key);
    snprintf(line, sizeof line, "\nx-amz-meta-blake3: %s\n", key);
    assert_non_null(strstr(text, line));
    assert_non_null(strstr(text, "\ncontent-type: application/octet-stream\n"));
    objects->ops->close(objects);
}

/* As edgesentry-rs keeps them: under the reference itself. */
static void test_keys_by_reference(void **state)
{
    struct eds_objects *objects =
        open_url("s3://bucket?keys=ref&endpoint=http://127.0.0.1:%d", rgw.port);
    struct eds_error err;
    char text[64];

    (void)state;
    assert_false(objects->by_hash);
    assert_int_equal(objects_put(objects, "s3://bucket/lift-01/1.bin", "payload", 7, &err), EDS_OK);
    rgw_s3(&rgw, text, sizeof text, "get bucket s3://bucket/lift-01/1.bin");
    assert_string_equal(text, "payload");
    assert_int_equal(objects_put(objects, "", "payload", 7, &err), EDS_ERR_EXISTS);
    objects->ops->close(objects);
}

/* What somebody else put there without saying its hash is read, and judged. */
static void test_written_by_others(void **state)
{
    struct eds_objects *objects =
        open_url("s3://bucket/others?endpoint=http://127.0.0.1:%d", rgw.port);
    char key[2 * EDS_HASH_SIZE + 1];

    (void)state;
    key_of(key, "same");
    rgw_s3(&rgw, NULL, 0, "put bucket others/%s same", key);
    expect_put(objects, "same", EDS_OK, "");
    key_of(key, "mine");
    rgw_s3(&rgw, NULL, 0, "put bucket others/%s other", key);
    expect_put(objects, "mine", EDS_ERR_EXISTS, "holds other content");
    objects->ops->close(objects);
}

static void test_object_lock(void **state)
{
    struct eds_objects *objects = open_url(
        "s3://locked/days?endpoint=http://127.0.0.1:%d&lock=compliance&retain-days=2", rgw.port);
    char key[2 * EDS_HASH_SIZE + 1], text[4096];

    (void)state;
    expect_put(objects, "kept", EDS_OK, "");
    expect_put(objects, "kept", EDS_OK, "");
    objects_expect(objects, "ref", "kept", 4);
    key_of(key, "kept");
    rgw_s3(&rgw, text, sizeof text, "head locked days/%s", key);
    assert_non_null(strstr(text, "\nx-amz-object-lock-mode: COMPLIANCE\n"));
    assert_non_null(strstr(text, "\nx-amz-object-lock-retain-until-date: 20"));
    objects->ops->close(objects);

    objects = open_url("s3://locked/until?endpoint=http://127.0.0.1:%d&lock=governance&"
                       "retain-until=2099-01-02T03:04:05Z",
                       rgw.port);
    expect_put(objects, "kept", EDS_OK, "");
    rgw_s3(&rgw, text, sizeof text, "head locked until/%s", key);
    assert_non_null(strstr(text, "\nx-amz-object-lock-mode: GOVERNANCE\n"));
    assert_non_null(strstr(text, "-lock-retain-until-date: 2099-01-02T03:04:05"));
    objects->ops->close(objects);
}

/* With a key of one's own, which an older libcurl cannot sign and we do. */
static void test_encryption(void **state)
{
    struct eds_objects *objects = NULL;
    char key[2 * EDS_HASH_SIZE + 1], text[4096];

    (void)state;
    objects = open_url("s3://bucket/sse?endpoint=http://127.0.0.1:%d&sse=aws:kms&"
                       "sse-kms-key-id=eds-key",
                       rgw.port);
    expect_put(objects, "secret", EDS_OK, "");
    objects_expect(objects, "ref", "secret", 6);
    key_of(key, "secret");
    rgw_s3(&rgw, text, sizeof text, "head bucket sse/%s", key);
    assert_non_null(strstr(text, "\nx-amz-server-side-encryption: aws:kms\n"));
    assert_non_null(strstr(text, "-encryption-aws-kms-key-id: eds-key\n"));
    objects->ops->close(objects);
}

/* Refusals that no retry mends: said at once, in the service's word, and with no
 * secret in them. */
static void test_refusals(void **state)
{
    struct eds_objects *objects = open_url("s3://nosuch/x?endpoint=http://127.0.0.1:%d", rgw.port);
    struct eds_object_name name = objects_name("ref", "x", 1);
    struct eds_error err;
    size_t size;
    void *bytes;

    (void)state;
    expect_put(objects, "x", EDS_ERR_IO, "NoSuchBucket");
    assert_int_equal(objects->ops->get(objects, &name, &bytes, &size, &err), EDS_ERR_IO);
    assert_non_null(strstr(err.text, "NoSuchBucket"));
    objects->ops->close(objects);

    setenv("AWS_SECRET_ACCESS_KEY", "another-secret", 1);
    objects = open_url("s3://bucket/x?endpoint=http://127.0.0.1:%d", rgw.port);
    setenv("AWS_SECRET_ACCESS_KEY", RGW_SECRET, 1);
    expect_put(objects, "x", EDS_ERR_IO, "403 SignatureDoesNotMatch");
    assert_int_equal(objects->ops->get(objects, &name, &bytes, &size, &err), EDS_ERR_IO);
    assert_null(strstr(err.text, "secret"));
    assert_null(strstr(err.text, RGW_ACCESS));
    objects->ops->close(objects);
}

#define STREAM_COUNT 40

struct stream {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    unsigned answered, failed;
    struct eds_object_put puts[STREAM_COUNT];
    char payloads[STREAM_COUNT][32];
};

static void count_stream(struct eds_object_put *put)
{
    struct stream *stream = put->context;

    pthread_mutex_lock(&stream->lock);
    stream->answered++;
    stream->failed += put->rc != EDS_OK;
    pthread_cond_signal(&stream->moved);
    pthread_mutex_unlock(&stream->lock);
}

static void put_stream(struct stream *stream, struct eds_objects *objects, unsigned first)
{
    for (unsigned i = first; i < STREAM_COUNT; i++) {
        snprintf(stream->payloads[i], sizeof stream->payloads[i], "stream %u", i);
        stream->puts[i] = (struct eds_object_put){
            .name = objects_name("ref", stream->payloads[i], strlen(stream->payloads[i])),
            .payload = stream->payloads[i],
            .payload_size = strlen(stream->payloads[i]),
            .done = count_stream,
            .context = stream};
        objects->ops->put(objects, &stream->puts[i]);
    }
}

static void await_stream(struct stream *stream, unsigned count)
{
    pthread_mutex_lock(&stream->lock);
    while (stream->answered < count)
        pthread_cond_wait(&stream->moved, &stream->lock);
    pthread_mutex_unlock(&stream->lock);
}

/* The gateway is killed in the midst of it and comes back: everything is stored
 * in the end, by the retries, without anybody's doing. */
static void test_restart(void **state)
{
    struct eds_objects *objects = open_url(
        "s3://bucket/restart?endpoint=http://127.0.0.1:%d&attempts=20&connections=4", rgw.port);
    struct stream stream = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, .answered = 0};

    (void)state;
    put_stream(&stream, objects, 0);
    await_stream(&stream, 3);
    rgw_do(&rgw, "kill");
    rgw_do(&rgw, "up");
    await_stream(&stream, STREAM_COUNT);
    assert_int_equal(stream.failed, 0);
    for (unsigned i = 0; i < STREAM_COUNT; i++)
        objects_expect(objects, "ref", stream.payloads[i], strlen(stream.payloads[i]));
    objects->ops->close(objects);
}

/* A gateway that does not answer: puts fail within their time, those that wait
 * for a lane too; once it goes on the same puts are good. */
static void test_hangs(void **state)
{
    struct eds_objects *objects = open_url(
        "s3://bucket/hangs?endpoint=http://127.0.0.1:%d&timeout=1&connections=2", rgw.port);
    struct stream stream = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, .answered = 0};
    struct timespec begun, ended;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &begun);
    rgw_do(&rgw, "pause");
    put_stream(&stream, objects, STREAM_COUNT - 6);
    await_stream(&stream, 6);
    clock_gettime(CLOCK_MONOTONIC, &ended);
    rgw_do(&rgw, "resume");
    assert_int_equal(stream.failed, 6);
    assert_true(ended.tv_sec - begun.tv_sec <= 60);
    objects->ops->close(objects);
    objects = open_url("s3://bucket/hangs?endpoint=http://127.0.0.1:%d", rgw.port);
    stream.answered = stream.failed = 0;
    put_stream(&stream, objects, STREAM_COUNT - 6);
    await_stream(&stream, 6);
    assert_int_equal(stream.failed, 0);
    objects->ops->close(objects);
}

int main(void)
{
    static const struct {
        const char *name, *parameters;
    } ways[] = {
        {"s3, path style", "style=path"},
        {"s3, virtual hosts", "style=virtual"},
        {"s3, keys by reference", "keys=ref"},
    };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_kept),      cmocka_unit_test(test_keys_by_reference),
        cmocka_unit_test(test_written_by_others), cmocka_unit_test(test_object_lock),
        cmocka_unit_test(test_encryption),        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_restart),           cmocka_unit_test(test_hangs),
    };
    int failed = 0;

    if (!rgw_start(&rgw))
        return 77;
    rgw_s3(&rgw, NULL, 0, "make bucket");
    rgw_s3(&rgw, NULL, 0, "make locked lock");
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct objects_place place = {ways[i].name, open_place, clean, spoil};

        place_parameters = ways[i].parameters;
        failed += objects_conformance_run(&place);
    }
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    rgw_remove(&rgw);
    return failed;
}
