/* test_s3_client.c - what the S3 store sends, and what it makes of every answer:
 * which are worth another attempt, which are final, which mean that the payload
 * is there already. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdatomic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "store/objects_conformance.h"
#include "store/s3_stub.h"

#define PAYLOAD      "door closed"
#define PAYLOAD_HASH "HASH" /* in an answer, stands for the payload's */
#define OTHER_HASH   "0000000000000000000000000000000000000000000000000000000000000000"

/* Answers in their order, separated by spaces; each is a status with what
 * follows it:  200   200+HASH (with x-amz-meta-blake3)   200=door closed (a body)
 * 400=<Code>X</Code>   cut (closes the connection)   short (a body that ends early) */
struct script {
    const char *answers[12];
    unsigned asked;
    char methods[64]; /* P, H, G: what was asked */
    struct stub_request first;
};

static char payload_hash[2 * EDS_HASH_SIZE + 1];

static void make_answer(const char *what, char out[STUB_TEXT_SIZE])
{
    const char *hash = strchr(what, '+'), *body = strchr(what, '=');
    char header[160] = "";

    if (strcmp(what, "cut") == 0)
        return;
    if (strcmp(what, "short") == 0) {
        strcpy(out, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 11\r\n\r\ndoor");
        return;
    }
    if (hash != NULL)
        snprintf(header, sizeof header, "X-Amz-Meta-Blake3: %s\r\n",
                 strcmp(hash + 1, PAYLOAD_HASH) == 0 ? payload_hash : hash + 1);
    body = body != NULL ? body + 1 : "";
    snprintf(out, STUB_TEXT_SIZE, "HTTP/1.1 %.3s X\r\n%sContent-Length: %zu\r\n\r\n%s", what,
             header, strlen(body), body);
}

static void play(void *context, const struct stub_request *request, char out[STUB_TEXT_SIZE])
{
    struct script *script = context;

    if (script->asked == 0)
        script->first = *request;
    script->methods[strlen(script->methods)] = request->head[0];
    if (script->asked < 12 && script->answers[script->asked] != NULL)
        make_answer(script->answers[script->asked], out);
    script->asked++;
}

static struct eds_objects *open_stub(int port, const char *parameters)
{
    struct eds_objects *objects = NULL;
    struct eds_error err;
    char url[512];

    setenv("AWS_ACCESS_KEY_ID", "AKID", 1);
    setenv("AWS_SECRET_ACCESS_KEY", "geheim", 1);
    snprintf(url, sizeof url, "s3://bucket/in?endpoint=http://127.0.0.1:%d&%s", port, parameters);
    if (eds_objects_open(&objects, url, false, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return objects;
}

static const struct row {
    const char *answers[12];
    const char *methods;
    int32_t rc;
    const char *says;
} puts_[] = {
    {{"200"}, "P", EDS_OK, ""},
    {{"201"}, "P", EDS_OK, ""},
    /* Worth another attempt. */
    {{"500", "200"}, "PP", EDS_OK, ""},
    {{"503", "502", "200"}, "PPP", EDS_OK, ""},
    {{"504", "200"}, "PP", EDS_OK, ""},
    {{"429", "200"}, "PP", EDS_OK, ""},
    {{"408", "200"}, "PP", EDS_OK, ""},
    {{"409", "200"}, "PP", EDS_OK, ""},
    {{"cut", "200"}, "PP", EDS_OK, ""},
    {{"400=<Code>RequestTimeout</Code>", "200"}, "PP", EDS_OK, ""},
    {{"403=<Code>AccessDenied</Code>", "200"}, "PP", EDS_OK, ""},
    {{"400=<Code>ExpiredToken</Code>", "200"}, "PP", EDS_OK, ""},
    /* But not for ever. */
    {{"500", "500", "500=<Code>InternalError</Code>", "200"},
     "PPP",
     EDS_ERR_IO,
     "HTTP 500 InternalError"},
    {{"cut", "cut", "cut", "200"}, "PPP", EDS_ERR_IO, "PUT ..."},
    {{"403", "403=<Code>AccessDenied</Code>", "200"}, "PP", EDS_ERR_IO, "HTTP 403 AccessDenied"},
    /* Final. */
    {{"400=<Code>InvalidArgument</Code>", "200"}, "P", EDS_ERR_IO, "HTTP 400 InvalidArgument"},
    {{"404=<Code>NoSuchBucket</Code>", "200"}, "P", EDS_ERR_IO, "HTTP 404 NoSuchBucket"},
    {{"301=<Code>PermanentRedirect</Code>", "200"}, "P", EDS_ERR_IO, "HTTP 301 PermanentRedirect"},
    {{"501", "200"}, "P", EDS_ERR_IO, "HTTP 501"},
    /* Something is there already. */
    {{"412", "200+" PAYLOAD_HASH}, "PH", EDS_OK, ""},
    {{"412", "200+" OTHER_HASH}, "PH", EDS_ERR_EXISTS, "holds other content"},
    {{"412", "200", "200=" PAYLOAD}, "PHG", EDS_OK, ""},
    {{"412", "200", "200=door closed!"}, "PHG", EDS_ERR_EXISTS, "holds other content"},
    {{"412", "200", "200="}, "PHG", EDS_ERR_EXISTS, "holds other content"},
    {{"412", "200+no-hash", "200=" PAYLOAD}, "PHG", EDS_OK, ""},
    {{"412", "404", "200"}, "PHP", EDS_OK, ""},
    {{"412", "500", "200+" PAYLOAD_HASH}, "PHH", EDS_OK, ""},
    {{"412", "200", "short", "200=" PAYLOAD}, "PHGG", EDS_OK, ""},
    /* An attempt that was good, and its answer lost. */
    {{"cut", "412", "200+" PAYLOAD_HASH}, "PPH", EDS_OK, ""},
};

static void test_puts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof puts_ / sizeof puts_[0]; i++) {
        struct script *script = calloc(1, sizeof *script);
        struct eds_error err = {.text = ""};
        struct eds_objects *objects;
        struct stub *stub;
        int32_t rc;
        int port;

        assert_non_null(script);
        memcpy(script->answers, puts_[i].answers, sizeof script->answers);
        stub = stub_start(&port, play, script);
        objects = open_stub(port, "attempts=3");
        rc = objects_put(objects, "ref", PAYLOAD, strlen(PAYLOAD), &err);
        objects->ops->close(objects);
        stub_stop(stub); /* its threads write into the script */
        if (rc != puts_[i].rc || strstr(err.text, puts_[i].says) == NULL ||
            strcmp(script->methods, puts_[i].methods) != 0)
            fail_msg("row %zu (%s ...): %s, asked %s: %s", i, puts_[i].answers[0],
                     eds_error_name(rc), script->methods, err.text);
        assert_null(strstr(err.text, "geheim"));
        free(script);
    }
}

static const struct row gets[] = {
    {{"200=" PAYLOAD}, "G", EDS_OK, ""},
    {{"503", "200=" PAYLOAD}, "GG", EDS_OK, ""},
    {{"cut", "short", "200=" PAYLOAD}, "GGG", EDS_OK, ""},
    {{"403", "200=" PAYLOAD}, "GG", EDS_OK, ""},
    {{"404=<Code>NoSuchKey</Code>"}, "G", EDS_ERR_NOT_FOUND, "NoSuchKey"},
    {{"404=<Code>NoSuchBucket</Code>"}, "G", EDS_ERR_IO, "NoSuchBucket"},
    {{"403", "403"}, "GG", EDS_ERR_IO, "HTTP 403"},
    {{"500", "500", "500", "200=" PAYLOAD}, "GGG", EDS_ERR_IO, "HTTP 500"},
};

static void test_gets(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gets / sizeof gets[0]; i++) {
        struct script *script = calloc(1, sizeof *script);
        struct eds_object_name name = objects_name("ref", PAYLOAD, strlen(PAYLOAD));
        struct eds_error err = {.text = ""};
        struct eds_objects *objects;
        struct stub *stub;
        void *bytes = NULL;
        size_t size = 0;
        int32_t rc;
        int port;

        assert_non_null(script);
        memcpy(script->answers, gets[i].answers, sizeof script->answers);
        stub = stub_start(&port, play, script);
        objects = open_stub(port, "attempts=3");
        rc = objects->ops->get(objects, &name, &bytes, &size, &err);
        objects->ops->close(objects);
        stub_stop(stub); /* its threads write into the script */
        if (rc != gets[i].rc || strstr(err.text, gets[i].says) == NULL ||
            strcmp(script->methods, gets[i].methods) != 0)
            fail_msg("row %zu (%s ...): %s, asked %s: %s", i, gets[i].answers[0],
                     eds_error_name(rc), script->methods, err.text);
        if (rc == EDS_OK) {
            assert_int_equal(size, strlen(PAYLOAD));
            assert_memory_equal(bytes, PAYLOAD, size);
            free(bytes);
        }
        free(script);
    }
}

/* Each object is its own name. */
static void answer_name(void *context, const struct stub_request *request, char out[STUB_TEXT_SIZE])
{
    const char *path = strchr(request->head, '/'), *end = strchr(path, ' ');
    const char *name = end;

    (void)context;
    while (name[-1] != '/')
        name--;
    snprintf(out, STUB_TEXT_SIZE, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%.*s",
             (int)(end - name), (int)(end - name), name);
}

static void *get_many(void *context)
{
    struct eds_objects *objects = context;

    for (unsigned i = 0; i < 12; i++) {
        char ref[32];
        struct eds_object_name name = objects_name("", &i, sizeof i);
        void *bytes = NULL;
        size_t size = 0;

        snprintf(ref, sizeof ref, "payload-%u", i);
        name.object_ref = ref;
        if (objects->ops->get(objects, &name, &bytes, &size, NULL) != EDS_OK ||
            size != strlen(ref) || memcmp(bytes, ref, size) != 0)
            return "a get got another one's object";
        free(bytes);
    }
    return NULL;
}

/* Gets of many threads do not wait for each other, nor mix their answers up. */
static void test_gets_at_once(void **state)
{
    pthread_t threads[20]; /* more than there are handles */
    struct eds_objects *objects;
    struct stub *stub;
    int port;

    (void)state;
    stub = stub_start(&port, answer_name, NULL);
    objects = open_stub(port, "keys=ref");
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, get_many, objects), 0);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        void *fault = NULL;

        pthread_join(threads[i], &fault);
        if (fault != NULL)
            fail_msg("%s", (const char *)fault);
    }
    objects->ops->close(objects);
    stub_stop(stub);
}

/* Sends one put to a stub that takes it, and gives what was sent. */
static struct stub_request *sent(const char *parameters)
{
    struct script *script = calloc(1, sizeof *script);
    struct stub_request *request = malloc(sizeof *request);
    struct eds_objects *objects;
    struct eds_error err;
    struct stub *stub;
    int port;

    assert_non_null(script);
    assert_non_null(request);
    script->answers[0] = "200";
    stub = stub_start(&port, play, script);
    objects = open_stub(port, parameters);
    if (objects_put(objects, "a b", PAYLOAD, strlen(PAYLOAD), &err) != EDS_OK)
        fail_msg("%s", err.text);
    objects->ops->close(objects);
    stub_stop(stub);
    *request = script->first;
    free(script);
    return request;
}

static void expect_header(const struct stub_request *request, const char *name, const char *value)
{
    char text[1024] = "";

    if (stub_header(request, name, text) == NULL || strcmp(text, value) != 0)
        fail_msg("%s: '%s' instead of '%s'", name, text, value);
}

static void test_request(void **state)
{
    struct stub_request *request = sent("region=eu-west-1");
    char line[256], text[1024];

    (void)state;
    snprintf(line, sizeof line, "PUT /bucket/in/%s HTTP/1.1\r\n", payload_hash);
    assert_memory_equal(request->head, line, strlen(line));
    assert_int_equal(request->body_size, strlen(PAYLOAD));
    assert_memory_equal(request->body, PAYLOAD, strlen(PAYLOAD));
    expect_header(request, "if-none-match", "*");
    expect_header(request, "x-amz-meta-blake3", payload_hash);
    expect_header(request, "content-type", "application/octet-stream");
    expect_header(request, "x-amz-content-sha256",
                  "0081707381997b6da1137b775d66d71d88b4366bac2ec51c4e7fa48dfde6a611");
    assert_non_null(stub_header(request, "authorization", text));
    assert_memory_equal(text, "AWS4-HMAC-SHA256 Credential=AKID/", 33);
    assert_non_null(strstr(text, "/eu-west-1/s3/aws4_request"));
    assert_non_null(
        strstr(text, "if-none-match;x-amz-content-sha256;x-amz-date;x-amz-meta-blake3"));
    assert_null(stub_header(request, "x-amz-security-token", text));
    assert_null(stub_header(request, "x-amz-object-lock-mode", text));
    assert_null(stub_header(request, "x-amz-server-side-encryption", text));
    free(request);
}

static void test_request_options(void **state)
{
    struct stub_request *request;
    char text[1024];

    (void)state;
    setenv("AWS_SESSION_TOKEN", "of-a-session", 1);
    request = sent("sse=AES256&lock=governance&retain-until=2036-01-01T00:00:00Z&keys=ref");
    unsetenv("AWS_SESSION_TOKEN");
    assert_memory_equal(request->head, "PUT /bucket/in/a%20b HTTP/1.1\r\n", 31);
    expect_header(request, "x-amz-security-token", "of-a-session");
    expect_header(request, "x-amz-server-side-encryption", "AES256");
    expect_header(request, "x-amz-object-lock-mode", "GOVERNANCE");
    expect_header(request, "x-amz-object-lock-retain-until-date", "2036-01-01T00:00:00Z");
    assert_non_null(stub_header(request, "x-amz-checksum-sha256", text));
    assert_int_equal(strlen(text), 44);
    assert_non_null(stub_header(request, "authorization", text));
    assert_non_null(strstr(text, "x-amz-security-token;x-amz-server-side-encryption,"));
    free(request);

    request = sent("lock=compliance&retain-days=30");
    assert_non_null(stub_header(request, "x-amz-object-lock-retain-until-date", text));
    assert_int_equal(strlen(text), 20);
    assert_int_equal(text[19], 'Z');
    free(request);
}

/* A service that takes the request and says nothing as long as somebody listens. */
static void say_nothing(void *context, const struct stub_request *request, char *out)
{
    atomic_bool *given_up = context;

    (void)request;
    while (!atomic_load(given_up))
        nanosleep(&(struct timespec){0, 10000000}, NULL);
    strcpy(out, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

static void test_silence(void **state)
{
    atomic_bool given_up = false;
    struct eds_objects *objects;
    struct eds_error err;
    struct stub *stub;
    int port;

    (void)state;
    stub = stub_start(&port, say_nothing, &given_up);
    objects = open_stub(port, "timeout=1");
    assert_int_equal(objects_put(objects, "ref", "x", 1, &err), EDS_ERR_IO);
    atomic_store(&given_up, true);
    assert_non_null(strstr(err.text, "imeout"));
    objects->ops->close(objects);
    stub_stop(stub);
}

/* The metadata service and S3 in one: credentials end, and are asked for again. */
struct instance {
    unsigned tokens, credentials, puts;
    bool wrong_token;
};

static void play_instance(void *context, const struct stub_request *request, char *out)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s";
    struct instance *instance = context;
    char text[1024], body[512] = "", expected[32];

    if (strncmp(request->head, "PUT /latest/api/token ", 22) == 0) {
        instance->tokens++;
        strcpy(body, "a-token\n");
    } else if (strncmp(request->head, "GET /latest/meta-data/iam/security-credentials/", 47) == 0) {
        if (stub_header(request, "x-aws-ec2-metadata-token", text) == NULL ||
            strcmp(text, "a-token") != 0)
            instance->wrong_token = true;
        if (request->head[47] == ' ')
            strcpy(body, "the-role");
        else
            snprintf(body, sizeof body,
                     "{\n  \"Code\" : \"Success\",\n  \"AccessKeyId\" : \"ASIA%u\",\n"
                     "  \"SecretAccessKey\" : \"geheim\",\n  \"Token\" : \"session-%u\",\n"
                     "  \"Expiration\" : \"%s\"\n}",
                     instance->credentials, instance->credentials,
                     instance->credentials == 0 ? "2001-01-01T00:00:00Z" : "2099-01-01T00:00:00Z");
        instance->credentials += request->head[47] != ' ';
    } else {
        instance->puts++;
        snprintf(expected, sizeof expected, "session-%u", instance->credentials - 1);
        if (stub_header(request, "x-amz-security-token", text) == NULL ||
            strcmp(text, expected) != 0) {
            strcpy(out, "HTTP/1.1 400 X\r\nContent-Length: 0\r\n\r\n");
            return;
        }
    }
    snprintf(out, STUB_TEXT_SIZE, answer, strlen(body), body);
}

static void test_instance(void **state)
{
    struct instance instance = {.tokens = 0};
    struct eds_objects *objects;
    struct eds_error err;
    char service[64];
    struct stub *stub;
    int port;

    (void)state;
    stub = stub_start(&port, play_instance, &instance);
    snprintf(service, sizeof service, "http://127.0.0.1:%d", port);
    setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", service, 1);
    objects = open_stub(port, "credentials=imds");
    /* What it got has ended long ago; it asks again, though not at once. */
    nanosleep(&(struct timespec){0, 600000000}, NULL);
    assert_int_equal(objects_put(objects, "ref", PAYLOAD, strlen(PAYLOAD), &err), EDS_OK);
    objects->ops->close(objects);
    unsetenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    stub_stop(stub);
    assert_int_equal(instance.puts, 1);
    assert_int_equal(instance.credentials, 2);
    assert_int_equal(instance.tokens, 2);
    assert_false(instance.wrong_token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_puts),
        cmocka_unit_test(test_gets),
        cmocka_unit_test(test_gets_at_once),
        cmocka_unit_test(test_request),
        cmocka_unit_test(test_request_options),
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_instance),
    };
    uint8_t hash[EDS_HASH_SIZE];

    eds_blake3(hash, PAYLOAD, strlen(PAYLOAD));
    for (size_t i = 0; i < sizeof hash; i++)
        snprintf(payload_hash + 2 * i, 3, "%02x", hash[i]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
