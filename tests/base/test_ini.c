/* Lines of a configuration file: each row is one edit away from one that is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/ini.h"

static const struct row {
    const char *text;
    enum eds_ini_kind kind; /* of the first item, or what is wrong */
    unsigned line;
    const char *section, *key, *value;
} rows[] = {
    {"store = memory:", EDS_INI_ITEM, 1, "", "store", "memory:"},
    {"store=memory:", EDS_INI_ITEM, 1, "", "store", "memory:"},
    {"\t store \t=\t memory: \t", EDS_INI_ITEM, 1, "", "store", "memory:"},
    {"store = memory:\n", EDS_INI_ITEM, 1, "", "store", "memory:"},
    {"store = memory:\r\n", EDS_INI_ITEM, 1, "", "store", "memory:"},
    {"\n\r\n# a = b\n  ; c = d\n\tstore = memory:", EDS_INI_ITEM, 5, "", "store", "memory:"},
    {"[serve]\nstore = memory:", EDS_INI_ITEM, 2, "serve", "store", "memory:"},
    {"[ serve-tls ]\nstore = memory:", EDS_INI_ITEM, 2, "serve-tls", "store", "memory:"},
    {"[a]\n[b]\nstore = memory:", EDS_INI_ITEM, 3, "b", "store", "memory:"},
    {"device = a=b # not a comment ; nor this", EDS_INI_ITEM, 1, "", "device",
     "a=b # not a comment ; nor this"},
    {"device = \"lift\"", EDS_INI_ITEM, 1, "", "device", "\"lift\""},
    {"device = \xc3\xa4", EDS_INI_ITEM, 1, "", "device", "\xc3\xa4"},
    {"a\tb = c", EDS_INI_BAD_NAME, 1, "", "", ""},
    {"device = a\tb", EDS_INI_ITEM, 1, "", "device", "a\tb"},

    {"", EDS_INI_END, 0, "", "", ""},
    {"[serve]", EDS_INI_END, 1, "serve", "", ""},
    {"store", EDS_INI_NO_EQUALS, 1, "", "", ""},
    {"\nstore memory:", EDS_INI_NO_EQUALS, 2, "", "", ""},
    {"[serve", EDS_INI_NO_EQUALS, 1, "", "", ""},
    {"[serve] x", EDS_INI_NO_EQUALS, 1, "", "", ""},
    {"[]", EDS_INI_BAD_NAME, 1, "", "", ""},
    {"[", EDS_INI_NO_EQUALS, 1, "", "", ""},
    {"[Serve]", EDS_INI_BAD_NAME, 1, "", "", ""},
    {"Store = x", EDS_INI_BAD_NAME, 1, "", "", ""},
    {"the_store = x", EDS_INI_BAD_NAME, 1, "", "", ""},
    {"= x", EDS_INI_BAD_NAME, 1, "", "", ""},
    {"\xef\xbb\xbfstore = x", EDS_INI_BAD_NAME, 1, "", "", ""},
    {"store =", EDS_INI_NO_VALUE, 1, "", "", ""},
    {"store = \t", EDS_INI_NO_VALUE, 1, "", "", ""},
    {"store = a\x01", EDS_INI_BAD_TEXT, 1, "", "", ""},
    {"store = a\x7f", EDS_INI_BAD_TEXT, 1, "", "", ""},
    {"store = a\rb", EDS_INI_BAD_TEXT, 1, "", "", ""},
    {"store = a\r", EDS_INI_BAD_TEXT, 1, "", "", ""},
    {"store = \xc3", EDS_INI_BAD_TEXT, 1, "", "", ""},
    {"# \x01", EDS_INI_BAD_TEXT, 1, "", "", ""},
};

static void assert_slice(const char *name, struct eds_ini_slice slice, const char *wanted)
{
    if (slice.size != strlen(wanted) || memcmp(slice.bytes, wanted, slice.size) != 0)
        fail_msg("%s: '%.*s'", name, (int)slice.size, slice.bytes);
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct row *row = &rows[i];
        struct eds_ini ini;
        enum eds_ini_kind kind;

        eds_ini_begin(&ini, row->text, strlen(row->text));
        do /* a section is told of, and then what is in it */
            kind = eds_ini_next(&ini);
        while (kind == EDS_INI_SECTION);
        if (kind != row->kind || ini.line != row->line)
            fail_msg("'%s': kind %d in line %u", row->text, (int)kind, ini.line);
        if (kind == EDS_INI_ITEM) {
            assert_slice(row->text, ini.section, row->section);
            assert_slice(row->text, ini.key, row->key);
            assert_slice(row->text, ini.value, row->value);
        }
        assert_int_equal(eds_ini_next(&ini), EDS_INI_END);
    }
}

/* Each section is told of where it begins, also one that has nothing. */
static void test_sections(void **state)
{
    static const char text[] = "a = 1\n[b]\n\n[c]\nd = 2\n[e]";
    static const struct {
        enum eds_ini_kind kind;
        unsigned line;
        const char *section;
    } told[] = {
        {EDS_INI_ITEM, 1, ""},  {EDS_INI_SECTION, 2, "b"}, {EDS_INI_SECTION, 4, "c"},
        {EDS_INI_ITEM, 5, "c"}, {EDS_INI_SECTION, 6, "e"}, {EDS_INI_END, 6, "e"},
    };
    struct eds_ini ini;

    (void)state;
    eds_ini_begin(&ini, text, strlen(text));
    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        assert_int_equal(eds_ini_next(&ini), told[i].kind);
        assert_int_equal(ini.line, told[i].line);
        assert_slice("section", ini.section, told[i].section);
    }
}

/* A NUL, which rows cannot have. */
static void test_nul(void **state)
{
    struct eds_ini ini;

    (void)state;
    eds_ini_begin(&ini, "store = a\0b", 11);
    assert_int_equal(eds_ini_next(&ini), EDS_INI_BAD_TEXT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_sections),
        cmocka_unit_test(test_nul),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
