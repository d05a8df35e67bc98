/* Log lines: one event is one line, whatever a value holds, and a JSON line
 * gives the value back. */
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/dice.h"
#include "support/vectors.h"

static char line[8192];

/* Standard error goes to a pipe for the time of one eds_log. */
static void capture(enum eds_log_level level, const struct eds_log_field *fields, unsigned count)
{
    int ends[2], kept = dup(STDERR_FILENO);
    ssize_t size;

    assert_int_equal(pipe(ends), 0);
    dup2(ends[1], STDERR_FILENO);
    eds_log(level, "test_event", fields, count);
    dup2(kept, STDERR_FILENO);
    close(ends[1]);
    size = read(ends[0], line, sizeof line - 1);
    close(ends[0]);
    close(kept);
    assert_true(size >= 0);
    line[size] = '\0';
}

static void log_value(enum eds_log_format format, const char *value)
{
    const struct eds_log_field field = EDS_LOG_STRING("value", value);

    eds_log_configure(EDS_LOG_DEBUG, format);
    capture(EDS_LOG_INFO, &field, 1);
}

/* One line, ended once, and nothing in it that moves a cursor. */
static void assert_one_line(void)
{
    size_t size = strlen(line);

    assert_true(size > 0);
    for (size_t i = 0; i + 1 < size; i++)
        if ((uint8_t)line[i] < 0x20 || line[i] == 0x7f)
            fail_msg("control character in: %s", line);
    assert_int_equal(line[size - 1], '\n');
}

static void test_absent_field(void **state)
{
    const char *none = NULL, *some = "s";
    const struct eds_log_field fields[] = {EDS_LOG_IF("none", none), EDS_LOG_IF("some", some)};

    (void)state;
    for (unsigned format = EDS_LOG_LOGFMT; format <= EDS_LOG_JSON; format++) {
        eds_log_configure(EDS_LOG_DEBUG, (enum eds_log_format)format);
        capture(EDS_LOG_INFO, fields, 2);
        assert_null(strstr(line, "none"));
        assert_non_null(
            strstr(line, format == EDS_LOG_JSON ? ",\"some\":\"s\"}" : "test_event some=s\n"));
    }
}

static void test_plain_line(void **state)
{
    const struct eds_log_field fields[] = {EDS_LOG_STRING("device", "lift-01"),
                                           EDS_LOG_NUMBER("sequence", UINT64_MAX)};

    (void)state;
    eds_log_configure(EDS_LOG_INFO, EDS_LOG_LOGFMT);
    capture(EDS_LOG_WARN, fields, 2);
    assert_memory_equal(line, "ts=20", 5);
    assert_int_equal(strspn(line + 3, "0123456789-T:.Z"), strlen("2026-01-01T00:00:00.000Z"));
    assert_string_equal(strchr(line, ' '), " level=warn event=test_event device=lift-01"
                                           " sequence=18446744073709551615\n");
}

static void test_levels(void **state)
{
    (void)state;
    for (int least = EDS_LOG_DEBUG; least <= EDS_LOG_ERROR; least++)
        for (int level = EDS_LOG_DEBUG; level <= EDS_LOG_ERROR; level++) {
            eds_log_configure((enum eds_log_level)least, EDS_LOG_LOGFMT);
            capture((enum eds_log_level)level, NULL, 0);
            assert_int_equal(line[0] != '\0', level >= least);
        }
}

static const struct {
    const char *value, *written;
} values[] = {
    {"plain", "value=plain\n"},
    {"", "value=\"\"\n"},
    {"two words", "value=\"two words\"\n"},
    {"a=b", "value=\"a=b\"\n"},
    {"say \"no\"", "value=\"say \\\"no\\\"\"\n"},
    {"back\\slash", "value=\"back\\\\slash\"\n"},
    {"x\nts=1 level=error", "value=\"x\\u000ats=1 level=error\"\n"},
    {"\x1b[2Jgone", "value=\"\\u001b[2Jgone\"\n"},
    {"\x7f", "value=\"\\u007f\"\n"},
    {"gr\xc3\xbcn", "value=\"gr\xc3\xbcn\"\n"},
    {"bad \xff byte", "value=\"bad \\ufffd byte\"\n"},
    {"stray a\x80\x80", "value=\"stray a\\ufffd\\ufffd\"\n"},
    {"cut \xe2\x82", "value=\"cut \\ufffd\"\n"},
};

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        log_value(EDS_LOG_LOGFMT, values[i].value);
        assert_one_line();
        assert_string_equal(strstr(line, "value="), values[i].written);
    }
}

static void assert_json_value(const char *value)
{
    json_t *json = json_loads(line, 0, NULL);

    if (json == NULL)
        fail_msg("not JSON: %s", line);
    assert_string_equal(vector_string(json, "value"), value);
    assert_string_equal(vector_string(json, "event"), "test_event");
    assert_int_equal(json_object_size(json), 4);
    json_decref(json);
}

/* Strings that broke other programs come back from a JSON line as they were. */
static void test_naughty_strings(void **state)
{
    json_t *list = vector_load("utf8/blns.json"), *row;
    size_t index;

    (void)state;
    assert_true(json_array_size(list) > 300);
    json_array_foreach(list, index, row)
    {
        const char *value = vector_string(row, "s");

        log_value(EDS_LOG_JSON, value);
        assert_one_line();
        assert_json_value(value);
        log_value(EDS_LOG_LOGFMT, value);
        assert_one_line();
    }
    json_decref(list);
}

static void test_random_bytes(void **state)
{
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 2000; i++) {
        char value[60];
        json_t *json;

        dice_bytes(&dice, value, sizeof value - 1);
        value[sizeof value - 1] = '\0';
        log_value(EDS_LOG_JSON, value);
        assert_one_line();
        json = json_loads(line, 0, NULL);
        assert_non_null(json);
        json_decref(json);
        log_value(EDS_LOG_LOGFMT, value);
        assert_one_line();
    }
}

/* A field too long for a line goes as a whole; what comes after it may stay. */
static void test_too_long(void **state)
{
    static char long_value[5000];
    struct eds_log_field fields[] = {EDS_LOG_STRING("before", "1"),
                                     EDS_LOG_STRING("long", long_value),
                                     EDS_LOG_STRING("after", "2")};
    json_t *json;

    (void)state;
    for (size_t size = 3900; size < sizeof long_value; size++) {
        memset(long_value, 'x', size);
        long_value[size] = '\0';
        eds_log_configure(EDS_LOG_INFO, EDS_LOG_JSON);
        capture(EDS_LOG_INFO, fields, 3);
        assert_one_line();
        assert_true(strlen(line) <= 4096); /* PIPE_BUF: written in one piece */
        json = json_loads(line, 0, NULL);
        assert_non_null(json);
        assert_string_equal(vector_string(json, "before"), "1");
        if (json_object_get(json, "long") != NULL)
            assert_string_equal(vector_string(json, "long"), long_value);
        else
            assert_string_equal(vector_string(json, "after"), "2");
        json_decref(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_absent_field),    cmocka_unit_test(test_plain_line),
        cmocka_unit_test(test_levels),          cmocka_unit_test(test_values),
        cmocka_unit_test(test_naughty_strings), cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
