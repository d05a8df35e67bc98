/* args.c - see args.h. */
#include "cli/args.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/help.h"
#include "cli/suggest.h"

static const struct eds_option *find(const struct eds_command *command, const char *name,
                                     size_t size)
{
    for (const struct eds_option *option = command->options; option && option->name; option++)
        if (strlen(option->name) == size && memcmp(option->name, name, size) == 0)
            return option;
    return NULL;
}

static const struct eds_option *find_own(const struct eds_args *args, const char *name)
{
    const struct eds_option *option = find(args->command, name, strlen(name));

    assert(option != NULL);
    return option;
}

static size_t count_given(const struct eds_args *args, const struct eds_option *option)
{
    size_t count = 0;

    for (size_t i = 0; i < args->given_count; i++)
        count += args->given[i].option == option;
    return count;
}

/* Values of the command line, or else of the file. */
static size_t count_values(const struct eds_args *args, const struct eds_option *option)
{
    size_t count = count_given(args, option);

    return count > 0 ? count : eds_config_count(&args->config, args->command->name, option);
}

/* Digit by digit, so that the first of two mistakes is named, as Rust does. */
static int32_t parse_u64(uint64_t *out, const char *text, struct eds_error *err)
{
    const char *at = *text == '+' ? text + 1 : text;
    uint64_t number = 0;

    if (*text == '\0')
        return eds_error_set(err, EDS_ERR_USAGE, "cannot parse integer from empty string");
    do {
        uint64_t digit = (uint64_t)*at - '0';

        if (*at < '0' || *at > '9')
            return eds_error_set(err, EDS_ERR_USAGE, "invalid digit found in string");
        if (number > UINT64_MAX / 10 || number * 10 > UINT64_MAX - digit)
            return eds_error_set(err, EDS_ERR_USAGE, "number too large to fit in target type");
        number = number * 10 + digit;
    } while (*++at != '\0');
    *out = number;
    return EDS_OK;
}

int32_t eds_check_u64(const char *text, struct eds_error *err)
{
    uint64_t ignored;

    return parse_u64(&ignored, text, err);
}

static int32_t check_choice(const struct eds_option *option, const char *text,
                            struct eds_error *err)
{
    char list[200] = "";

    for (const char *const *choice = option->choices; *choice; choice++) {
        if (strcmp(*choice, text) == 0)
            return EDS_OK;
        if (choice != option->choices)
            strncat(list, ", ", sizeof list - strlen(list) - 1);
        strncat(list, *choice, sizeof list - strlen(list) - 1);
    }
    return eds_error_set(err, EDS_ERR_USAGE, "possible values: %s", list);
}

int32_t eds_option_check(const struct eds_option *option, const char *text, struct eds_error *err)
{
    int32_t rc = option->choices != NULL ? check_choice(option, text, err) : EDS_OK;

    return rc == EDS_OK && option->check != NULL ? option->check(text, err) : rc;
}

static int32_t take(struct eds_args *args, const struct eds_option *option, char *text,
                    struct eds_error *err)
{
    struct eds_error why;

    if (!option->repeatable && count_given(args, option) > 0)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "the argument '--%s%s%s%s' cannot be used multiple times",
                             option->name, option->value ? " <" : "",
                             option->value ? option->value : "", option->value ? ">" : "");
    if (text != NULL && eds_option_check(option, text, &why) != EDS_OK)
        return eds_error_set(err, EDS_ERR_USAGE, "invalid value '%s' for '--%s <%s>': %s", text,
                             option->name, option->value, why.text);
    args->given[args->given_count++] = (struct eds_given){option, text};
    return EDS_OK;
}

static int32_t say_unexpected(const struct eds_command *command, const char *word,
                              struct eds_error *err)
{
    const char *near = NULL;
    size_t size = strcspn(word, "=");

    if (strncmp(word, "--", 2) == 0) {
        struct eds_suggestion best = eds_suggest_begin(word + 2, size - 2);

        for (const struct eds_option *option = command->options; option && option->name; option++)
            eds_suggest_try(&best, option->name);
        eds_suggest_try(&best, "help");
        near = best.word;
    }
    if (near == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "unexpected argument '%.*s' found", (int)size,
                             word);
    return eds_error_set(err, EDS_ERR_USAGE,
                         "unexpected argument '%.*s' found\n\n  tip: a similar argument exists: "
                         "'--%s'",
                         (int)size, word, near);
}

/* The value of an option that has none after '=': the next word, unless that
 * looks like an option itself. */
static int32_t take_next(struct eds_args *args, const struct eds_option *option, char *next,
                         struct eds_error *err)
{
    if (next == NULL || strcmp(next, "--") == 0 ||
        (strncmp(next, "--", 2) == 0 && find(args->command, next + 2, strcspn(next + 2, "="))))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "a value is required for '--%s <%s>' but none was supplied",
                             option->name, option->value);
    if (next[0] == '-' && next[1] != '\0')
        return eds_error_set(err, EDS_ERR_USAGE,
                             "unexpected argument '%s' found\n\n  tip: to pass '%s' as a value, "
                             "use '--%s=%s'",
                             next, next, option->name, next);
    return take(args, option, next, err);
}

static int32_t take_bare(struct eds_args *args, char *word, struct eds_error *err)
{
    const struct eds_option *option;

    if (args->command->positional == NULL)
        return say_unexpected(args->command, word, err);
    option = find_own(args, args->command->positional);
    if (!option->repeatable && count_given(args, option) > 0)
        return eds_error_set(err, EDS_ERR_USAGE, "unexpected argument '%s' found", word);
    return take(args, option, word, err);
}

/* Takes the option at argv[0]; *used is set to the words it is made of. */
static int32_t take_option(struct eds_args *args, char **argv, int argc, int *used,
                           struct eds_error *err)
{
    char *word = argv[0];
    size_t size = strcspn(word, "=");
    const struct eds_option *option =
        strncmp(word, "--", 2) == 0 ? find(args->command, word + 2, size - 2) : NULL;
    char *value = word[size] == '=' ? word + size + 1 : NULL;

    *used = 1;
    if (option == NULL)
        return say_unexpected(args->command, word, err);
    if (eds_option_is_flag(option) && value != NULL)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "unexpected value for '--%s' found; no more were expected",
                             option->name);
    if (eds_option_is_flag(option) || value != NULL)
        return take(args, option, value, err);
    *used = 2;
    return take_next(args, option, argc > 1 ? argv[1] : NULL, err);
}

static int32_t check_required(const struct eds_args *args, struct eds_error *err)
{
    char list[EDS_ERROR_TEXT_SIZE] = "";
    size_t used = 0;

    for (const struct eds_option *option = args->command->options; option && option->name; option++)
        if (option->required && count_values(args, option) == 0 && used < sizeof list)
            used += (size_t)snprintf(list + used, sizeof list - used, "\n  --%s <%s>", option->name,
                                     option->value);
    if (used == 0)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_USAGE,
                         "the following required arguments were not provided:%s", list);
}

int32_t eds_args_parse(struct eds_args *out, const struct eds_command *command, const char *path,
                       int argc, char **argv, struct eds_error *err)
{
    bool bare_only = false;

    *out = (struct eds_args){.command = command, .path = path};
    out->given = calloc((size_t)argc + 1, sizeof *out->given);
    if (out->given == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    for (int i = 0; i < argc;) {
        char *word = argv[i];
        int used = 1;
        int32_t rc;

        if (!bare_only && (strcmp(word, "-h") == 0 || strcmp(word, "--help") == 0)) {
            out->help_wanted = true;
            return EDS_OK;
        }
        if (!bare_only && strcmp(word, "--") == 0) {
            bare_only = true;
            rc = EDS_OK;
        } else if (bare_only || word[0] != '-' || word[1] == '\0') {
            rc = take_bare(out, word, err);
        } else {
            rc = take_option(out, argv + i, argc - i, &used, err);
        }
        if (rc != EDS_OK)
            return rc;
        i += used;
    }
    if (command->reads_config) {
        int32_t rc = eds_config_load(&out->config, eds_args_text(out, "config"), err);

        if (rc != EDS_OK)
            return rc;
    }
    return check_required(out, err);
}

void eds_args_free(struct eds_args *args)
{
    free(args->given);
    eds_config_free(&args->config);
    *args = (struct eds_args){0};
}

size_t eds_args_count(const struct eds_args *args, const char *name)
{
    return count_values(args, find_own(args, name));
}

char *eds_args_at(const struct eds_args *args, const char *name, size_t index)
{
    const struct eds_option *option = find_own(args, name);
    const struct eds_setting *setting;

    if (count_given(args, option) == 0) {
        setting = eds_config_at(&args->config, args->command->name, option, index);
        return setting != NULL ? setting->value : NULL;
    }
    for (size_t i = 0; i < args->given_count; i++)
        if (args->given[i].option == option && index-- == 0)
            return args->given[i].text;
    return NULL;
}

bool eds_args_given(const struct eds_args *args, const char *name)
{
    return count_given(args, find_own(args, name)) > 0;
}

bool eds_args_is_set(const struct eds_args *args, const char *name)
{
    return count_values(args, find_own(args, name)) > 0;
}

bool eds_args_flag(const struct eds_args *args, const char *name)
{
    assert(eds_option_is_flag(find_own(args, name)));
    if (eds_args_given(args, name))
        return true;
    return eds_args_is_set(args, name) && strcmp(eds_args_at(args, name, 0), "true") == 0;
}

const char *eds_args_text(const struct eds_args *args, const char *name)
{
    const struct eds_option *option = find_own(args, name);
    bool given = count_given(args, option) > 0;
    const char *variable = option->environment != NULL ? getenv(option->environment) : NULL;
    const char *text;

    if (!given && variable != NULL && *variable != '\0')
        return variable;
    text = eds_args_at(args, name, 0);
    return text != NULL ? text : option->fallback;
}

uint64_t eds_args_u64(const struct eds_args *args, const char *name)
{
    uint64_t number = 0;
    int32_t rc = parse_u64(&number, eds_args_text(args, name), NULL);

    assert(find_own(args, name)->check == eds_check_u64 && rc == EDS_OK);
    (void)rc;
    return number;
}

int eds_args_usage(const struct eds_args *args, const char *format, ...)
{
    va_list arguments;

    fputs("error: ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputs("\n\n", stderr);
    eds_help_usage(stderr, args->command, args->path);
    fputs("\nFor more information, try '--help'.\n", stderr);
    return EDS_EXIT_USAGE;
}
