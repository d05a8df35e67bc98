/* drill.h - the failure drills, each in the file of its name. */
#ifndef EDS_CLI_DRILL_H
#define EDS_CLI_DRILL_H

#include "cli/command.h"

extern const struct eds_command eds_command_drill_db; /* drill_outage.c, both */
extern const struct eds_command eds_command_drill_s3;
extern const struct eds_command eds_command_drill_restore;
extern const struct eds_command eds_command_drill_alert;

extern const struct eds_exit_line eds_drill_exits[]; /* the same for all */

#endif
