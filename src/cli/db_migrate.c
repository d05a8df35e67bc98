/* db_migrate.c - eds audit db migrate: a store's tables, made or brought up to
 * date ahead of the servers that will use them. */
#include <inttypes.h>
#include <stdio.h>

#include "cli/commands.h"
#include "cli/db_backup.h"
#include "cli/json_out.h"
#include "cli/say.h"
#include "cli/store_arg.h"

static const struct eds_option options[] = {
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"The ledger in ./data", "eds audit db migrate --data-dir data"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the ledger has the schema version that was printed"},
    {EDS_EXIT_FAILED, "it could not be opened, or belongs to another or a newer program"},
    {0, NULL},
};

static int run(const struct eds_args *args)
{
    struct eds_ledger *ledger = NULL;
    struct eds_json_out json;
    struct eds_error err;

    if (eds_store_migrate(&ledger, args, &err) != EDS_OK)
        return eds_say_error(args, "", &err);
    if (eds_args_flag(args, "json")) {
        eds_out_begin(&json);
        eds_out_string(&json, "store", ledger->ops->name);
        eds_out_u64(&json, "schema_version", ledger->schema_version);
        eds_out_end(&json);
    } else {
        printf("%s schema version %" PRIu32 "\n", ledger->ops->name, ledger->schema_version);
    }
    ledger->ops->close(ledger);
    return EDS_EXIT_OK;
}

static const struct eds_command migrate_command = {
    .name = "migrate",
    .summary = "Make a ledger's tables or bring them up to date",
    .description =
        "Prints the schema version that the ledger then has. Running it again changes nothing, "
        "and several may run at once. A server does the same when it starts; this is for those "
        "who want it done before, or by a role that may create tables when the server's may not."
        "\n\nTables audit_records and operation_logs that edgesentry-rs made in PostgreSQL are "
        "taken "
        "over: their rows stay, chain heads and record hashes are computed from them, and the "
        "devices go on where they were. Stop edgesentry-rs before; it cannot write to them after. "
        "eds audit ledger verify then says what the rows are worth.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};

static const struct eds_command *const children[] = {&migrate_command, &eds_command_db_backup,
                                                     NULL};

const struct eds_command eds_command_db = {
    .name = "db",
    .summary = "Prepare the database of a ledger, and back it up",
    .children = children,
};
