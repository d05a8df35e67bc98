/* command.h - what a command is: a table that the parser, the help, the
 * completions and the manual pages all read, and one function that runs it.
 *
 * A new command is one file with one `const struct eds_command` and one line
 * in commands.c.  Everything here is static and constant. */
#ifndef EDS_CLI_COMMAND_H
#define EDS_CLI_COMMAND_H

#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

/* What the process says by its exit code. */
enum eds_exit {
    EDS_EXIT_OK = 0,        /* done, or checked and valid */
    EDS_EXIT_FAILED = 1,    /* could not be done; standard error says why */
    EDS_EXIT_NOT_VALID = 2, /* checked and not valid, and nothing else */
    EDS_EXIT_USAGE = 64,    /* the command line is wrong; nothing was done */
};

/* One option, given as --name VALUE or --name=VALUE. */
struct eds_option {
    const char *name;        /* without the dashes */
    const char *value;       /* what help calls its value; NULL: a flag without one */
    const char *help;        /* one sentence, no final full stop */
    const char *fallback;    /* its value where it is not given; NULL: none */
    const char *environment; /* asked before fallback; NULL: no variable */

    const char *const *choices; /* NULL-terminated; NULL: any value */
    int32_t (*check)(const char *text, struct eds_error *err); /* NULL: any text */

    bool required;   /* by the parser; "one of two" is the command's own check */
    bool repeatable; /* else a second time is an error */
    bool reloadable; /* of a server: SIGHUP puts a new value in the file into effect */
};

/* One line to type, and what it does.  The help test runs these lines one
 * after the other in one directory. */
struct eds_example {
    const char *does;
    const char *line;
};

struct eds_exit_line {
    int code;
    const char *means;
};

struct eds_args;

/* A group has children and no run; a command has run and no children.  Tables
 * end with an element whose first member is NULL. */
struct eds_command {
    const char *name;
    const char *summary;     /* one line, as a list of commands shows it */
    const char *description; /* paragraphs, wrapped by help; NULL: summary says it all */
    const struct eds_command *const *children;

    const struct eds_option *options;
    const char *positional; /* name of the option that a bare argument fills; NULL: none */
    bool reads_config;      /* options not given are looked for in the file: cli/config.h */
    const struct eds_example *examples;
    const struct eds_exit_line *exits;
    int (*run)(const struct eds_args *args); /* returns an exit code */
};

#define EDS_OPTION_JSON                                                                            \
    {                                                                                              \
        .name = "json", .help = "Print one JSON object on standard output, errors included"        \
    }
#define EDS_OPTIONS_END                                                                            \
    {                                                                                              \
        .name = NULL                                                                               \
    }

#endif
