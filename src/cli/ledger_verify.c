/* ledger_verify.c - eds audit ledger verify: is a whole ledger as it was left? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/device_arg.h"
#include "cli/gap_out.h"
#include "cli/json_out.h"
#include "cli/objects_arg.h"
#include "cli/operator_keys.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/store_arg.h"
#include "evidence/ledger_check.h"
#include "store/roster.h"

#define FINDINGS_SHOWN_MAX 20u /* the others are counted */
#define FINDING_TEXT_SIZE  EDS_ERROR_TEXT_SIZE

static const struct eds_option options[] = {
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_OBJECTS,
    {.name = "device",
     .value = "ID=PUBKEY_HEX",
     .help = "Check the signatures of this device also under this key, at any time",
     .repeatable = true},
    EDS_OPTION_OPERATOR,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Records, links, heads and payloads of the ledger in ./edgesentry-data",
     "eds audit ledger verify"},
    {"Signatures of one device as well",
     "eds audit ledger verify --device "
     "lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {"Payloads that are kept in a directory as well",
     "eds audit ledger verify --objects file:payloads"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "LEDGER_VALID"},
    {EDS_EXIT_FAILED, "the ledger or a key could not be read"},
    {EDS_EXIT_NOT_VALID, "LEDGER_INVALID: something in it was changed or is missing"},
    {0, NULL},
};

struct job {
    const struct eds_args *args;
    struct eds_device_arg *devices;
    size_t device_count;
    struct eds_ledger *ledger;
    struct eds_enrolled_key keys[EDS_LEDGER_KEYS_MAX]; /* of the device being walked */
    struct eds_enrolment enrolment;
    struct eds_error failure; /* of reading an enrolment, or without memory */
    struct eds_operator_keys operators;
    struct eds_gap_list gaps;
    struct eds_progress progress;
    char findings[FINDINGS_SHOWN_MAX][FINDING_TEXT_SIZE];
    size_t finding_count; /* kept in findings */
    char dropped[FINDINGS_SHOWN_MAX][FINDING_TEXT_SIZE];
    size_t dropped_count; /* kept in dropped */
    struct eds_ledger_summary summary;
};

/* Those given by --device, without borders, and those of the ledger's registry. */
static size_t give_keys(void *context, const char *device_id, const struct eds_enrolled_key **out)
{
    struct job *job = context;
    struct eds_ledger *ledger = job->ledger;
    size_t count = 0, room = sizeof job->keys / sizeof job->keys[0];
    struct eds_error err;
    int32_t rc;

    for (size_t i = 0; i < job->device_count && count < room; i++)
        if (strcmp(job->devices[i].device_id, device_id) == 0) {
            struct eds_enrolled_key *key = &job->keys[count++];

            *key = (struct eds_enrolled_key){.not_after_ms = EDS_KEY_NO_END,
                                             .not_after_sequence = EDS_KEY_NO_END};
            memcpy(key->public_key, job->devices[i].public_key, EDS_PUBLIC_KEY_SIZE);
        }
    rc = ledger->roster->find(ledger, EDS_ROLE_DEVICE, device_id, &job->enrolment, &err);
    for (uint32_t i = 0; rc == EDS_OK && i < job->enrolment.key_count && count < room; i++)
        job->keys[count++] = job->enrolment.keys[i];
    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        job->failure = err;
    *out = job->keys;
    return count;
}

static size_t give_operator_keys(void *context, const char *name,
                                 const struct eds_enrolled_key **out)
{
    struct job *job = context;

    return eds_operator_keys_find(&job->operators, name, out);
}

static void take_gap(void *context, const struct eds_gap *gap)
{
    struct job *job = context;
    struct eds_error err;

    if (eds_gap_list_add(&job->gaps, gap, &err) != EDS_OK)
        job->failure = err;
}

static void keep(struct job *job, const char *text)
{
    if (job->finding_count < FINDINGS_SHOWN_MAX)
        snprintf(job->findings[job->finding_count++], FINDING_TEXT_SIZE, "%s", text);
}

static void found(void *context, const struct eds_ledger_finding *finding)
{
    char text[FINDING_TEXT_SIZE];

    eds_ledger_finding_text(text, sizeof text, finding);
    keep(context, text);
}

static void take_dropped(void *context, const EdsAuditRecord *record, const char *text)
{
    struct job *job = context;

    if (job->dropped_count < FINDINGS_SHOWN_MAX)
        snprintf(job->dropped[job->dropped_count++], FINDING_TEXT_SIZE,
                 "device=%s sequence=%" PRIu64 " stands for a payload that is not kept: %s",
                 (const char *)record->device_id, record->sequence, text);
}

static void show_progress(void *context, uint64_t records, uint64_t bytes)
{
    struct job *job = context;

    eds_progress_update(&job->progress, records, bytes);
}

static int32_t take_devices(struct job *job, struct eds_error *err)
{
    size_t count = eds_args_count(job->args, "device");

    job->devices = calloc(count + 1, sizeof *job->devices);
    if (job->devices == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    for (; job->device_count < count; job->device_count++) {
        int32_t rc = eds_device_arg_parse(&job->devices[job->device_count],
                                          eds_args_at(job->args, "device", job->device_count), err);
        if (rc != EDS_OK)
            return rc;
    }
    return EDS_OK;
}

static void print_json(const struct job *job)
{
    const struct eds_ledger_summary *summary = &job->summary;
    struct eds_json_out json;

    eds_out_begin(&json);
    eds_out_bool(&json, "valid", summary->finding_count == 0);
    eds_out_u64(&json, "record_count", summary->record_count);
    eds_out_u64(&json, "device_count", summary->device_count);
    eds_out_u64(&json, "verified_count", summary->verified_count);
    eds_out_u64(&json, "attested_count", summary->attested_count);
    eds_out_u64(&json, "payload_count", summary->payload_count);
    eds_out_u64(&json, "payload_absent_count", summary->payload_absent_count);
    eds_out_u64(&json, "payload_dropped_count", summary->dropped_count);
    eds_out_u64(&json, "conflict_count", summary->conflict_count);
    eds_gaps_json(&json, &job->gaps);
    eds_out_u64(&json, "finding_count", summary->finding_count);
    eds_out_array_begin(&json, "findings");
    for (size_t i = 0; i < job->finding_count; i++) {
        eds_out_object_begin(&json);
        eds_out_string(&json, "text", job->findings[i]);
        eds_out_object_end(&json);
    }
    eds_out_array_end(&json);
    eds_out_end(&json);
}

static int report(const struct job *job)
{
    const struct eds_ledger_summary *summary = &job->summary;
    bool valid = summary->finding_count == 0;

    if (eds_args_flag(job->args, "json"))
        print_json(job);
    else
        puts(valid ? "LEDGER_VALID" : "LEDGER_INVALID");
    if (!eds_args_flag(job->args, "json"))
        eds_gaps_print(&job->gaps);
    for (size_t i = 0; i < job->finding_count; i++)
        fprintf(stderr, "not valid: %s\n", job->findings[i]);
    if (summary->finding_count > job->finding_count)
        fprintf(stderr, "not valid: and %" PRIu64 " more\n",
                summary->finding_count - job->finding_count);
    eds_say_note("%" PRIu64 " records of %" PRIu64 " devices, %" PRIu64 " payloads, %" PRIu64
                 " forks kept",
                 summary->record_count, summary->device_count, summary->payload_count,
                 summary->conflict_count);
    for (size_t i = 0; i < job->dropped_count; i++)
        eds_say_note("%s", job->dropped[i]);
    if (summary->dropped_count > 0)
        eds_say_note("%" PRIu64 " payloads were given up by their devices, with a note each",
                     summary->dropped_count);
    if (summary->gap_count > 0)
        eds_say_note("%" PRIu64 " gaps closed by operators: %" PRIu64 " records are missing",
                     summary->gap_count, summary->gap_missing_count);
    if (summary->verified_count < summary->record_count)
        eds_say_note("not checked: the signatures of %" PRIu64
                     " records (their devices are not registered, and no --device is given)",
                     summary->record_count - summary->verified_count);
    if (summary->payload_absent_count > 0)
        eds_say_note("not checked: %" PRIu64
                     " payloads that are not kept in this ledger (no --objects)",
                     summary->payload_absent_count);
    return valid ? EDS_EXIT_OK : EDS_EXIT_NOT_VALID;
}

/* A second connection, by which the operation log is read at the same time; NULL if there
 * is none to be had: then it is read afterwards. */
static struct eds_ledger *open_again(const struct job *job, const struct eds_ledger *ledger)
{
    struct eds_ledger *again = NULL;
    struct eds_error err;

    if (strcmp(ledger->ops->name, "memory") != 0) /* which would be another ledger */
        (void)eds_store_open(&again, job->args, true, &err);
    return again;
}

/* A row that is no record any more ends the walk: that too is a finding. */
static int32_t verify(struct job *job, struct eds_ledger *ledger, struct eds_objects *objects,
                      struct eds_error *err)
{
    struct eds_ledger *again = open_again(job, ledger);
    struct eds_ledger_check check = {
        .ledger = ledger,
        .log_ledger = again,
        .objects = objects,
        .keys = give_keys,
        .operator_keys = give_operator_keys,
        .found = found,
        .gap = take_gap,
        .dropped = take_dropped,
        .progress = show_progress,
        .context = job,
    };
    int32_t rc;

    job->ledger = ledger;
    eds_progress_begin(&job->progress);
    rc = eds_ledger_check_run(&check, &job->summary, err);
    eds_progress_end(&job->progress);
    if (again != NULL)
        again->ops->close(again);
    if (job->failure.code == EDS_OK && job->operators.failure.code != EDS_OK)
        job->failure = job->operators.failure;
    if (job->failure.code != EDS_OK) {
        *err = job->failure;
        return err->code;
    }
    if (rc != EDS_ERR_MALFORMED)
        return rc;
    job->summary.finding_count++;
    keep(job, err->text);
    return EDS_OK;
}

static int run(const struct eds_args *args)
{
    struct job *job = calloc(1, sizeof *job);
    struct eds_ledger *ledger = NULL;
    struct eds_objects *objects = NULL;
    struct eds_error err;
    int code;
    int32_t rc;

    if (job == NULL) {
        eds_error_set(&err, EDS_ERR_NO_MEMORY, "out of memory");
        return eds_say_error(args, "", &err);
    }
    job->args = args;
    rc = take_devices(job, &err);
    if (rc == EDS_OK)
        rc = eds_store_open(&ledger, args, true, &err);
    if (rc == EDS_OK)
        rc = eds_operator_keys_take(&job->operators, args, ledger, &err);
    if (rc == EDS_OK)
        rc = eds_objects_open_arg(&objects, args, true, &err);
    if (rc == EDS_OK)
        rc = verify(job, ledger, objects, &err);
    code = rc == EDS_OK ? report(job) : eds_say_error(args, "", &err);
    if (ledger != NULL)
        ledger->ops->close(ledger);
    eds_objects_close(objects);
    eds_operator_keys_free(&job->operators);
    eds_gap_list_free(&job->gaps);
    free(job->devices);
    free(job);
    return code;
}

static const struct eds_command verify_command = {
    .name = "verify",
    .summary = "Verify a whole ledger: records, links, heads, payloads, operation log",
    .description =
        "Recomputes every record's hash and every link, compares each device's head with its "
        "last record, each payload with its hash and the operation log with the records it tells "
        "of, and checks the signatures of devices that are registered or given, each under the "
        "keys that were valid when the record came. "
        "Prints LEDGER_VALID, or LEDGER_INVALID and every fault. Changes "
        "nothing, and may run beside the server.\n\nA gap that an operator has closed is no "
        "fault where his key signed it and both its ends fit; each is listed behind the "
        "verdict, in a line that begins with GAP.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};

static const struct eds_command *const children[] = {&verify_command, NULL};

const struct eds_command eds_command_ledger = {
    .name = "ledger",
    .summary = "Look after a ledger",
    .children = children,
};
