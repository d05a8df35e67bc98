/* say.h - what a command tells the person at the terminal: on standard error,
 * one line each, so that standard output holds results alone. */
#ifndef EDS_CLI_SAY_H
#define EDS_CLI_SAY_H

#include "cli/args.h"

/* eds_say_error prints "error: ", before, and the text of err, and returns the
 * exit code: EDS_EXIT_USAGE for EDS_ERR_USAGE (as eds_args_usage), else
 * EDS_EXIT_FAILED.  With --json {"error": ..., "code": ...} then goes to
 * standard output as well, so that a script always finds an object there.
 *
 *   before  the original's "io error: " and the like, or "" */
int eds_say_error(const struct eds_args *args, const char *before, const struct eds_error *err);

/* eds_say_hint prints "  hint: ...": how to mend what was just said. */
void eds_say_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

void eds_say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void eds_say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* eds_warn_if_readable warns that the secret in a file can be read by others
 * than its owner. */
void eds_warn_if_readable(const char *path);

#endif
