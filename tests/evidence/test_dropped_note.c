/* test_dropped_note.c - which records are notes of payloads that were given up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "evidence/dropped_note.h"

#define NOTE "{\"note\":\"payload-dropped\",\"text\":\"BLAKE3 00, 7 bytes\"}"

static const struct {
    const char *name, *reference, *payload;
    const char *text; /* NULL: it is none */
} rows[] = {
    {"a note", "edgesentry:note/lift-01/7", NOTE, "BLAKE3 00, 7 bytes"},
    {"another reference", "edge:lift-01/7", NOTE, NULL},
    {"another kind", "edgesentry:note/lift-01/7", "{\"note\":\"clock\",\"text\":\"BLAKE3\"}", NULL},
    {"cut", "edgesentry:note/lift-01/7", "{\"note\":\"payload-dropped\",\"text\":\"BLAKE3 00\"",
     NULL},
    {"too short for both ends", "edgesentry:note/lift-01/7",
     "{\"note\":\"payload-dropped\",\"text\":\"}", NULL},
    {"no text", "edgesentry:note/lift-01/7", "{\"note\":\"payload-dropped\",\"text\":\"\"}", ""},
    {"for a terminal", "edgesentry:note/lift-01/7",
     "{\"note\":\"payload-dropped\",\"text\":\"\x1b[2J\xc3\xa9\"}", "?[2J??"},
    {"empty", "edgesentry:note/lift-01/7", "", NULL},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        EdsAuditRecord record = {.sequence = 7};
        char text[EDS_DROPPED_TEXT_SIZE] = "untouched";
        bool is_note;

        strcpy((char *)record.object_ref, rows[i].reference);
        is_note = eds_dropped_note_read(text, &record, rows[i].payload, strlen(rows[i].payload));
        if (is_note != (rows[i].text != NULL) ||
            strcmp(text, is_note ? rows[i].text : "untouched") != 0)
            fail_msg("%s: %d, %s", rows[i].name, is_note, text);
    }
}

static void test_long(void **state)
{
    EdsAuditRecord record = {.sequence = 7};
    char payload[2000], text[EDS_DROPPED_TEXT_SIZE];
    int front = snprintf(payload, sizeof payload, "{\"note\":\"payload-dropped\",\"text\":\"");

    (void)state;
    strcpy((char *)record.object_ref, "edgesentry:note/lift-01/7");
    memset(payload + front, 'x', sizeof payload - (size_t)front);
    memcpy(payload + sizeof payload - 2, "\"}", 2);
    assert_true(eds_dropped_note_read(text, &record, payload, sizeof payload));
    assert_int_equal(strlen(text), EDS_DROPPED_TEXT_SIZE - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows), cmocka_unit_test(test_long)};

    return cmocka_run_group_tests_name("dropped_note", tests, NULL, NULL);
}
