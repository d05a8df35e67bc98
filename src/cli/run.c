/* run.c - see run.h. */
#include "cli/run.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/credentials.h"
#include "cli/help.h"
#include "cli/manual.h"
#include "cli/verify_level.h"
#include "cli/version.h"

/* The command that the words name, and how it was called. */
struct found {
    const struct eds_command *command;
    char path[EDS_COMMAND_PATH_SIZE];
    int used;            /* words of argv, "eds" included */
    const char *unknown; /* a word that names nothing; NULL: none */
};

static struct found find(int argc, char **argv)
{
    struct found found = {.command = &eds_command_root, .path = "eds", .used = 1};

    while (found.command->children != NULL && found.used < argc && argv[found.used][0] != '-') {
        const char *word = argv[found.used];
        const struct eds_command *next = eds_command_find(found.command, word);
        size_t path_size = strlen(found.path);

        if (next == NULL) {
            found.unknown = word;
            return found;
        }
        snprintf(found.path + path_size, sizeof found.path - path_size, " %s", next->name);
        found.command = next;
        found.used++;
    }
    return found;
}

static int say_unknown(const struct found *found)
{
    const char *near = eds_command_nearest(found->command, found->unknown);

    fprintf(stderr, "error: unrecognized subcommand '%s'\n\n", found->unknown);
    if (near != NULL)
        fprintf(stderr, "  tip: a similar subcommand exists: '%s'\n\n", near);
    eds_help_usage(stderr, found->command, found->path);
    fputs("\nFor more information, try '--help'.\n", stderr);
    return EDS_EXIT_USAGE;
}

/* A group alone explains itself; "eds --version" is the one thing it can do. */
static int run_group(const struct found *found, const struct eds_args *args)
{
    if (found->command == &eds_command_root && eds_args_flag(args, "version"))
        return eds_version_print(eds_args_flag(args, "json"));
    eds_help_print(stderr, found->command, found->path);
    return EDS_EXIT_USAGE;
}

static int run_found(const struct found *found, int argc, char **argv)
{
    struct eds_args args;
    struct eds_error err;
    int code;
    int32_t rc;

    if (eds_credentials_take(&err) != EDS_OK) {
        fprintf(stderr, "error: %s\n", err.text);
        return EDS_EXIT_FAILED;
    }
    rc = eds_args_parse(&args, found->command, found->path, argc, argv, &err);
    if (rc == EDS_OK)
        rc = eds_verify_level_apply(getenv(EDS_ENVIRONMENT_VERIFY_LEVEL), &err);
    if (rc == EDS_OK)
        rc = eds_hash_level_apply(getenv(EDS_ENVIRONMENT_HASH_LEVEL), &err);
    if (rc == EDS_ERR_USAGE) {
        code = eds_args_usage(&args, "%s", err.text);
    } else if (rc != EDS_OK) {
        fprintf(stderr, "error: %s\n", err.text);
        code = EDS_EXIT_FAILED;
    } else if (args.help_wanted) {
        eds_help_print(stdout, found->command, found->path);
        code = EDS_EXIT_OK;
    } else if (found->command->children != NULL) {
        code = run_group(found, &args);
    } else {
        code = found->command->run(&args);
    }
    eds_args_free(&args);
    return code;
}

/* What was printed counts only if it arrived: a full disk behind ">" is an
 * error like any other. */
static int finish(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "error: cannot write to standard output: %s\n", strerror(errno));
    return code == EDS_EXIT_OK ? EDS_EXIT_FAILED : code;
}

/* Explains, and never runs what it was asked about. */
static int run_help(const struct found *found, const char *left_over)
{
    struct eds_args args = {.command = found->command, .path = found->path};

    if (left_over != NULL && strcmp(left_over, "--help") != 0 && strcmp(left_over, "-h") != 0)
        return eds_args_usage(&args, "unexpected argument '%s' found", left_over);
    eds_help_print(stdout, found->command, found->path);
    return finish(EDS_EXIT_OK);
}

/* eds help --man [COMMAND | eds.conf]. */
static int run_manual(int argc, char **argv)
{
    struct found found = find(argc, argv);
    struct eds_args args = {.command = found.command, .path = found.path};

    if (found.unknown != NULL && argc == 2 && strcmp(found.unknown, EDS_MANUAL_CONFIG) == 0) {
        eds_manual_print_config();
        return finish(EDS_EXIT_OK);
    }
    if (found.unknown != NULL)
        return say_unknown(&found);
    if (found.used < argc)
        return eds_args_usage(&args, "unexpected argument '%s' found", argv[found.used]);
    eds_manual_print(found.command, found.path);
    return finish(EDS_EXIT_OK);
}

/* Takes the word "help" out of where a subcommand may stand: "eds help audit
 * keygen" and "eds audit help keygen" ask the same. */
static bool take_help(int *argc, char **argv)
{
    const struct eds_command *group = &eds_command_root;

    for (int at = 1; at < *argc; at++) {
        if (strcmp(argv[at], "help") == 0) {
            memmove(&argv[at], &argv[at + 1], (size_t)(*argc - at) * sizeof *argv); /* and NULL */
            --*argc;
            return true;
        }
        group = eds_command_find(group, argv[at]);
        if (group == NULL || group->children == NULL)
            return false;
    }
    return false;
}

int eds_run(int argc, char **argv)
{
    struct found found;
    bool asked = take_help(&argc, argv);

    if (argc > 1 && strcmp(argv[1], "-V") == 0)
        argv[1] = "--version";
    if (asked && argc > 1 && strcmp(argv[1], "--man") == 0)
        return run_manual(argc - 1, argv + 1);
    if (asked && argc == 2 && strcmp(argv[1], "--list") == 0) {
        eds_manual_list();
        return finish(EDS_EXIT_OK);
    }
    found = find(argc, argv);
    if (found.unknown != NULL)
        return say_unknown(&found);
    if (asked)
        return run_help(&found, found.used < argc ? argv[found.used] : NULL);
    return finish(run_found(&found, argc - found.used, argv + found.used));
}
