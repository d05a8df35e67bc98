/* manual.h - the commands and the configuration file as manual pages, in man(7)
 * macros on standard output. */
#ifndef EDS_CLI_MANUAL_H
#define EDS_CLI_MANUAL_H

#include "cli/command.h"

/* The name under which the file's page is asked for; no command is called so. */
#define EDS_MANUAL_CONFIG "eds.conf"

/* eds_manual_print writes a command's page; a group's has all its commands.
 *
 *   path  how it is called ("eds audit keygen"); the page is eds-audit-keygen(1) */
void eds_manual_print(const struct eds_command *command, const char *path);

/* eds_manual_print_config writes eds.conf(5): the rules and every server's keys. */
void eds_manual_print_config(void);

/* eds_manual_list writes the path of every command there is, one a line. */
void eds_manual_list(void);

#endif
