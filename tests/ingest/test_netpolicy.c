/* test_netpolicy.c - who may send: the original's rules, but for addresses of
 * IPv4 in IPv6's clothes, which count as IPv4, and prefix lengths with a sign
 * or a leading zero, which are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "ingest/netpolicy.h"
#include "support/dice.h"
#include "support/vectors.h"

static struct eds_address address_of(const char *text)
{
    struct eds_address address;

    assert_int_equal(eds_address_parse(&address, text, strlen(text), NULL), EDS_OK);
    return address;
}

static int32_t check(const struct eds_netpolicy *policy, const char *source, struct eds_error *err)
{
    struct eds_address address = address_of(source);

    return eds_netpolicy_check(policy, &address, err);
}

static bool allows(const char *rule, const char *source)
{
    struct eds_netpolicy policy = {.network_count = 0};

    assert_int_equal(eds_netpolicy_allow(&policy, rule, strlen(rule), NULL), EDS_OK);
    return check(&policy, source, NULL) == EDS_OK;
}

/* The original's answer, or ours where the difference is meant:
 *   - a mapped source is judged, and named, as the IPv4 address that it is;
 *   - so ::/0 lets no IPv4 source in, and a rule inside ::ffff:0:0/96 is an
 *     IPv4 rule. */
static const char *our_answer(const char *rule, const char *source, const char *original)
{
    if (strcmp(rule, "::ffff:10.0.0.0/104") == 0)
        return strncmp(source, "10.", 3) == 0 || strcmp(source, "::ffff:10.1.2.3") == 0 ? "ok"
                                                                                        : NULL;
    if (strncmp(source, "::ffff:", 7) != 0)
        return original;
    if (strncmp(rule, "10.", 3) == 0 && strcmp(source, "::ffff:10.1.2.3") == 0)
        return "ok";
    if (strncmp(rule, "127.0.0.1", 9) == 0 && strcmp(source, "::ffff:127.0.0.1") == 0)
        return "ok";
    if (strcmp(rule, "0.0.0.0/0") == 0)
        return "ok";
    return NULL;
}

static void check_sources(const char *rule, const json_t *checks)
{
    struct eds_netpolicy policy = {.network_count = 0};
    const json_t *row;
    size_t i;

    assert_int_equal(eds_netpolicy_allow(&policy, rule, strlen(rule), NULL), EDS_OK);
    assert_int_equal(json_array_size(checks), 12);
    json_array_foreach(checks, i, row)
    {
        const char *source = vector_string(row, "addr");
        const char *expected = our_answer(rule, source, vector_string(row, "result"));
        char text[128];
        struct eds_error err = {0};

        if (expected == NULL) {
            snprintf(text, sizeof text, "source %s is not in the allowlist",
                     strncmp(source, "::ffff:", 7) == 0 ? source + 7 : source);
            expected = text;
        }
        if (check(&policy, source, &err) == EDS_OK)
            strcpy(err.text, "ok");
        if (strcmp(err.text, expected) != 0)
            fail_msg("%s from %s: %s, expected %s", rule, source, err.text, expected);
    }
}

static void test_original_rules(void **state)
{
    json_t *rows = vector_load("peer/network_policy.json"), *row;
    size_t i, rules = 0, errors = 0, stricter = 0;

    (void)state;
    json_array_foreach(rows, i, row)
    {
        const char *rule = vector_string(row, "cidr");
        const char *error = json_string_value(json_object_get(row, "error"));
        struct eds_netpolicy policy = {.network_count = 0};
        struct eds_error err;

        if (strcmp(rule, "10.0.0.0") == 0) {
            continue; /* to the original's CIDR reader an error, in a list an address */
        } else if (strcmp(rule, "10.0.0.0/08") == 0 || strcmp(rule, "10.0.0.0/+8") == 0) {
            assert_int_equal(eds_netpolicy_allow(&policy, rule, strlen(rule), &err),
                             EDS_ERR_MALFORMED);
            stricter++;
        } else if (error != NULL) {
            assert_int_equal(eds_netpolicy_allow(&policy, rule, strlen(rule), &err),
                             EDS_ERR_MALFORMED);
            assert_string_equal(err.text, error);
            assert_int_equal(policy.network_count, 0);
            errors++;
        } else {
            check_sources(rule, vector_get(row, "checks"));
            rules++;
        }
    }
    assert_int_equal(rules, 7);
    assert_int_equal(errors, 11);
    assert_int_equal(stricter, 2);
    json_decref(rows);
}

static void test_go_contains(void **state)
{
    json_t *rows = vector_load("ip-cidr/go-netaddr-contains.json"), *row;
    size_t i;

    (void)state;
    json_array_foreach(rows, i, row)
    {
        const char *rule = vector_string(row, "prefix"), *source = vector_string(row, "ip");

        if (strchr(rule, '%') != NULL) { /* Go has zones, Rust has not */
            struct eds_netpolicy policy = {.network_count = 0};

            assert_int_equal(eds_netpolicy_allow(&policy, rule, strlen(rule), NULL),
                             EDS_ERR_MALFORMED);
            continue;
        }
        assert_int_equal(allows(rule, source), vector_bool(row, "want"));
    }
    json_decref(rows);
}

static void test_go_prefix_errors(void **state)
{
    json_t *rows = vector_load("ip-cidr/go-netaddr-prefix-errors.json"), *row;
    size_t i;

    (void)state;
    json_array_foreach(rows, i, row)
    {
        const char *rule = vector_string(row, "prefix");
        struct eds_netpolicy policy = {.network_count = 0};

        if (strchr(rule, '/') == NULL)
            continue; /* an address alone is a rule here */
        assert_int_equal(eds_netpolicy_allow(&policy, rule, strlen(rule), NULL), EDS_ERR_MALFORMED);
    }
    assert_int_equal(i, 4);
    json_decref(rows);
}

static void test_prefix_lengths(void **state)
{
    static const struct {
        const char *rule;
        bool good;
    } rows[] = {
        {"10.0.0.0/8", true},     {"10.0.0.0/08", false},
        {"10.0.0.0/008", false},  {"10.0.0.0/+8", false},
        {"10.0.0.0/-8", false},   {"10.0.0.0/ 8", false},
        {"10.0.0.0/8 ", false},   {"10.0.0.0/", false},
        {"10.0.0.0/8a", false},   {"10.0.0.0/0x8", false},
        {"10.0.0.0/0", true},     {"10.0.0.0/00", false},
        {"10.0.0.0/32", true},    {"10.0.0.0/33", false},
        {"10.0.0.0/256", false},  {"10.0.0.0/264", false},
        {"10.0.0.0/1000", false}, {"10.0.0.0/4294967304", false},
        {"::/0", true},           {"::/128", true},
        {"::/129", false},        {"::/0128", false},
        {"10.1.2.3/8", true},     {"10.0.0.0//8", false},
        {"10.0.0/8", false},      {"/8", false},
        {"10.0.0.0/8/8", false},  {"::1%lo/128", false},
        {"[::1]/128", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_netpolicy policy = {.network_count = 0};
        int32_t rc = eds_netpolicy_allow(&policy, rows[i].rule, strlen(rows[i].rule), NULL);

        if (rc != (rows[i].good ? EDS_OK : EDS_ERR_MALFORMED))
            fail_msg("'%s': %d", rows[i].rule, (int)rc);
    }
}

/* Each family has its own everything. */
static void test_whole_families(void **state)
{
    static const char *const v4[] = {"0.0.0.0", "255.255.255.255", "::ffff:10.1.2.3"};
    static const char *const v6[] = {"::", "::1", "ffff::", "::10.1.2.3", "64:ff9b::10.1.2.3"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_true(allows("0.0.0.0/0", v4[i]));
        assert_true(allows("::ffff:0.0.0.0/96", v4[i]));
        assert_false(allows("::/0", v4[i]));
    }
    for (size_t i = 0; i < 5; i++) {
        assert_true(allows("::/0", v6[i]));
        assert_false(allows("0.0.0.0/0", v6[i]));
    }
    assert_true(allows("::ffff:10.1.2.3", "10.1.2.3"));
    assert_false(allows("::ffff:10.1.2.3", "10.1.2.4"));
}

/* Every prefix length, at its last bit inside and its first bit outside. */
static void test_every_prefix_length(void **state)
{
    (void)state;
    for (unsigned is_v6 = 0; is_v6 < 2; is_v6++)
        for (unsigned bits = 0; bits <= (is_v6 ? 128u : 32u); bits++) {
            struct eds_address base =
                address_of(is_v6 ? "a5a5:5a5a:a5a5:5a5a:a5a5:5a5a:a5a5:5a5a" : "165.90.165.90");
            struct eds_netpolicy policy = {.networks = {{base, bits}}, .network_count = 1};
            struct eds_address inside = base, outside = base;

            for (unsigned i = bits; i < (is_v6 ? 128u : 32u); i++)
                inside.bytes[i / 8] ^= (uint8_t)(0x80 >> i % 8);
            assert_int_equal(eds_netpolicy_check(&policy, &inside, NULL), EDS_OK);
            if (bits == 0)
                continue;
            outside.bytes[(bits - 1) / 8] ^= (uint8_t)(0x80 >> (bits - 1) % 8);
            assert_int_equal(eds_netpolicy_check(&policy, &outside, NULL), EDS_ERR_NOT_FOUND);
        }
}

static void test_lists(void **state)
{
    static const struct {
        const char *list, *error;
        unsigned count;
    } rows[] = {
        {"127.0.0.1", NULL, 1},
        {"10.0.0.0/8,127.0.0.1,fd00::/8", NULL, 3},
        {"", "invalid IP '': invalid IP address syntax", 0},
        {"127.0.0.1,", "invalid IP '': invalid IP address syntax", 0},
        {",127.0.0.1", "invalid IP '': invalid IP address syntax", 0},
        {"127.0.0.1,,::1", "invalid IP '': invalid IP address syntax", 0},
        {"127.0.0.1, ::1", "invalid IP ' ::1': invalid IP address syntax", 0},
        {"127.0.0.1;::1", "invalid IP '127.0.0.1;::1': invalid IP address syntax", 0},
        {"abc", "invalid IP 'abc': invalid IP address syntax", 0},
        {"127.0.0.1,10.0.0.0/99", "invalid CIDR '10.0.0.0/99': expected <addr>/<prefix_len>", 0},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_netpolicy policy = {.network_count = 0};
        struct eds_error err;
        int32_t rc = eds_netpolicy_allow_list(&policy, rows[i].list, &err);

        assert_int_equal(rc, rows[i].error == NULL ? EDS_OK : EDS_ERR_MALFORMED);
        if (rows[i].error != NULL)
            assert_string_equal(err.text, rows[i].error);
        assert_int_equal(policy.network_count, rows[i].count);
    }
}

static void test_deny_by_default_and_any_rule_will_do(void **state)
{
    struct eds_netpolicy policy = {.network_count = 0};
    struct eds_error err;

    (void)state;
    assert_int_equal(check(&policy, "127.0.0.1", &err), EDS_ERR_NOT_FOUND);
    assert_string_equal(err.text, "source 127.0.0.1 is not in the allowlist");
    assert_int_equal(eds_netpolicy_allow_list(&policy, "10.0.0.0/8,::1", NULL), EDS_OK);
    assert_int_equal(check(&policy, "10.9.9.9", NULL), EDS_OK);
    assert_int_equal(check(&policy, "::1", NULL), EDS_OK);
    assert_int_equal(check(&policy, "fd12:0:0:0::1", &err), EDS_ERR_NOT_FOUND);
    assert_string_equal(err.text, "source fd12::1 is not in the allowlist");
}

static void test_too_many(void **state)
{
    struct eds_netpolicy policy = {.network_count = 0};
    struct eds_error err;

    (void)state;
    for (unsigned i = 0; i < EDS_NETWORKS_MAX; i++)
        assert_int_equal(eds_netpolicy_allow(&policy, "10.0.0.1", 8, NULL), EDS_OK);
    assert_int_equal(eds_netpolicy_allow(&policy, "10.0.0.1", 8, &err), EDS_ERR_TOO_LARGE);
    assert_string_equal(err.text, "more than 256 allowed sources");
    assert_int_equal(policy.network_count, EDS_NETWORKS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_original_rules),
        cmocka_unit_test(test_go_contains),
        cmocka_unit_test(test_go_prefix_errors),
        cmocka_unit_test(test_prefix_lengths),
        cmocka_unit_test(test_whole_families),
        cmocka_unit_test(test_every_prefix_length),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_deny_by_default_and_any_rule_will_do),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
