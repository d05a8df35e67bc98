/* test_s3_url.c - what an s3:// URL says, and the address of an object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3_url.h"

static void clear_environment(void)
{
    static const char *const names[] = {"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3",
                                        "AWS_ENDPOINT_URL", "AWS_PROFILE"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
}

/* The URL of an object with the reference "a b/1" and the hash 00 01 02.... */
#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

static const struct {
    const char *url, *address;
} addresses[] = {
    {"s3://bucket", "https://bucket.s3.us-east-1.amazonaws.com/" DIGITS},
    {"s3://bucket/", "https://bucket.s3.us-east-1.amazonaws.com/" DIGITS},
    {"s3://bucket/p?region=eu-west-1", "https://bucket.s3.eu-west-1.amazonaws.com/p/" DIGITS},
    {"s3://bucket/p?style=path", "https://s3.us-east-1.amazonaws.com/bucket/p/" DIGITS},
    {"s3://b/p/q//?endpoint=http://h:9000", "http://h:9000/b/p/q/" DIGITS},
    {"s3://b/p?endpoint=http://h:9000/", "http://h:9000/b/p/" DIGITS},
    {"s3://b/p?endpoint=http%3A%2F%2Fh%3a9000", "http://h:9000/b/p/" DIGITS},
    {"s3://b/p?endpoint=https://h&style=virtual", "https://b.h/p/" DIGITS},
    {"s3://b/p?endpoint=https://[::1]:9000", "https://[::1]:9000/b/p/" DIGITS},
    {"s3://b/a%20b/%C3%A9?endpoint=http://h", "http://h/b/a%20b/%C3%A9/" DIGITS},
    {"s3://b/p?endpoint=http://h&keys=hash", "http://h/b/p/" DIGITS},
    {"s3://b/p?endpoint=http://h&keys=ref", "http://h/b/p/a%20b/1"},
    {"s3://b?endpoint=http://h&keys=ref", "http://h/b/a%20b/1"},
};

static void test_addresses(void **state)
{
    struct eds_object_name name = {.object_ref = "a b/1"};

    (void)state;
    clear_environment();
    for (uint8_t i = 0; i < EDS_HASH_SIZE; i++)
        name.payload_hash[i] = i;
    for (size_t i = 0; i < sizeof addresses / sizeof addresses[0]; i++) {
        struct eds_s3_config config;
        struct eds_error err;
        char address[EDS_S3_ADDRESS_SIZE];

        if (eds_s3_url_parse(&config, addresses[i].url, &err) != EDS_OK)
            fail_msg("%s: %s", addresses[i].url, err.text);
        assert_int_equal(eds_s3_address(address, &config, &name, &err), EDS_OK);
        assert_string_equal(address, addresses[i].address);
    }
}

static void test_environment(void **state)
{
    struct eds_s3_config config;
    struct eds_error err;

    (void)state;
    clear_environment();
    setenv("AWS_DEFAULT_REGION", "second", 1);
    setenv("AWS_ENDPOINT_URL", "http://second", 1);
    assert_int_equal(eds_s3_url_parse(&config, "s3://b", &err), EDS_OK);
    assert_string_equal(config.region, "second");
    assert_string_equal(config.endpoint, "http://second");
    assert_string_equal(config.profile, "default");
    setenv("AWS_REGION", "first", 1);
    setenv("AWS_ENDPOINT_URL_S3", "http://first", 1);
    setenv("AWS_PROFILE", "other", 1);
    assert_int_equal(eds_s3_url_parse(&config, "s3://b", &err), EDS_OK);
    assert_string_equal(config.region, "first");
    assert_string_equal(config.endpoint, "http://first");
    assert_string_equal(config.profile, "other");
    assert_int_equal(eds_s3_url_parse(&config, "s3://b?region=r&endpoint=http://e&profile=p", &err),
                     EDS_OK);
    assert_string_equal(config.region, "r");
    assert_string_equal(config.endpoint, "http://e");
    assert_string_equal(config.profile, "p");
    setenv("AWS_ENDPOINT_URL_S3", "nonsense", 1);
    assert_int_equal(eds_s3_url_parse(&config, "s3://b", &err), EDS_ERR_USAGE);
    clear_environment();
}

static void test_options(void **state)
{
    struct eds_s3_config config;
    struct eds_error err;

    (void)state;
    clear_environment();
    assert_int_equal(eds_s3_url_parse(&config, "s3://b", &err), EDS_OK);
    assert_int_equal(config.connections, 32);
    assert_int_equal(config.attempts, 5);
    assert_int_equal(config.timeout_s, 30);
    assert_int_equal(config.source, EDS_S3_ANY);
    assert_int_equal(eds_s3_url_parse(&config,
                                      "s3://b?connections=256&attempts=20&timeout=600&lock="
                                      "compliance&retain-days=3650&sse=aws:kms&sse-kms-key-id=k&"
                                      "ca=/etc/ca.pem&credentials=file",
                                      &err),
                     EDS_OK);
    assert_int_equal(config.connections, 256);
    assert_int_equal(config.attempts, 20);
    assert_int_equal(config.timeout_s, 600);
    assert_string_equal(config.lock_mode, "COMPLIANCE");
    assert_int_equal(config.retain_days, 3650);
    assert_string_equal(config.sse, "aws:kms");
    assert_string_equal(config.sse_kms_key_id, "k");
    assert_string_equal(config.ca, "/etc/ca.pem");
    assert_int_equal(config.source, EDS_S3_FILE);
}

/* Each is one edit away from a good one. */
static const struct {
    const char *url, *says;
} bad[] = {
    {"s3://", "expected s3://BUCKET"},
    {"s3:///p", "expected s3://BUCKET"},
    {"s3://b_c!d", "expected s3://BUCKET"},
    {"s3://user@b", "expected s3://BUCKET"},
    {"s3://0123456789012345678901234567890123456789012345678901234567890123", "at most 63"},
    {"s3://b/p%2", "bad %-sign"},
    {"s3://b/p%00", "bad %-sign"},
    {"s3://b?", "unknown parameter ''"},
    {"s3://b?endpoint", "endpoint has no readable value"},
    {"s3://b?endpoint=", "endpoint must be"},
    {"s3://b?endpoint=h:9000", "endpoint must be"},
    {"s3://b?endpoint=ftp://h", "endpoint must be"},
    {"s3://b?endpoint=http://", "endpoint must be"},
    {"s3://b?endpoint=http://h/path", "endpoint must be"},
    {"s3://b?endpoint=http://h?x", "endpoint must be"},
    {"s3://b?endpoint=http://AK:SK@h", "do not belong into the endpoint"},
    {"s3://b?endpoint=http://h%0d%0aX", "control character"},
    {"s3://b?region=a:b", "region must be"},
    {"s3://b?region=", "region is empty"},
    {"s3://b?style=host", "style must be"},
    {"s3://b?keys=name", "keys must be"},
    {"s3://b?credentials=AK", "where they are found"},
    {"s3://b?lock=legal&retain-days=1", "lock must be"},
    {"s3://b?lock=governance", "goes together with"},
    {"s3://b?retain-days=1", "goes together with"},
    {"s3://b?lock=governance&retain-days=0", "retain-days must be"},
    {"s3://b?lock=governance&retain-days=1x", "retain-days must be"},
    {"s3://b?lock=governance&retain-days=-1", "retain-days must be"},
    {"s3://b?lock=governance&retain-days=36501", "retain-days must be"},
    {"s3://b?lock=governance&retain-until=2036-01-01", "retain-until must be"},
    {"s3://b?lock=governance&retain-until=2036-02-30T00:00:00Z", "retain-until must be"},
    {"s3://b?lock=governance&retain-days=1&retain-until=2036-01-01T00:00:00Z", "exclude"},
    {"s3://b?sse=aes", "sse must be"},
    {"s3://b?sse=AES256&sse-kms-key-id=k", "wants sse=aws:kms"},
    {"s3://b?sse=aws:kms&sse-kms-key-id=k%0a", "control character"},
    {"s3://b?connections=0", "connections must be"},
    {"s3://b?connections=257", "connections must be"},
    {"s3://b?attempts=21", "attempts must be"},
    {"s3://b?timeout=601", "timeout must be"},
    {"s3://b?timeout=1&timeout=2", "timeout is given twice"},
    {"s3://b?access-key=AK", "unknown parameter 'access-key'"},
};

static void test_bad(void **state)
{
    (void)state;
    clear_environment();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct eds_s3_config config;
        struct eds_error err = {.text = ""};
        int32_t rc = eds_s3_url_parse(&config, bad[i].url, &err);

        if (rc != EDS_ERR_USAGE || strstr(err.text, bad[i].says) == NULL)
            fail_msg("%s: %s: %s", bad[i].url, eds_error_name(rc), err.text);
    }
}

static void test_longest(void **state)
{
    char url[600] = "s3://b/", ref[EDS_OBJECT_REF_SIZE], address[EDS_S3_ADDRESS_SIZE];
    struct eds_object_name name = {.object_ref = ref};
    struct eds_s3_config config;
    struct eds_error err;

    (void)state;
    clear_environment();
    memset(ref, '+', sizeof ref - 1); /* three bytes each in an address */
    ref[sizeof ref - 1] = '\0';
    memset(url + strlen(url), '+', 255);
    assert_int_equal(eds_s3_url_parse(&config, strcat(url, "?keys=ref"), &err), EDS_OK);
    assert_int_equal(eds_s3_address(address, &config, &name, &err), EDS_OK);
    assert_string_equal(address + strlen(address) - 6, "%2B%2B");
    ref[0] = '\0';
    assert_int_equal(eds_s3_address(address, &config, &name, &err), EDS_ERR_EXISTS);
    memset(url, 0, sizeof url);
    strcpy(url, "s3://b/");
    memset(url + strlen(url), '+', 256);
    assert_int_equal(eds_s3_url_parse(&config, url, &err), EDS_ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses), cmocka_unit_test(test_environment),
        cmocka_unit_test(test_options),   cmocka_unit_test(test_bad),
        cmocka_unit_test(test_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
