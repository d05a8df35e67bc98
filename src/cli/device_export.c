/* device_export.c - eds audit device export: what is registered, as import reads it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/device.h"
#include "cli/device_job.h"
#include "cli/file.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "fleet/writer.h"

const char *const eds_device_file_formats[] = {"csv", "json", "ndjson", NULL};

enum eds_fleet_format eds_device_file_format(const struct eds_args *args)
{
    const char *word = eds_args_text(args, "format");

    if (word == NULL)
        return EDS_FLEET_GUESS;
    if (strcmp(word, "csv") == 0)
        return EDS_FLEET_CSV;
    return strcmp(word, "json") == 0 ? EDS_FLEET_JSON : EDS_FLEET_NDJSON;
}

static const struct eds_option options[] = {
    {.name = "out",
     .value = "FILE",
     .fallback = "-",
     .help = "Where to write, '-' for standard output; a file is there whole or not at all"},
    {.name = "format",
     .value = "FORMAT",
     .choices = eds_device_file_formats,
     .fallback = "csv",
     .help = "A row a key, a JSON array, or one JSON object a line"},
    EDS_OPTIONS_DEVICE_FILTER,
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    {.name = "json", .help = "Print one JSON object about the export; needs a file in --out"},
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"All devices, for a spreadsheet", "eds audit device export --out devices.csv"},
    {"The active ones of a site, to register them in another ledger",
     "eds audit device export --format ndjson --site harbour --state active --out harbour.ndjson"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "all that fit are written, if any"},
    {EDS_EXIT_FAILED, "the ledger could not be read, or the file not written"},
    {0, NULL},
};

struct job {
    struct eds_device_job device;
    struct eds_device_filter filter;
    enum eds_fleet_format format;
    struct eds_progress progress;
    uint64_t count, bytes;
    struct eds_error err; /* of a visit */
    struct eds_output output;
    char text[EDS_FLEET_WRITE_MAX];
};

static int32_t put(struct job *job, const char *text, size_t size)
{
    job->bytes += size;
    return eds_output_write(&job->output, text, size, &job->err);
}

static int32_t write_one(void *context, const struct eds_enrolment *it)
{
    struct job *job = context;
    size_t size;

    if (!eds_device_fits(&job->filter, it))
        return EDS_OK;
    size = eds_fleet_write(job->text, job->format, job->count, it);
    if (size == 0)
        return eds_error_set(&job->err, EDS_ERR_MALFORMED,
                             "a text of the device of revision %" PRIu64 " is not UTF-8",
                             it->revision);
    job->count++;
    eds_progress_update(&job->progress, job->count, job->bytes);
    return put(job, job->text, size);
}

static int32_t write_all(struct job *job, struct eds_error *err)
{
    struct eds_ledger *ledger = job->device.ledger;
    const char *text = eds_fleet_head(job->format);
    int32_t rc = put(job, text, strlen(text));

    if (rc == EDS_OK)
        rc = ledger->roster->scan(ledger, EDS_ROLE_DEVICE, write_one, job, err);
    if (rc == EDS_OK) {
        text = eds_fleet_tail(job->format, job->count);
        rc = put(job, text, strlen(text));
    }
    if (rc == EDS_OK)
        rc = eds_output_commit(&job->output, &job->err);
    if (rc != EDS_OK && job->err.code == rc)
        *err = job->err;
    return rc;
}

static int32_t export_devices(struct job *job, const struct eds_args *args, struct eds_error *err)
{
    int32_t rc = eds_device_job_open(&job->device, args, true, err);

    job->format = eds_device_file_format(args);
    eds_device_filter_read(&job->filter, args);
    job->output.fd = -1;
    if (rc == EDS_OK)
        rc = eds_output_open(&job->output, eds_args_text(args, "out"), EDS_OUTPUT_PUBLIC, err);
    if (rc == EDS_OK) {
        eds_progress_begin(&job->progress);
        job->progress.things = "devices";
        rc = write_all(job, err);
        eds_progress_end(&job->progress);
    }
    eds_output_discard(&job->output);
    eds_device_job_close(&job->device);
    return rc;
}

static void report(const struct eds_args *args, const struct job *job)
{
    struct eds_json_out json;

    if (eds_args_flag(args, "json")) {
        eds_out_begin(&json);
        eds_out_u64(&json, "device_count", job->count);
        eds_out_string(&json, "out", eds_args_text(args, "out"));
        eds_out_end(&json);
    } else if (job->count == 0) {
        eds_say_note("no device fits");
    } else if (!eds_is_standard_stream(eds_args_text(args, "out"))) {
        printf("%" PRIu64 " device%s written to %s\n", job->count, job->count == 1 ? "" : "s",
               eds_args_text(args, "out"));
    }
}

static int run(const struct eds_args *args)
{
    struct job *job;
    struct eds_error err;
    int32_t rc;

    if (eds_args_flag(args, "json") && eds_is_standard_stream(eds_args_text(args, "out")))
        return eds_args_usage(args, "--json needs a file in --out: standard output is one of them");
    job = calloc(1, sizeof *job);
    if (job == NULL) {
        eds_error_set(&err, EDS_ERR_NO_MEMORY, "no memory to export devices");
        return eds_say_error(args, "", &err);
    }
    rc = export_devices(job, args, &err);
    if (rc == EDS_OK)
        report(args, job);
    free(job);
    return rc == EDS_OK ? EDS_EXIT_OK : eds_say_error(args, "", &err);
}

const struct eds_command eds_device_export = {
    .name = "export",
    .summary = "Write the devices that are registered into a file",
    .description = "What 'device import' reads: ids, labels, policies, states, and every key with "
                   "its window, in byte order of the id. Imported into an empty ledger it makes "
                   "the same registry. It holds public keys only.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
