/* db_backup.c - eds audit db backup: a copy of a SQLite ledger, verified before it gets
 * its name. */
#include "cli/db_backup.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/json_out.h"
#include "cli/ledger_walk.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/store_arg.h"
#include "store/backup.h"

static const struct eds_option options[] = {
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    {.name = "to",
     .value = "FILE",
     .help = "Where the copy goes; a file that is there is never replaced",
     .required = true},
    {.name = "skip-verify", .help = "Do not verify the copy"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"While the server runs", "eds audit db backup --to ledger-backup.db"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the copy is there, whole and durable"},
    {EDS_EXIT_FAILED, "it could not be made; nothing is there"},
    {EDS_EXIT_NOT_VALID, "the copy has faults, and is not there"},
    {0, NULL},
};

struct backup {
    const struct eds_args *args;
    struct eds_output output;
    struct eds_progress progress;
    struct eds_ledger_walk walk;
};

static void show_progress(void *context, uint64_t bytes)
{
    struct backup *backup = context;

    eds_progress_update(&backup->progress, bytes >> 20, bytes);
}

static int32_t copy(struct backup *backup, struct eds_error *err)
{
    struct eds_ledger *ledger = NULL;
    int32_t rc =
        eds_output_open(&backup->output, eds_args_text(backup->args, "to"), EDS_OUTPUT_SECRET, err);

    if (rc == EDS_OK && backup->output.temporary[0] == '\0')
        rc = eds_error_set(err, EDS_ERR_USAGE, "--to: a copy goes into a file, and nowhere else");
    if (rc == EDS_OK)
        rc = eds_store_open(&ledger, backup->args, true, err);
    if (rc != EDS_OK)
        return rc;
    eds_progress_begin(&backup->progress);
    backup->progress.things = "MiB";
    rc = eds_ledger_backup(ledger, backup->output.temporary, show_progress, backup, err);
    eds_progress_end(&backup->progress);
    ledger->ops->close(ledger);
    return rc;
}

static int32_t verify(struct backup *backup, struct eds_error *err)
{
    struct eds_ledger *ledger = NULL;
    char url[PATH_MAX + 16];
    int32_t rc;

    snprintf(url, sizeof url, "sqlite:%s", backup->output.temporary);
    rc = eds_store_open_url(&ledger, url, true, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_ledger_walk_run(&backup->walk, ledger, NULL, err);
    ledger->ops->close(ledger);
    return rc;
}

static int refuse(const struct backup *backup)
{
    const struct eds_ledger_walk *walk = &backup->walk;
    const char *fault = walk->fault_count > 0 ? walk->fault : walk->payload_fault;
    struct eds_json_out json;

    fprintf(stderr, "not valid: %s\n", fault);
    eds_say_hint("eds audit ledger verify says whether the ledger itself is faulty; --skip-verify "
                 "copies it as it is");
    if (!eds_args_flag(backup->args, "json")) {
        puts("BACKUP_INVALID");
        return EDS_EXIT_NOT_VALID;
    }
    eds_out_begin(&json);
    eds_out_bool(&json, "valid", false);
    eds_out_u64(&json, "finding_count", walk->fault_count + walk->payload_fault_count);
    eds_out_string(&json, "finding", fault);
    eds_out_end(&json);
    return EDS_EXIT_NOT_VALID;
}

static int report(const struct backup *backup)
{
    const char *file = eds_args_text(backup->args, "to");
    bool verified = !eds_args_flag(backup->args, "skip-verify");
    struct eds_json_out json;

    if (!eds_args_flag(backup->args, "json")) {
        printf("BACKUP_WRITTEN:%s\n", file);
        fflush(stdout);
        if (verified)
            eds_say_note("%" PRIu64 " records of %" PRIu64 " devices verified in it",
                         backup->walk.summary.record_count, backup->walk.summary.device_count);
        if (backup->walk.summary.payload_absent_count > 0)
            eds_say_note("%" PRIu64 " payloads are kept elsewhere: back up their store after this",
                         backup->walk.summary.payload_absent_count);
        return EDS_EXIT_OK;
    }
    eds_out_begin(&json);
    eds_out_string(&json, "file", file);
    eds_out_bool(&json, "verified", verified);
    if (verified) {
        eds_out_u64(&json, "record_count", backup->walk.summary.record_count);
        eds_out_u64(&json, "device_count", backup->walk.summary.device_count);
        eds_out_u64(&json, "payload_absent_count", backup->walk.summary.payload_absent_count);
    }
    eds_out_end(&json);
    return EDS_EXIT_OK;
}

static int run(const struct eds_args *args)
{
    struct backup *backup = calloc(1, sizeof *backup);
    struct eds_error err;
    int32_t rc;
    int code;

    if (backup == NULL) {
        eds_error_set(&err, EDS_ERR_NO_MEMORY, "out of memory");
        return eds_say_error(args, "", &err);
    }
    backup->args = args;
    backup->output.fd = -1;
    rc = copy(backup, &err);
    if (rc == EDS_OK && !eds_args_flag(args, "skip-verify"))
        rc = verify(backup, &err);
    if (rc == EDS_OK && backup->walk.fault_count + backup->walk.payload_fault_count > 0) {
        eds_output_discard(&backup->output);
        code = refuse(backup);
    } else {
        if (rc == EDS_OK)
            rc = eds_output_commit(&backup->output, &err);
        else
            eds_output_discard(&backup->output);
        code = rc == EDS_OK ? report(backup) : eds_say_error(args, "", &err);
    }
    free(backup);
    return code;
}

const struct eds_command eds_command_db_backup = {
    .name = "backup",
    .summary = "Copy a SQLite ledger, while servers go on with it",
    .description =
        "Writes one state of the ledger into a file of its own, verifies that as eds audit ledger "
        "verify does, syncs it and gives it its name in one step; a copy that is not whole never "
        "has that name. To go back to it, put it where the ledger was (edgesentry.db in the data "
        "directory, without edgesentry.db-wal and -shm of the old one) while no server "
        "runs.\n\nPayloads that are kept elsewhere (--objects, or objects/ beside the ledger) are "
        "not in it: copy these after it, then no row of the copy points at nothing. A PostgreSQL "
        "ledger is backed up with PostgreSQL's own tools.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
