/* help.h - a command's table as text for people. */
#ifndef EDS_CLI_HELP_H
#define EDS_CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

/* eds_help_print writes everything that is known of a command or group; path
 * is how it was called ("eds audit keygen"). */
void eds_help_print(FILE *file, const struct eds_command *command, const char *path);

/* eds_help_usage writes the line "Usage: eds audit keygen [OPTIONS]". */
void eds_help_usage(FILE *file, const struct eds_command *command, const char *path);

/* eds_help_option_notes fills out with "[default: x] [env: Y] ..." or "". */
void eds_help_option_notes(char *out, size_t out_size, const struct eds_option *option);

#endif
