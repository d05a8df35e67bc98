/* commands.c - the tree of commands. */
#include "cli/commands.h"

#include <string.h>

#include "base/features.h"
#include "cli/suggest.h"

/* clang-format off: one a line, in the order of the help */
static const struct eds_command *const audit_children[] = {
    &eds_command_keygen,
    &eds_command_inspect_key,
    &eds_command_sign_record,
    &eds_command_verify_record,
    &eds_command_verify_chain,
    &eds_command_export,
    &eds_command_ledger,
    &eds_command_db,
    &eds_command_device,
    &eds_command_operator,
    &eds_command_demo_lift_inspection,
#if EDS_POSTGRES && EDS_S3
    &eds_command_demo_ingest,
#endif
#if EDS_TRANSPORT_HTTP
    &eds_command_serve,
#if EDS_TRANSPORT_TLS
    &eds_command_serve_tls,
#endif
#endif
#if EDS_TRANSPORT_MQTT
    &eds_command_serve_mqtt,
#endif
#if EDS_TRANSPORT_HTTP
    &eds_command_send,
    &eds_command_agent,
    &eds_command_gateway,
#endif
    NULL,
};
/* clang-format on */

static const struct eds_command audit = {
    .name = "audit",
    .summary = "Tamper-evident audit records: sign, send, keep and verify them",
    .children = audit_children,
};

static const struct eds_command *const root_children[] = {
    &audit, &eds_command_config, &eds_command_diag, &eds_command_drill, &eds_command_completions,
    NULL,
};

static const struct eds_option root_options[] = {
    {.name = "version", .help = "Print the version (-V), with --json also what is built in"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

const struct eds_command eds_command_root = {
    .name = "eds",
    .summary = "EdgeSentry: tamper-evident records of what devices saw",
    .description =
        "Every command under 'eds audit' may also be written without 'audit'. "
        "'eds help COMMAND' is 'eds COMMAND --help'; 'eds help --man [COMMAND]' prints a "
        "manual page, 'eds help --man eds.conf' the file's, 'eds help --list' all "
        "commands.",
    .children = root_children,
    .options = root_options,
};

const struct eds_command *eds_command_find(const struct eds_command *group, const char *name)
{
    for (const struct eds_command *const *child = group->children; *child; child++)
        if (strcmp((*child)->name, name) == 0)
            return *child;
    return group == &eds_command_root ? eds_command_find(&audit, name) : NULL;
}

const char *eds_command_nearest(const struct eds_command *group, const char *name)
{
    struct eds_suggestion best = eds_suggest_begin(name, strlen(name));

    for (const struct eds_command *const *child = group->children; *child; child++)
        eds_suggest_try(&best, (*child)->name);
    if (group == &eds_command_root)
        for (const struct eds_command *const *child = audit.children; *child; child++)
            eds_suggest_try(&best, (*child)->name);
    return best.word;
}
