/* device.c - eds audit device and eds audit operator: the registry of a ledger. */
#include "cli/device.h"

#include "cli/commands.h"

/* clang-format off: one a line, in the order of the help */
static const struct eds_command *const device_children[] = {
    &eds_device_add,     &eds_device_import,  &eds_device_export,   &eds_device_list,
    &eds_device_show,    &eds_device_set,     &eds_device_rotate,   &eds_device_quarantine,
    &eds_device_release, &eds_device_revoke,  &eds_device_retire,   &eds_device_close_gap,
    &eds_device_gaps,    &eds_device_command, &eds_device_commands, NULL,
};

static const struct eds_command *const operator_children[] = {
    &eds_operator_add,
    &eds_operator_list,
    &eds_operator_revoke,
    NULL,
};
/* clang-format on */

const struct eds_command eds_command_device = {
    .name = "device",
    .summary = "Register devices and their keys, rotate, quarantine, revoke, command",
    .description = "The registry is in the ledger's database. Servers that run on it follow "
                   "within a second; each change is a line in the operation log that says who "
                   "and why.",
    .children = device_children,
};

const struct eds_command eds_command_operator = {
    .name = "operator",
    .summary = "Register operators and their keys, which no device may have",
    .children = operator_children,
};
