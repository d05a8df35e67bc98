/* Notes: each row is one edit away from a good one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "codec/json_note.h"

static void test_good(void **state)
{
    static const char *const good[] = {
        "{\"note\":\"firmware\",\"text\":\"2.4.1\"}",
        " { \"text\" : \"2.4.1\" , \"note\" : \"firmware\" } ",
        "{\"note\":\"firmware\",\"since\":[1,{\"a\":null}],\"text\":\"2.4.\\u0031\"}",
    };
    struct eds_note note;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(eds_json_note_decode(&note, good[i], strlen(good[i]), NULL), EDS_OK);
        assert_string_equal(note.kind, "firmware");
        assert_string_equal(note.text, "2.4.1");
    }
}

static void test_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"", "note"},
        {"[]", "expected an object"},
        {"{\"note\":\"firmware\"}", "text"},
        {"{\"text\":\"2.4.1\"}", "note"},
        {"{\"note\":\"firmware\",\"text\":\"2.4.1\"", "the end of the text"},
        {"{\"note\":\"firmware\",\"text\":\"2.4.1\"}}", "after"},
        {"{\"note\":\"firmware\",\"text\":2}", "text"},
        {"{\"note\":\"firmware\",\"text\":\"\\u0000\"}", "text"},
        {"{\"note\":\"firmware\",\"text\":\"\xff\"}", "text"},
        {"{\"note\":\"firmware\",\"note\":\"clock\",\"text\":\"2.4.1\"}", "note"},
        {"{\"note\":\"123456789012345678901234567890123\",\"text\":\"\"}", "note"},
    };
    struct eds_note note;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_error err = {.text = ""};

        assert_int_not_equal(eds_json_note_decode(&note, rows[i].text, strlen(rows[i].text), &err),
                             EDS_OK);
        if (strstr(err.text, rows[i].words) == NULL)
            fail_msg("%s: %s", rows[i].text, err.text);
    }
}

/* A text as long as may be, and one byte more. */
static void test_longest(void **state)
{
    char text[EDS_NOTE_TEXT_SIZE + 64] = "{\"note\":\"n\",\"text\":\"";
    size_t front = strlen(text);
    struct eds_note note;

    (void)state;
    memset(text + front, 'x', EDS_NOTE_TEXT_SIZE);
    memcpy(text + front + EDS_NOTE_TEXT_SIZE - 1, "\"}", 3);
    assert_int_equal(eds_json_note_decode(&note, text, strlen(text), NULL), EDS_OK);
    assert_int_equal(strlen(note.text), EDS_NOTE_TEXT_SIZE - 1);
    memcpy(text + front + EDS_NOTE_TEXT_SIZE - 1, "x\"}", 4);
    assert_int_not_equal(eds_json_note_decode(&note, text, strlen(text), NULL), EDS_OK);
}

static void test_is_one(void **state)
{
    EdsAuditRecord record = {.object_ref = "edgesentry:note/lift-01/7"};

    (void)state;
    assert_true(eds_note_is_one(&record));
    strcpy((char *)record.object_ref, "edgesentry:not/e");
    assert_false(eds_note_is_one(&record));
    strcpy((char *)record.object_ref, "s3://edgesentry:note/");
    assert_false(eds_note_is_one(&record));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_longest),
        cmocka_unit_test(test_is_one),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
