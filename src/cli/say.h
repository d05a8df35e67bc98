/* say.h - what a command tells the person at the terminal: on standard error,
 * one line each, so that standard output holds results alone. */
#ifndef EDS_CLI_SAY_H
#define EDS_CLI_SAY_H

#include "cli/args.h"

/* eds_say_error prints "error: " before, then text, and returns
 * EDS_EXIT_FAILED.  With --json {"error": ..., "code": ...} goes to standard
 * output as well, so that a script always finds an object there.
 *
 *   before  the original's "io error: " and the like, or "" */
int eds_say_error(const struct eds_args *args, const char *before, const struct eds_error *err);

/* eds_say_hint prints "  hint: ...": how to mend what was just said. */
void eds_say_hint(const char *format, ...) __attribute__((format(printf, 1, 2)));

void eds_say_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));
void eds_say_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
