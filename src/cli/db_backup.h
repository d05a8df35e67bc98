/* db_backup.h - eds audit db backup. */
#ifndef EDS_CLI_DB_BACKUP_H
#define EDS_CLI_DB_BACKUP_H

#include "cli/command.h"

extern const struct eds_command eds_command_db_backup;

#endif
