/* args.h - a command line, parsed by a command's table.
 *
 * The rules are those of the original's parser: `--name VALUE` or
 * `--name=VALUE`; no abbreviations; a second --name is an error unless the
 * option is repeatable; a VALUE of its own that begins with '-' is an error
 * (write --name=-x), but "-" alone is a value and means a standard stream;
 * after "--" only bare arguments follow. */
#ifndef EDS_CLI_ARGS_H
#define EDS_CLI_ARGS_H

#include "cli/config.h"

#define EDS_COMMAND_PATH_SIZE 64u /* bytes, NUL included */

struct eds_given {
    const struct eds_option *option;
    char *text; /* inside argv; NULL for a flag */
};

struct eds_args {
    const struct eds_command *command;
    const char *path;        /* "eds audit keygen": for messages */
    struct eds_given *given; /* in the order of the command line */
    size_t given_count;
    bool help_wanted;         /* -h or --help came before any mistake */
    struct eds_config config; /* empty for a command that reads none */
};

/* eds_args_parse reads argv[0] ... argv[argc - 1], the words after the
 * command's name, and fills *out, which the caller frees with eds_args_free
 * also on failure.  argv is kept and must live as long.
 *
 * EDS_OK, EDS_ERR_USAGE with *err saying what and how to mend it,
 * EDS_ERR_NO_MEMORY, or the error of eds_config_load. */
int32_t eds_args_parse(struct eds_args *out, const struct eds_command *command, const char *path,
                       int argc, char **argv, struct eds_error *err);
void eds_args_free(struct eds_args *args);

/* A name that is not in the command's table is a wrong program (assert).
 *
 * eds_args_text is the option's value: as given, else from its environment
 * variable (an empty variable counts as none), else from the configuration file,
 * else its fallback, else NULL.
 * For a repeatable option it is the first one. */
const char *eds_args_text(const struct eds_args *args, const char *name);

/* eds_args_u64 reads the value of an option whose check is eds_check_u64 and
 * which is required or has a fallback. */
uint64_t eds_args_u64(const struct eds_args *args, const char *name);

/* eds_args_flag tells whether a flag was given, or is true in the file. */
bool eds_args_flag(const struct eds_args *args, const char *name);

/* eds_args_given tells whether the option stands on the command line. */
bool eds_args_given(const struct eds_args *args, const char *name);

/* eds_args_is_set tells whether it stands there or in the configuration file. */
bool eds_args_is_set(const struct eds_args *args, const char *name);

/* eds_args_count and eds_args_at walk a repeatable option's values, those of the
 * command line or else those of the file; at gives argv's own bytes, which a
 * command may overwrite to hide a secret. */
size_t eds_args_count(const struct eds_args *args, const char *name);
char *eds_args_at(const struct eds_args *args, const char *name, size_t index);

/* eds_args_usage says on standard error that the options do not go together,
 * prints the usage line, and returns EDS_EXIT_USAGE. */
int eds_args_usage(const struct eds_args *args, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* eds_option_check holds a value to an option's choices and check.  EDS_OK, or
 * EDS_ERR_USAGE and *err says why. */
int32_t eds_option_check(const struct eds_option *option, const char *text, struct eds_error *err);

/* eds_check_u64 is a check for struct eds_option: a decimal number below 2^64
 * in Rust's spelling ("+1" and "01" are fine). */
int32_t eds_check_u64(const char *text, struct eds_error *err);

/* eds_option_is_flag tells an option without a value. */
static inline bool eds_option_is_flag(const struct eds_option *option)
{
    return option->value == NULL;
}

#endif
