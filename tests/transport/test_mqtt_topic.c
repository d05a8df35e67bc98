/* Which topics are records, and where answers go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "transport/mqtt_topic.h"

#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static void filters(void **state)
{
    static const struct {
        const char *text;
        int32_t rc;
        const char *matching; /* NULL: refused */
        bool is_shared;
    } rows[] = {
        {"edgesentry/ingest", EDS_OK, "edgesentry/ingest", false},
        {"sites/+/ingest", EDS_OK, "sites/+/ingest", false},
        {"+", EDS_OK, "+", false},
        {"#", EDS_OK, "#", false},
        {"sites/#", EDS_OK, "sites/#", false},
        {"/", EDS_OK, "/", false},
        {"response", EDS_OK, "response", false},
        {"a/responses", EDS_OK, "a/responses", false},
        {"a/response/b", EDS_OK, "a/response/b", false},
        {"$share/ingest/sites/+", EDS_OK, "sites/+", true},
        {"$share/ingest/#", EDS_OK, "#", true},
        {"$share/ingest//", EDS_OK, "/", true},
        {"$shared/ingest", EDS_OK, "$shared/ingest", false},
        {"", EDS_ERR_USAGE, NULL, false},
        {"sites/#/ingest", EDS_ERR_USAGE, NULL, false},
        {"sites#", EDS_ERR_USAGE, NULL, false},
        {"sites+/ingest", EDS_ERR_USAGE, NULL, false},
        {"sites/+x", EDS_ERR_USAGE, NULL, false},
        {"a/\xff", EDS_ERR_USAGE, NULL, false},
        {"a/\x01", EDS_ERR_USAGE, NULL, false},
        {"a/response", EDS_ERR_USAGE, NULL, false},
        {"a/command", EDS_ERR_USAGE, NULL, false},
        {"a/commands", EDS_OK, "a/commands", false},
        {"+/response", EDS_ERR_USAGE, NULL, false},
        {"/response", EDS_ERR_USAGE, NULL, false},
        {"$share/", EDS_ERR_USAGE, NULL, false},
        {"$share/ingest", EDS_ERR_USAGE, NULL, false},
        {"$share/ingest/", EDS_ERR_USAGE, NULL, false},
        {"$share//sites", EDS_ERR_USAGE, NULL, false},
        {"$share/in+gest/sites", EDS_ERR_USAGE, NULL, false},
        {"$share/#/sites", EDS_ERR_USAGE, NULL, false},
        {"$share/ingest/sites#", EDS_ERR_USAGE, NULL, false},
        {"$share/ingest/a/response", EDS_ERR_USAGE, NULL, false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct eds_mqtt_filter filter = {.text = "untouched"};
        struct eds_error err = {.text = ""};
        int32_t rc = eds_mqtt_filter_parse(&filter, rows[i].text, &err);

        if (rc != rows[i].rc)
            fail_msg("%s: %d: %s", rows[i].text, rc, err.text);
        if (rc != EDS_OK) {
            assert_true(strlen(err.text) > 10);
            assert_string_equal(filter.text, "untouched");
            continue;
        }
        assert_string_equal(filter.text, rows[i].text);
        assert_string_equal(filter.matching, rows[i].matching);
        assert_true(filter.is_shared == rows[i].is_shared);
    }
}

static void answers(void **state)
{
    static const struct {
        const char *topic;
        bool is_answer;
    } rows[] = {
        {"edgesentry/ingest", false},
        {"edgesentry/ingest/response", true},
        {"edgesentry/ingest/response/", false},
        {"edgesentry/ingest/responses", false},
        {"edgesentry/ingest/Response", false},
        {"/response", true},
        {"edgesentry/ingest/lift-01/command", true},
        {"edgesentry/ingest/commander", false},
        {"response", false},
        {"xresponse", false},
        {"a/response/response", true},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (eds_mqtt_is_answer(rows[i].topic) != rows[i].is_answer)
            fail_msg("%s", rows[i].topic);
        assert_int_equal(eds_mqtt_answer_topic(out, sizeof out, rows[i].topic),
                         strlen(rows[i].topic) + 9);
        assert_true(eds_mqtt_is_answer(out));
    }
    eds_mqtt_answer_topic(out, sizeof out, "a/b");
    assert_string_equal(out, "a/b/response");
}

static void command_topics(void **state)
{
    static const struct {
        const char *device_id, *topic;
    } rows[] = {
        {"lift-01", "sites/7/lift-01/command"},
        {"Az09._~-", "sites/7/Az09._~-/command"},
        {"a/b", "sites/7/a%2Fb/command"},
        {"+", "sites/7/%2B/command"},
        {"#$% \x7f", "sites/7/%23%24%25%20%7F/command"},
        {"\xc3\xa4", "sites/7/%C3%A4/command"},
    };
    char out[64];

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(eds_mqtt_command_topic(out, sizeof out, "sites/7", rows[i].device_id),
                         strlen(rows[i].topic));
        assert_string_equal(out, rows[i].topic);
        assert_true(eds_mqtt_is_answer(out));
    }
    /* Room for an id of which each byte needs three, and no less. */
    assert_int_equal(eds_mqtt_command_topic(out, 13, "a", "b"), 0);
    assert_int_equal(eds_mqtt_command_topic(out, 14, "a", "b"), strlen("a/b/command"));
}

static void answer_sizes(void **state)
{
    char *topic = malloc(EDS_MQTT_TOPIC_SIZE);
    char *out = malloc(2 * EDS_MQTT_TOPIC_SIZE);
    char small[12];

    (void)state;
    assert_non_null(topic);
    assert_non_null(out);
    memset(topic, 'a', EDS_MQTT_TOPIC_SIZE - 1);
    topic[EDS_MQTT_TOPIC_SIZE - 1 - 9] = '\0'; /* the longest with an answer */
    assert_int_equal(eds_mqtt_answer_topic(out, 2 * EDS_MQTT_TOPIC_SIZE, topic),
                     EDS_MQTT_TOPIC_SIZE - 1);
    topic[EDS_MQTT_TOPIC_SIZE - 1 - 9] = 'a';
    topic[EDS_MQTT_TOPIC_SIZE - 9] = '\0';
    assert_int_equal(eds_mqtt_answer_topic(out, 2 * EDS_MQTT_TOPIC_SIZE, topic), 0);
    assert_int_equal(eds_mqtt_answer_topic(small, sizeof small, "ab"), 11);
    assert_int_equal(eds_mqtt_answer_topic(small, sizeof small, "abc"), 0);
    assert_int_equal(eds_mqtt_answer_topic(small, 9, ""), 0);
    free(topic);
    free(out);
}

static void replies(void **state)
{
    static const struct {
        const char *filter, *reply;
        bool allowed;
    } rows[] = {
        {"sites/+", "answers/x", true},          {"sites/+", "sites/x/y", true},
        {"sites/+", "sites/x", false}, /* we would read it as a record */
        {"sites/+", "sites/response", true},     {"#", "answers/x", false},
        {"#", "answers/x/response", true},       {"$share/g/sites/+", "sites/x", false},
        {"$share/g/sites/+", "answers/x", true}, {"sites/+", "", false},
        {"sites/+", "answers/+", false},         {"sites/+", "answers/#", false},
        {"sites/+", "$SYS/broker", false},       {"sites/+", "$share/g/x", false},
        {"sites/+", "answers/\xff", false},      {"sites/+", "answers/\n", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct eds_mqtt_filter filter;

        assert_int_equal(eds_mqtt_filter_parse(&filter, rows[i].filter, NULL), EDS_OK);
        if (eds_mqtt_reply_allowed(&filter, rows[i].reply) != rows[i].allowed)
            fail_msg("%s, %s", rows[i].filter, rows[i].reply);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters),      cmocka_unit_test(answers), cmocka_unit_test(command_topics),
        cmocka_unit_test(answer_sizes), cmocka_unit_test(replies),
    };

    return cmocka_run_group_tests_name("mqtt_topic", tests, NULL, NULL);
}
