/* commands.h - all commands there are. */
#ifndef EDS_CLI_COMMANDS_H
#define EDS_CLI_COMMANDS_H

#include "cli/command.h"

extern const struct eds_command eds_command_root; /* "eds" */

/* Each in the file of its name. */
extern const struct eds_command eds_command_agent;
extern const struct eds_command eds_command_completions;
extern const struct eds_command eds_command_config;
extern const struct eds_command eds_command_db;
extern const struct eds_command eds_command_demo_lift_inspection;
extern const struct eds_command eds_command_demo_ingest;
extern const struct eds_command eds_command_device;
extern const struct eds_command eds_command_diag;
extern const struct eds_command eds_command_drill;
extern const struct eds_command eds_command_export;
extern const struct eds_command eds_command_gateway;
extern const struct eds_command eds_command_inspect_key;
extern const struct eds_command eds_command_keygen;
extern const struct eds_command eds_command_ledger;
extern const struct eds_command eds_command_operator;
extern const struct eds_command eds_command_send;
extern const struct eds_command eds_command_serve;
extern const struct eds_command eds_command_serve_mqtt;
extern const struct eds_command eds_command_serve_tls;
extern const struct eds_command eds_command_sign_record;
extern const struct eds_command eds_command_verify_chain;
extern const struct eds_command eds_command_verify_record;

/* eds_command_find looks a command or group up in a group.  Whatever stands
 * under "audit" is also found in the root itself, as the reference writes it
 * both ways.  NULL if there is none. */
const struct eds_command *eds_command_find(const struct eds_command *group, const char *name);

/* eds_command_nearest names the one that a mistyped name may have meant, or
 * NULL. */
const char *eds_command_nearest(const struct eds_command *group, const char *name);

#endif
