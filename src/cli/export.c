/* export.c - eds audit export: a device's chain out of a ledger into a file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "cli/chain_input.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/json_out.h"
#include "cli/objects_arg.h"
#include "cli/output.h"
#include "cli/say.h"
#include "cli/store_arg.h"
#include "evidence/ledger_export.h"

static const struct eds_option options[] = {
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_OBJECTS,
    {.name = "device-id", .value = "DEVICE_ID", .help = "Whose chain", .required = true},
    {.name = "out",
     .value = "OUT",
     .help = "Where the records go, '-' for standard output",
     .required = true},
    EDS_OPTION_FORMAT("A JSON array, one JSON record a line, or compact binary records"),
    {.name = "payloads-file",
     .value = "PAYLOADS_FILE",
     .help = "Also write the payloads, as a JSON array of hex strings"},
    {.name = "gaps-file",
     .value = "GAPS_FILE",
     .help = "Also write the signed gap records of the chain, which verify-chain needs where "
             "records are missing"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"A chain and its payloads, for verify-chain on another machine",
     "eds audit export --device-id lift-01 --out chain.json --payloads-file "
     "payloads.json"},
    {"A chain that may have gaps, with what operators signed for them",
     "eds audit export --device-id lift-01 --out chain.json --gaps-file gaps.json"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the chain was written"},
    {EDS_EXIT_FAILED, "there is no such chain or ledger, or a file could not be written"},
    {0, NULL},
};

static int32_t write_bytes(void *file, const void *bytes, size_t size, struct eds_error *err)
{
    return eds_output_write(file, bytes, size, err);
}

struct job {
    struct eds_output records, payloads, gaps;
    struct eds_export_summary summary;
};

static int32_t open_outputs(struct job *job, const struct eds_args *args, struct eds_error *err)
{
    const char *payloads = eds_args_text(args, "payloads-file");
    const char *gaps = eds_args_text(args, "gaps-file");
    int32_t rc = eds_output_open(&job->records, eds_args_text(args, "out"), EDS_OUTPUT_PUBLIC, err);

    if (rc == EDS_OK && payloads != NULL)
        rc = eds_output_open(&job->payloads, payloads, EDS_OUTPUT_PUBLIC, err);
    if (rc == EDS_OK && gaps != NULL)
        rc = eds_output_open(&job->gaps, gaps, EDS_OUTPUT_PUBLIC, err);
    return rc;
}

/* Payloads and gaps first: records without them are of no use to who asked for all. */
static int32_t commit_outputs(struct job *job, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (job->payloads.fd >= 0)
        rc = eds_output_commit(&job->payloads, err);
    if (rc == EDS_OK && job->gaps.fd >= 0)
        rc = eds_output_commit(&job->gaps, err);
    return rc == EDS_OK ? eds_output_commit(&job->records, err) : rc;
}

static int32_t export_chain(struct job *job, const struct eds_args *args, struct eds_error *err)
{
    struct eds_ledger *ledger = NULL;
    struct eds_objects *objects = NULL;
    int32_t rc = eds_store_open(&ledger, args, true, err);

    if (rc == EDS_OK && eds_args_text(args, "payloads-file") != NULL)
        rc = eds_objects_open_arg(&objects, args, true, err);
    if (rc == EDS_OK)
        rc = open_outputs(job, args, err);
    if (rc == EDS_OK) {
        struct eds_ledger_export export = {
            .ledger = ledger,
            .objects = objects,
            .device_id = eds_args_text(args, "device-id"),
            .format = eds_chain_format_parse(eds_args_text(args, "format")),
            .write = write_bytes,
            .records = &job->records,
            .payloads = job->payloads.fd >= 0 ? &job->payloads : NULL,
            .gaps = job->gaps.fd >= 0 ? &job->gaps : NULL,
        };

        rc = eds_ledger_export_run(&export, &job->summary, err);
    }
    if (rc == EDS_OK)
        rc = commit_outputs(job, err);
    eds_output_discard(&job->records);
    eds_output_discard(&job->payloads);
    eds_output_discard(&job->gaps);
    if (ledger != NULL)
        ledger->ops->close(ledger);
    eds_objects_close(objects);
    return rc;
}

static void warn_of_gaps(const struct eds_args *args, uint64_t gap_count)
{
    if (gap_count > 0 && eds_args_text(args, "gaps-file") == NULL)
        eds_say_warning("the chain has gaps, which operators have closed (%" PRIu64
                        "): verify-chain finds it broken without their signatures; --gaps-file "
                        "writes them",
                        gap_count);
}

static void report(const struct eds_args *args, const struct eds_export_summary *summary)
{
    char digits[2 * EDS_HASH_SIZE + 1];
    struct eds_json_out json;

    warn_of_gaps(args, summary->gap_count);
    if (!eds_args_flag(args, "json")) {
        eds_hex_encode(digits, summary->last_record_hash, EDS_HASH_SIZE);
        eds_say_note("%" PRIu64 " records; last record hash %s", summary->record_count, digits);
        return;
    }
    eds_out_begin(&json);
    eds_out_string(&json, "device_id", eds_args_text(args, "device-id"));
    eds_out_string(&json, "records_file", eds_args_text(args, "out"));
    eds_out_string(&json, "payloads_file", eds_args_text(args, "payloads-file"));
    eds_out_string(&json, "gaps_file", eds_args_text(args, "gaps-file"));
    eds_out_u64(&json, "record_count", summary->record_count);
    eds_out_u64(&json, "gap_count", summary->gap_count);
    eds_out_u64(&json, "first_sequence", summary->first_sequence);
    eds_out_u64(&json, "last_sequence", summary->last_sequence);
    eds_out_hex(&json, "last_record_hash", summary->last_record_hash, EDS_HASH_SIZE);
    eds_out_end(&json);
}

static int run(const struct eds_args *args)
{
    const char *payloads = eds_args_text(args, "payloads-file");
    const char *gaps = eds_args_text(args, "gaps-file");
    unsigned streams = eds_is_standard_stream(eds_args_text(args, "out"));
    struct job *job;
    struct eds_error err;
    int32_t rc;

    streams += payloads != NULL && eds_is_standard_stream(payloads);
    streams += gaps != NULL && eds_is_standard_stream(gaps);
    if (streams > 1)
        return eds_args_usage(args, "only one of --out, --payloads-file and --gaps-file can be "
                                    "standard output");
    if (eds_args_flag(args, "json") && streams > 0)
        return eds_args_usage(args, "--json needs standard output for itself");
    job = calloc(1, sizeof *job);
    if (job == NULL) {
        eds_error_set(&err, EDS_ERR_NO_MEMORY, "out of memory");
        return eds_say_error(args, "", &err);
    }
    job->records.fd = job->payloads.fd = job->gaps.fd = -1;
    rc = export_chain(job, args, &err);
    if (rc == EDS_OK)
        report(args, &job->summary);
    free(job);
    return rc == EDS_OK ? EDS_EXIT_OK : eds_say_error(args, "", &err);
}

const struct eds_command eds_command_export = {
    .name = "export",
    .summary = "Write a device's chain from a ledger into a file",
    .description = "The file is what verify-chain reads, here or on a machine that never saw the "
                   "ledger; the array form also by edgesentry-rs. Changes nothing in the ledger, "
                   "and may run beside the server.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
