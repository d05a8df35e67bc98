/* test_csv.c - rows of CSV, taken apart by RFC 4180. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "fleet/csv.h"

#define SIZE_MAX_ROW 256u

struct good_row {
    const char *text, *cells; /* cells joined by '|' */
    size_t size;              /* of the row, with its line break */
};

static const struct good_row good_rows[] = {
    {"a,b,c\n", "a|b|c", 6},
    {"a,b,c\r\n", "a|b|c", 7},
    {"a,b,c", "a|b|c", 5},
    {"a\nb\n", "a", 2},
    {"\n", "", 1},
    {"\r\nx", "", 2},
    {",\n", "|", 2},
    {",,", "||", 2},
    {"\"a\",b\n", "a|b", 6},
    {"\"a,b\"\n", "a,b", 6},
    {"\"a\nb\"\n", "a\nb", 6},
    {"\"a\r\nb\",c\r\n", "a\r\nb|c", 10},
    {"\"a\rb\"", "a\rb", 5},
    {"\"say \"\"hi\"\"\"\n", "say \"hi\"", 13},
    {"\"\"\"\"\n", "\"", 5},
    {"\"\"\n", "", 3},
    {"\"\",\"\"", "|", 5},
    {"x,\"\"\r\n", "x|", 6},
    {" a , b \n", " a | b ", 8},
    {"a;b\n", "a;b", 4},
    {"\xc3\xa9,\"\xc3\xa9\"\n", "\xc3\xa9|\xc3\xa9", 8},
};

static void join(char *out, const struct eds_csv_row *row)
{
    out[0] = '\0';
    for (size_t i = 0; i < row->count; i++) {
        if (i > 0)
            strcat(out, "|");
        strcat(out, row->cells[i]);
    }
}

static void test_good_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_rows / sizeof good_rows[0]; i++) {
        const struct good_row *row = &good_rows[i];
        char text[SIZE_MAX_ROW], joined[SIZE_MAX_ROW];
        struct eds_csv_fault fault;
        struct eds_csv_row out;
        size_t size = 0;

        strcpy(text, row->text);
        assert_int_equal(eds_csv_measure(text, strlen(text), true, ',', &size, &fault), EDS_OK);
        assert_int_equal(size, row->size);
        assert_int_equal(eds_csv_split(&out, text, size, ','), EDS_OK);
        join(joined, &out);
        assert_string_equal(joined, row->cells);
    }
}

/* A row that may go on is never taken for one that ends; one that has its line
 * break ends there, whatever follows. */
static void test_every_length(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_rows / sizeof good_rows[0]; i++) {
        const struct good_row *row = &good_rows[i];
        size_t whole = strlen(row->text);

        for (size_t size = 0; size <= whole; size++) {
            bool has_break = size >= row->size && row->text[row->size - 1] == '\n';
            struct eds_csv_fault fault;
            size_t row_size = 0;

            assert_int_equal(eds_csv_measure(row->text, size, false, ',', &row_size, &fault),
                             has_break ? EDS_OK : EDS_ERR_TRUNCATED);
            if (has_break)
                assert_int_equal(row_size, row->size);
        }
    }
}

/* Each is a good row with one edit. */
static void test_faults(void **state)
{
    static const struct {
        const char *text;
        size_t size, at;
        const char *words;
    } rows[] = {
        {"a\"b,c\n", 6, 1, "a quote inside a cell"},
        {"a,b\"\"\n", 6, 3, "a quote inside a cell"},
        {" \"a\",b\n", 7, 1, "a quote inside a cell"},
        {"\"a\"b,c\n", 7, 3, "after a cell in quotes"},
        {"\"a\" ,c\n", 7, 3, "after a cell in quotes"},
        {"\"a,b\n", 5, 5, "the file ends inside"},
        {"\"a\"\"\n", 5, 5, "the file ends inside"},
        {"a\rb\n", 4, 1, "a carriage return alone"},
        {"a\r", 2, 1, "a carriage return alone"},
        {"\"a\"\rb\n", 6, 3, "a carriage return alone"},
        {"a\0b\n", 4, 1, "a NUL byte"},
        {"\"a\0\"\n", 5, 2, "a NUL byte"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_csv_fault fault = {NULL, 0};
        size_t size;

        assert_int_equal(eds_csv_measure(rows[i].text, rows[i].size, true, ',', &size, &fault),
                         EDS_ERR_MALFORMED);
        assert_non_null(fault.what);
        if (strncmp(fault.what, rows[i].words, strlen(rows[i].words)) != 0)
            fail_msg("row %zu: %s", i, fault.what);
        assert_int_equal(fault.at, rows[i].at);
    }
}

static void test_separators(void **state)
{
    char text[] = "a,b;\"c;d\"\n", joined[SIZE_MAX_ROW];
    struct eds_csv_fault fault;
    struct eds_csv_row out;
    size_t size;

    (void)state;
    assert_int_equal(eds_csv_measure(text, strlen(text), true, ';', &size, &fault), EDS_OK);
    assert_int_equal(eds_csv_split(&out, text, size, ';'), EDS_OK);
    join(joined, &out);
    assert_string_equal(joined, "a,b|c;d");
}

static void test_too_many_cells(void **state)
{
    char text[EDS_CSV_CELLS_MAX + 2];
    struct eds_csv_row out;

    (void)state;
    memset(text, ',', sizeof text);
    assert_int_equal(eds_csv_split(&out, text, EDS_CSV_CELLS_MAX - 1, ','), EDS_OK);
    assert_int_equal(out.count, EDS_CSV_CELLS_MAX);
    memset(text, ',', sizeof text);
    assert_int_equal(eds_csv_split(&out, text, EDS_CSV_CELLS_MAX, ','), EDS_ERR_TOO_LARGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_rows),      cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_faults),         cmocka_unit_test(test_separators),
        cmocka_unit_test(test_too_many_cells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
