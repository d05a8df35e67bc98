/* device_import.c - eds audit device import: a fleet out of a file, or nothing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/device.h"
#include "cli/device_job.h"
#include "cli/file.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "fleet/import.h"

#define FAULTS_SHOWN_MAX 50u

static const struct eds_option options[] = {
    {.name = "file",
     .value = "FILE",
     .required = true,
     .help = "The devices, '-' for standard input; 'device export' shows the form"},
    {.name = "format",
     .value = "FORMAT",
     .choices = eds_device_file_formats,
     .help = "Its form; told by its first bytes if not given"},
    {.name = "update", .help = "Change devices that are registered to what the file says"},
    {.name = "skip-existing", .help = "Leave devices that are registered as they are"},
    {.name = "dry-run", .help = "Check the file against the registry, and change nothing"},
    EDS_OPTIONS_DEVICE_CHANGE,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Would it work?", "eds audit device import fleet.csv --dry-run"},
    {"Register all of them at once; a running server knows them within seconds",
     "eds audit device import fleet.csv --reason 'order 4712'"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "all of the file is registered (or would be: --dry-run)"},
    {EDS_EXIT_FAILED, "the file or the ledger could not be read or written; nothing was changed"},
    {EDS_EXIT_NOT_VALID, "the file has faults, each is told; nothing was changed"},
    {0, NULL},
};

/* What the callbacks of an import share. */
struct job {
    struct eds_device_job device;
    struct eds_fleet_options options;
    struct eds_progress progress;
    struct eds_json_out json;
    bool as_json, has_output; /* the object's '{' is written */
    uint64_t told_count;
    int fd;
    bool has_failed; /* to read from it */
};

static ptrdiff_t read_some(void *context, void *buf, size_t size)
{
    struct job *job = context;
    ptrdiff_t got = eds_file_read_some(&job->fd, buf, size);

    job->has_failed = got < 0;
    return got;
}

/* The first of many; counted are all. */
static void tell_fault(void *context, const struct eds_error *fault)
{
    struct job *job = context;

    if (job->told_count++ >= FAULTS_SHOWN_MAX)
        return;
    eds_progress_end(&job->progress);
    fprintf(stderr, "error: %s\n", fault->text);
    if (!job->as_json)
        return;
    if (!job->has_output) {
        eds_out_begin(&job->json);
        eds_out_array_begin(&job->json, "faults");
        job->has_output = true;
    }
    eds_out_object_begin(&job->json);
    eds_out_string(&job->json, "error", fault->text);
    eds_out_string(&job->json, "code", eds_error_name(fault->code));
    eds_out_object_end(&job->json);
}

static void tell_progress(void *context, uint64_t devices, uint64_t bytes)
{
    eds_progress_update(&((struct job *)context)->progress, devices, bytes);
}

static void print_json(struct job *job, const struct eds_fleet_report *report, bool is_written,
                       const struct eds_error *err)
{
    if (!job->has_output) {
        eds_out_begin(&job->json);
        eds_out_array_begin(&job->json, "faults");
    }
    eds_out_array_end(&job->json);
    eds_out_bool(&job->json, "written", is_written);
    eds_out_u64(&job->json, "device_count", report->read_count);
    eds_out_u64(&job->json, "added_count", report->added_count);
    eds_out_u64(&job->json, "changed_count", report->changed_count);
    eds_out_u64(&job->json, "same_count", report->same_count);
    eds_out_u64(&job->json, "skipped_count", report->kept_count);
    eds_out_u64(&job->json, "fault_count", report->fault_count);
    if (err != NULL) {
        eds_out_string(&job->json, "error", err->text);
        eds_out_string(&job->json, "code", eds_error_name(err->code));
    }
    eds_out_end(&job->json);
}

static void print_text(const struct eds_fleet_report *report, bool is_dry)
{
    printf("%" PRIu64 " device%s: %" PRIu64 " %s, %" PRIu64 " %s, %" PRIu64 " the same already",
           report->read_count, report->read_count == 1 ? "" : "s", report->added_count,
           is_dry ? "to add" : "added", report->changed_count, is_dry ? "to change" : "changed",
           report->same_count);
    if (report->kept_count > 0)
        printf(", %" PRIu64 " skipped", report->kept_count);
    putchar('\n');
}

static int report_faults(struct job *job, const struct eds_fleet_report *report)
{
    if (report->fault_count > FAULTS_SHOWN_MAX)
        fprintf(stderr, "error: and %" PRIu64 " more faults\n",
                report->fault_count - FAULTS_SHOWN_MAX);
    if (job->as_json)
        print_json(job, report, false, NULL);
    eds_say_note("the file has %" PRIu64 " fault%s: nothing was changed", report->fault_count,
                 report->fault_count == 1 ? "" : "s");
    return EDS_EXIT_NOT_VALID;
}

static int report_failure(struct job *job, const struct eds_fleet_report *report,
                          struct eds_error *err)
{
    const char *path = eds_args_text(job->device.args, "file");
    struct eds_error with_path;

    if (err->code == EDS_ERR_HEAD_MOVED || err->code == EDS_ERR_EXISTS) {
        eds_error_set(&with_path, err->code,
                      "the registry was changed meanwhile (%s): nothing was imported; import again",
                      err->text);
        *err = with_path;
    } else if (job->has_failed) {
        eds_error_set(&with_path, err->code, "%s: %s", path, err->text);
        *err = with_path;
    }
    if (!job->as_json)
        return eds_say_error(job->device.args, "", err);
    fprintf(stderr, "error: %s\n", err->text);
    print_json(job, report, false, err);
    return EDS_EXIT_FAILED;
}

/* Reads the file and writes what is in it. */
static int import_file(struct job *job, struct eds_fleet_import *import)
{
    const struct eds_args *args = job->device.args;
    const struct eds_fleet_report *report = eds_fleet_import_report(import);
    bool is_dry = eds_args_flag(args, "dry-run");
    struct eds_error err;
    int32_t rc;

    eds_progress_begin(&job->progress);
    job->progress.things = "devices";
    rc = eds_fleet_import_read(import, eds_device_file_format(args), read_some, job, &err);
    eds_progress_end(&job->progress);
    if (rc == EDS_OK && report->fault_count > 0)
        return report_faults(job, report);
    if (rc == EDS_OK && !is_dry) {
        eds_progress_begin(&job->progress);
        job->progress.things = "devices written";
        rc = eds_fleet_import_write(import, &err);
        eds_progress_end(&job->progress);
    }
    if (rc != EDS_OK)
        return report_failure(job, report, &err);
    if (job->as_json)
        print_json(job, report, !is_dry, NULL);
    else
        print_text(report, is_dry);
    return EDS_EXIT_OK;
}

static int open_and_import(struct job *job)
{
    struct eds_fleet_import *import;
    struct eds_error err;
    int code;

    import = eds_fleet_import_create(job->device.ledger, &job->options);
    if (import == NULL) {
        eds_error_set(&err, EDS_ERR_NO_MEMORY, "no memory to import devices");
        return eds_say_error(job->device.args, "", &err);
    }
    code = import_file(job, import);
    eds_fleet_import_destroy(import);
    return code;
}

static int run(const struct eds_args *args)
{
    struct job job = {.as_json = eds_args_flag(args, "json"), .fd = -1};
    struct eds_error err;
    int code;
    int32_t rc;

    if (eds_args_flag(args, "update") && eds_args_flag(args, "skip-existing"))
        return eds_args_usage(args, "--update and --skip-existing exclude each other");
    rc = eds_file_open(&job.fd, eds_args_text(args, "file"), &err);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    rc = eds_device_job_open(&job.device, args, eds_args_flag(args, "dry-run"), &err);
    job.options = (struct eds_fleet_options){
        .existing = eds_args_flag(args, "update")          ? EDS_FLEET_UPDATE
                    : eds_args_flag(args, "skip-existing") ? EDS_FLEET_KEEP
                                                           : EDS_FLEET_REFUSE,
        .now_ms = job.device.now_ms,
        .who = job.device.who,
        .why = job.device.why,
        .fault = tell_fault,
        .progress = tell_progress,
        .context = &job,
    };
    code = rc == EDS_OK ? open_and_import(&job) : eds_say_error(args, "", &err);
    eds_device_job_close(&job.device);
    eds_file_close(job.fd);
    return code;
}

const struct eds_command eds_device_import = {
    .name = "import",
    .summary = "Register the devices of a file, all or none",
    .description =
        "The file is CSV with a header row, a JSON array, or one JSON object a line: what 'device "
        "export' writes, and what 'device list --json' prints. Only device_id and public_key must "
        "be there. First all of it is checked, and every fault is told with its line; then it is "
        "written in one transaction, with a line in the operation log for each device. A device "
        "that is as the file says already is no fault, so the same import may be run again.",
    .options = options,
    .positional = "file",
    .examples = examples,
    .exits = exits,
    .run = run,
};
