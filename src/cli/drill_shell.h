/* drill_shell.h - the operator's part of a drill: a command of his, or his hand. */
#ifndef EDS_CLI_DRILL_SHELL_H
#define EDS_CLI_DRILL_SHELL_H

#include <stdbool.h>

#include "edgesentry/error.h"

/* eds_drill_shell_run runs a command by /bin/sh and waits for it; what it prints goes
 * to standard error.  EDS_OK if its exit code was 0; EDS_ERR_REFUSED if not, EDS_ERR_IO
 * if it could not be started. */
int32_t eds_drill_shell_run(const char *command, struct eds_error *err);

/* eds_drill_shell_ask prints a request to standard error and waits for Enter.
 * EDS_ERR_REFUSED if standard input ends instead. */
int32_t eds_drill_shell_ask(const char *request, struct eds_error *err);

/* eds_drill_shell_catch makes SIGINT and SIGTERM wait: what is broken has to be healed
 * before the program may end.  eds_drill_shell_caught says whether one came. */
void eds_drill_shell_catch(void);
bool eds_drill_shell_caught(void);

#endif
