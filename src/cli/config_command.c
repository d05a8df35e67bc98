/* config_command.c - eds config: what the configuration file says, and may say. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/config_show.h"
#include "cli/json_out.h"
#include "cli/say.h"
#include "cli/suggest.h"

static int32_t load(struct eds_config *config, const struct eds_args *args, struct eds_error *err)
{
    return eds_config_load(config, eds_args_text(args, "config"), err);
}

static int run_check(const struct eds_args *args)
{
    struct eds_config config;
    struct eds_error err;
    struct eds_json_out json;
    int code = EDS_EXIT_OK;

    if (load(&config, args, &err) != EDS_OK) {
        code = eds_say_error(args, "", &err);
    } else if (eds_args_flag(args, "json")) {
        eds_out_begin(&json);
        eds_out_u64(&json, "keys", config.count);
        eds_out_u64(&json, "files", config.file_count);
        eds_out_end(&json);
    } else {
        printf("CONFIG_OK: keys=%zu files=%zu\n", config.count, config.file_count);
    }
    eds_config_free(&config);
    return code;
}

static int run_show(const struct eds_args *args)
{
    struct eds_config config;
    struct eds_error err;
    const char *only = eds_args_text(args, "command");
    int code = EDS_EXIT_OK;

    if (load(&config, args, &err) != EDS_OK)
        code = eds_say_error(args, "", &err);
    else if (eds_config_show(&config, only) == 0)
        code = eds_args_usage(args, "no server is called '%s'", only);
    eds_config_free(&config);
    return code;
}

struct explaining {
    const char *key;
    struct eds_suggestion near;
    unsigned count;
};

static void explain(const struct eds_command *command, const struct eds_option *option)
{
    printf("[%s] %s = %s\n    %s.\n", command->name, option->name,
           eds_option_is_flag(option) ? "true|false" : option->value, option->help);
    if (option->choices != NULL) {
        fputs("    Possible values:", stdout);
        for (const char *const *choice = option->choices; *choice; choice++)
            printf("%s %s", choice == option->choices ? "" : ",", *choice);
        putchar('\n');
    }
    if (option->fallback != NULL)
        printf("    Default: %s\n", option->fallback);
    if (option->environment != NULL)
        printf("    Environment: %s, which goes before the file\n", option->environment);
    if (option->required)
        puts("    Required, here or on the command line");
    puts(option->reloadable ? "    Takes effect at SIGHUP"
                            : "    Takes effect when the server is started");
    if (option->repeatable)
        puts("    May stand more than once: each line adds one");
}

static bool explain_in(void *context, const struct eds_command *command)
{
    struct explaining *explaining = context;

    for (const struct eds_option *option = command->options; option->name != NULL; option++) {
        if (!eds_config_is_key(option))
            continue;
        eds_suggest_try(&explaining->near, option->name);
        if (strcmp(option->name, explaining->key) != 0)
            continue;
        if (explaining->count++ > 0)
            putchar('\n');
        explain(command, option);
    }
    return true;
}

static int run_explain(const struct eds_args *args)
{
    const char *key = eds_args_text(args, "key");
    struct explaining explaining = {.key = key, .near = eds_suggest_begin(key, strlen(key))};

    eds_config_walk(explain_in, &explaining);
    if (explaining.count > 0)
        return EDS_EXIT_OK;
    if (explaining.near.word != NULL)
        return eds_args_usage(args, "unknown key '%s'; a similar one exists: '%s'", key,
                              explaining.near.word);
    return eds_args_usage(args, "unknown key '%s'", key);
}

static const struct eds_option check_options[] = {EDS_OPTION_CONFIG, EDS_OPTION_JSON,
                                                  EDS_OPTIONS_END};

static const struct eds_option show_options[] = {
    {.name = "command", .value = "COMMAND", .help = "Only for this server: serve, serve-tls, ..."},
    EDS_OPTION_CONFIG,
    EDS_OPTIONS_END,
};

static const struct eds_option explain_options[] = {
    {.name = "key", .value = "KEY", .help = "The key", .required = true},
    EDS_OPTIONS_END,
};

static const struct eds_example check_examples[] = {
    {"Before a server is restarted", "eds config check"},
    {NULL, NULL},
};

static const struct eds_example show_examples[] = {
    {"What a server would run with, and where each value comes from", "eds config show serve"},
    {NULL, NULL},
};

static const struct eds_example explain_examples[] = {
    {"What a key means", "eds config explain rate-per-device"},
    {NULL, NULL},
};

static const struct eds_exit_line check_exits[] = {
    {EDS_EXIT_OK, "every file can be read, and every key is known and has a good value"},
    {EDS_EXIT_FAILED, "one is not; standard error says where and why"},
    {0, NULL},
};

static const struct eds_exit_line show_exits[] = {
    {EDS_EXIT_OK, "printed"},
    {EDS_EXIT_FAILED, "a file is not good; standard error says where and why"},
    {0, NULL},
};

static const struct eds_exit_line explain_exits[] = {
    {EDS_EXIT_OK, "printed"},
    {EDS_EXIT_USAGE, "there is no such key"},
    {0, NULL},
};

static const struct eds_command check_command = {
    .name = "check",
    .summary = "Check the configuration files of the servers",
    .description = "Reads what a server would read: " EDS_CONFIG_PATH " and the files of conf.d "
                   "beside it. An unknown key or a bad value is an error, with file and line.",
    .options = check_options,
    .examples = check_examples,
    .exits = check_exits,
    .run = run_check,
};

static const struct eds_command show_command_table = {
    .name = "show",
    .summary = "Show what the servers would run with, and where each value comes from",
    .description = "Passwords in URLs are not shown. What it prints is a configuration file.",
    .options = show_options,
    .positional = "command",
    .examples = show_examples,
    .exits = show_exits,
    .run = run_show,
};

static const struct eds_command explain_command = {
    .name = "explain",
    .summary = "Explain a key of the configuration file",
    .options = explain_options,
    .positional = "key",
    .examples = explain_examples,
    .exits = explain_exits,
    .run = run_explain,
};

static const struct eds_command *const children[] = {
    &check_command,
    &show_command_table,
    &explain_command,
    NULL,
};

const struct eds_command eds_command_config = {
    .name = "config",
    .summary = "The configuration file of the servers: check, show, explain",
    .children = children,
};
