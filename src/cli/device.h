/* device.h - the commands under "eds audit device" and "eds audit operator". */
#ifndef EDS_CLI_DEVICE_H
#define EDS_CLI_DEVICE_H

#include "cli/command.h"
#include "fleet/reader.h"

extern const char *const eds_device_attest_names[]; /* "required", "optional" */

extern const char *const eds_device_file_formats[]; /* "csv", "json", "ndjson" */

/* eds_device_file_format reads --format; EDS_FLEET_GUESS if it is not given. */
enum eds_fleet_format eds_device_file_format(const struct eds_args *args);

/* Each in the file of its name, or of its kind. */
extern const struct eds_command eds_device_add, eds_device_set, eds_operator_add;
extern const struct eds_command eds_device_list, eds_device_show, eds_operator_list;
extern const struct eds_command eds_device_quarantine, eds_device_release, eds_device_revoke,
    eds_device_retire, eds_operator_revoke;
extern const struct eds_command eds_device_rotate;
extern const struct eds_command eds_device_import, eds_device_export;
extern const struct eds_command eds_device_close_gap, eds_device_gaps;
extern const struct eds_command eds_device_command, eds_device_commands;

#endif
