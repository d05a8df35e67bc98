/* The command line's rules: each row is one edit away from a line that parses. */
#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli/suggest.h"

static const char *const shapes[] = {"array", "ndjson", NULL};

static const struct eds_option options[] = {
    {.name = "id", .value = "ID", .help = "h", .required = true},
    {.name = "count", .value = "COUNT", .help = "h", .check = eds_check_u64, .fallback = "7"},
    {.name = "device", .value = "DEVICE", .help = "h", .repeatable = true},
    {.name = "shape", .value = "SHAPE", .help = "h", .choices = shapes, .fallback = "array"},
    {.name = "file", .value = "FILE", .help = "h", .environment = "EDS_TEST_FILE"},
    {.name = "force", .help = "h"},
    EDS_OPTIONS_END,
};

static const struct eds_command command = {
    .name = "test", .summary = "s", .options = options, .positional = "file"};

static int32_t parse(struct eds_args *args, const char *line, struct eds_error *err)
{
    static char copy[400];
    static char *words[32];
    int count = 0;

    strcpy(copy, line);
    for (char *at = copy; *at != '\0';) {
        words[count++] = at;
        at += strcspn(at, "|");
        if (*at == '|')
            *at++ = '\0';
        else
            break;
        if (*at == '\0')
            words[count++] = at; /* a final empty word */
    }
    return eds_args_parse(args, &command, "eds test", count, words, err);
}

static const struct row {
    const char *line;  /* words between bars */
    const char *error; /* NULL: it parses */
} rows[] = {
    {"--id|x", NULL},
    {"--id=x", NULL},
    {"--id=", NULL},
    {"--id|", NULL},
    {"--id|-", NULL},
    {"--id=-x", NULL},
    {"--id=--id", NULL},
    {"--id=a=b", NULL},
    {"--id|x|--force", NULL},
    {"--id|x|--device|a|--device=b", NULL},
    {"--id|x|file", NULL},
    {"--id|x|--|-file", NULL},
    {"--id|x|--shape|ndjson", NULL},
    {"--id|x|--count|+1", NULL},
    {"--id|x|--count|01", NULL},
    {"--id|x|--count|18446744073709551615", NULL},
    {"", "the following required arguments were not provided:\n  --id <ID>"},
    {"--id", "a value is required for '--id <ID>' but none was supplied"},
    {"--id|--force", "a value is required for '--id <ID>' but none was supplied"},
    {"--id|--", "a value is required for '--id <ID>' but none was supplied"},
    {"--id|-x", "unexpected argument '-x' found\n\n  tip: to pass '-x' as a value, use '--id=-x'"},
    {"--id|x|--id|y", "the argument '--id <ID>' cannot be used multiple times"},
    {"--id|x|--force|--force", "the argument '--force' cannot be used multiple times"},
    {"--id|x|--force=yes", "unexpected value for '--force' found; no more were expected"},
    {"--id|x|--devic|a",
     "unexpected argument '--devic' found\n\n  tip: a similar argument exists: '--device'"},
    {"--id|x|--bogus=2", "unexpected argument '--bogus' found"},
    {"--id|x|-f", "unexpected argument '-f' found"},
    {"--id|x|file|file", "unexpected argument 'file' found"},
    {"--id|x|--file|a|file", "unexpected argument 'file' found"},
    {"--id|x|--shape|tree", "invalid value 'tree' for '--shape <SHAPE>': possible values: array, "
                            "ndjson"},
    {"--id|x|--count|",
     "invalid value '' for '--count <COUNT>': cannot parse integer from empty string"},
    {"--id|x|--count|+", "invalid value '+' for '--count <COUNT>': invalid digit found in string"},
    {"--id|x|--count|++1",
     "invalid value '++1' for '--count <COUNT>': invalid digit found in string"},
    {"--id|x|--count=-1",
     "invalid value '-1' for '--count <COUNT>': invalid digit found in string"},
    {"--id|x|--count| 1",
     "invalid value ' 1' for '--count <COUNT>': invalid digit found in string"},
    {"--id|x|--count|18446744073709551616",
     "invalid value '18446744073709551616' for '--count <COUNT>': number too large to fit in "
     "target type"},
    {"--id|x|--count|184467440737095516150x",
     "invalid value '184467440737095516150x' for '--count <COUNT>': number too large to fit in "
     "target type"},
    {"--id|x|--count|1x99999999999999999999",
     "invalid value '1x99999999999999999999' for '--count <COUNT>': invalid digit found in "
     "string"},
};

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_args args;
        struct eds_error err = {0, ""};
        int32_t rc = parse(&args, rows[i].line, &err);

        assert_int_equal(rc, rows[i].error ? EDS_ERR_USAGE : EDS_OK);
        if (rows[i].error != NULL)
            assert_string_equal(err.text, rows[i].error);
        eds_args_free(&args);
    }
}

static void test_values(void **state)
{
    struct eds_args args;

    (void)state;
    assert_int_equal(parse(&args, "--device|a|--id=|--device=b|--count=+09|f", NULL), EDS_OK);
    assert_string_equal(eds_args_text(&args, "id"), "");
    assert_int_equal(eds_args_u64(&args, "count"), 9);
    assert_int_equal(eds_args_count(&args, "device"), 2);
    assert_string_equal(eds_args_at(&args, "device", 0), "a");
    assert_string_equal(eds_args_at(&args, "device", 1), "b");
    assert_null(eds_args_at(&args, "device", 2));
    assert_string_equal(eds_args_text(&args, "file"), "f");
    assert_string_equal(eds_args_text(&args, "shape"), "array");
    assert_false(eds_args_given(&args, "shape"));
    assert_false(eds_args_flag(&args, "force"));
    eds_args_free(&args);
}

/* The command line before the environment before the fallback; an empty
 * variable is none, an empty value is one. */
static void test_environment(void **state)
{
    struct eds_args args;

    (void)state;
    setenv("EDS_TEST_FILE", "from environment", 1);
    parse(&args, "--id|x", NULL);
    assert_string_equal(eds_args_text(&args, "file"), "from environment");
    assert_false(eds_args_given(&args, "file"));
    eds_args_free(&args);
    parse(&args, "--id|x|--file|given", NULL);
    assert_string_equal(eds_args_text(&args, "file"), "given");
    eds_args_free(&args);
    parse(&args, "--id|x|--file=", NULL);
    assert_string_equal(eds_args_text(&args, "file"), "");
    eds_args_free(&args);
    setenv("EDS_TEST_FILE", "", 1);
    parse(&args, "--id|x", NULL);
    assert_null(eds_args_text(&args, "file"));
    eds_args_free(&args);
    unsetenv("EDS_TEST_FILE");
}

/* Help wins over what follows it, and over what is missing, but not over a
 * mistake before it. */
static void test_help(void **state)
{
    struct eds_args args;

    (void)state;
    assert_int_equal(parse(&args, "--help|--bogus", NULL), EDS_OK);
    assert_true(args.help_wanted);
    eds_args_free(&args);
    assert_int_equal(parse(&args, "-h", NULL), EDS_OK);
    assert_true(args.help_wanted);
    eds_args_free(&args);
    assert_int_equal(parse(&args, "--bogus|--help", NULL), EDS_ERR_USAGE);
    eds_args_free(&args);
    assert_int_equal(parse(&args, "--id|x|--|--help", NULL), EDS_OK);
    assert_false(args.help_wanted);
    assert_string_equal(eds_args_text(&args, "file"), "--help");
    eds_args_free(&args);
}

static const struct {
    const char *typed, *word; /* NULL: nothing is near */
} typos[] = {
    {"keygn", "keygen"},
    {"kegyen", "keygen"},
    {"keygen2", "keygen"},
    {"key", "keygen"},
    {"verfy-chain", "verify-chain"},
    {"verify", "verify-chain"},
    {"frobnicate", NULL},
    {"", NULL},
    {"x", NULL},
};

static void test_suggestions(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof typos / sizeof typos[0]; i++) {
        struct eds_suggestion best = eds_suggest_begin(typos[i].typed, strlen(typos[i].typed));

        eds_suggest_try(&best, "keygen");
        eds_suggest_try(&best, "verify-chain");
        eds_suggest_try(&best, "inspect-key");
        if (typos[i].word == NULL)
            assert_null(best.word);
        else
            assert_string_equal(best.word, typos[i].word);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),        cmocka_unit_test(test_values),
        cmocka_unit_test(test_environment), cmocka_unit_test(test_help),
        cmocka_unit_test(test_suggestions),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
