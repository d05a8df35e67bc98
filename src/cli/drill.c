/* drill.c - eds drill: does what was planned for bad days work? */
#include "base/features.h"
#include "cli/commands.h"
#include "cli/drill.h"

const struct eds_exit_line eds_drill_exits[] = {
    {EDS_EXIT_OK, "DRILL_PASSED"},
    {EDS_EXIT_FAILED, "the drill could not be run"},
    {EDS_EXIT_NOT_VALID, "DRILL_FAILED: at least one step"},
    {0, NULL},
};

static const struct eds_command *const children[] = {
#if EDS_TRANSPORT_HTTP
    &eds_command_drill_db,
    &eds_command_drill_s3,
#endif
    &eds_command_drill_restore,
#if EDS_TRANSPORT_HTTP
    &eds_command_drill_alert,
#endif
    NULL,
};

const struct eds_command eds_command_drill = {
    .name = "drill",
    .summary = "Failure drills: take something away, and see that nothing is lost",
    .children = children,
};
