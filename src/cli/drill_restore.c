/* drill_restore.c - eds drill restore: is a restored copy of a ledger whole, up to
 * which moment does it go, and what is missing behind that? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/chain_input.h"
#include "cli/drill.h"
#include "cli/drill_compare.h"
#include "cli/drill_registry.h"
#include "cli/drill_steps.h"
#include "cli/ledger_walk.h"
#include "cli/objects_arg.h"
#include "cli/say.h"
#include "cli/store_arg.h"
#include "store/instant.h"

struct restore {
    const struct eds_args *args;
    struct eds_drill drill;
    struct eds_ledger *ledger, *against;
    struct eds_objects *objects;
    struct eds_ledger_walk walk;
    uint64_t point_ms; /* when the copy's last record came in */
    char point_device[EDS_DEVICE_ID_SIZE];
    uint64_t point_sequence;
    struct eds_drill_comparison comparison;
    struct eds_drill_registry registry;
};

static void judge_walk(struct restore *restore)
{
    const struct eds_ledger_summary *summary = &restore->walk.summary;
    uint64_t fault_count = restore->walk.fault_count;
    uint64_t unverified_count = summary->record_count - summary->verified_count;

    if (fault_count > 0)
        eds_drill_check(&restore->drill, false, "ledger-whole", "%" PRIu64 " faults, first: %s",
                        fault_count, restore->walk.fault);
    else
        eds_drill_check(&restore->drill, true, "ledger-whole",
                        "%" PRIu64 " records of %" PRIu64 " devices, links, heads, operation log",
                        summary->record_count, summary->device_count);
    if (restore->walk.payload_fault_count > 0)
        eds_drill_check(&restore->drill, false, "payloads-kept", "%" PRIu64 " faults, first: %s",
                        restore->walk.payload_fault_count, restore->walk.payload_fault);
    else if (summary->payload_absent_count > 0)
        eds_drill_skip(&restore->drill, "payloads-kept",
                       "%" PRIu64 " payloads are kept elsewhere: --objects names their store",
                       summary->payload_absent_count);
    else
        eds_drill_check(&restore->drill, true, "payloads-kept", "%" PRIu64 " payloads, by hash",
                        summary->payload_count);
    if (unverified_count > 0)
        eds_drill_skip(&restore->drill, "signatures-good",
                       "%" PRIu64 " records are of devices that are not registered; see eds audit "
                       "ledger verify --device",
                       unverified_count);
    else if (fault_count == 0)
        eds_drill_check(&restore->drill, true, "signatures-good",
                        "%" PRIu64 " signatures, %" PRIu64 " attestations", summary->verified_count,
                        summary->attested_count);
}

static int32_t take_point(void *context, const struct eds_stored *stored)
{
    struct restore *restore = context;

    if (stored->ingested_ms < restore->point_ms)
        return EDS_OK;
    restore->point_ms = stored->ingested_ms;
    memcpy(restore->point_device, stored->entry->record.device_id, EDS_DEVICE_ID_SIZE);
    restore->point_sequence = stored->entry->record.sequence;
    return EDS_OK;
}

static int32_t find_point(struct restore *restore, struct eds_error *err)
{
    char text[EDS_INSTANT_SIZE];
    int32_t rc = restore->ledger->ops->scan(restore->ledger, NULL, take_point, restore, err);

    if (rc == EDS_ERR_MALFORMED) /* the walk has told */
        rc = EDS_OK;
    if (rc != EDS_OK)
        return rc;
    eds_instant_format(text, restore->point_ms);
    if (restore->point_sequence == 0)
        eds_drill_check(&restore->drill, false, "recovery-point", "the copy has no record at all");
    else
        eds_drill_check(&restore->drill, true, "recovery-point",
                        "%s: device=%s sequence=%" PRIu64 " came in last", text,
                        restore->point_device, restore->point_sequence);
    return EDS_OK;
}

static void judge_loss(struct restore *restore)
{
    const struct eds_drill_comparison *found = &restore->comparison;
    uint64_t lost_ms =
        found->oldest_lost_ms < found->newest_ms ? found->newest_ms - found->oldest_lost_ms : 0;

    if (!eds_args_given(restore->args, "rpo"))
        return;
    eds_drill_check(&restore->drill, lost_ms <= eds_args_u64(restore->args, "rpo") * 1000,
                    "within-rpo", "what is missing came in within %" PRIu64 ".%03" PRIu64 " s",
                    lost_ms / 1000, lost_ms % 1000);
}

static int32_t compare(struct restore *restore, struct eds_error *err)
{
    uint64_t tolerance_ms = eds_args_u64(restore->args, "tolerance-ms");
    uint64_t border_ms = restore->point_ms > tolerance_ms ? restore->point_ms - tolerance_ms : 0;
    const struct eds_drill_comparison *found = &restore->comparison;
    int32_t rc =
        eds_store_open_url(&restore->against, eds_args_text(restore->args, "against"), true, err);

    if (rc == EDS_OK)
        rc = eds_drill_compare(&restore->comparison, restore->ledger, restore->against, border_ms,
                               err);
    if (rc == EDS_OK)
        rc = eds_drill_registry_compare(&restore->registry, restore->ledger, restore->against, err);
    if (rc != EDS_OK)
        return rc;
    eds_drill_check(&restore->drill, found->altered_count + found->added_count == 0, "nothing-else",
                    "%" PRIu64 " records are the same in both, %" PRIu64 " differ, %" PRIu64
                    " are in the copy alone",
                    found->same_count, found->altered_count, found->added_count);
    eds_drill_check(&restore->drill, found->lost_before_count == 0, "complete",
                    "of what came in before the recovery point %" PRIu64
                    " records are missing; after it %" PRIu64,
                    found->lost_before_count, found->lost_after_count);
    judge_loss(restore);
    return EDS_OK;
}

/* Each record of the file has to be in the copy as it is. */
static int32_t check_chain(struct restore *restore, const char *path, struct eds_error *err)
{
    struct eds_chain_input *input = malloc(sizeof *input);
    struct eds_entry *entry = malloc(sizeof *entry);
    uint64_t count = 0, kept_count = 0, lost_sequence = 0;
    int32_t rc = EDS_ERR_NO_MEMORY, found = EDS_OK;

    if (input == NULL || entry == NULL) {
        eds_error_set(err, rc, "out of memory");
        goto out;
    }
    rc = eds_chain_input_open(input, path,
                              eds_chain_format_parse(eds_args_text(restore->args, "format")), err);
    while (rc == EDS_OK && found == EDS_OK &&
           (rc = eds_chain_reader_next(&input->reader, entry, err)) == EDS_OK) {
        uint8_t wanted[EDS_HASH_SIZE], stored[EDS_HASH_SIZE];

        found = restore->ledger->ops->record_hash(restore->ledger,
                                                  (const char *)entry->record.device_id,
                                                  entry->record.sequence, stored, err);
        if (found == EDS_OK && eds_record_digest(wanted, &entry->record) == EDS_OK &&
            memcmp(wanted, stored, EDS_HASH_SIZE) == 0)
            kept_count++;
        else if (lost_sequence == 0)
            lost_sequence = entry->record.sequence;
        if (found == EDS_ERR_NOT_FOUND)
            found = EDS_OK;
        count++;
    }
    eds_chain_input_close(input);
    if (rc == EDS_ERR_NOT_FOUND)
        rc = EDS_OK; /* the end of the file */
    if (rc == EDS_OK)
        rc = found;
    if (rc == EDS_OK && kept_count == count)
        eds_drill_check(&restore->drill, true, "chain-kept", "%s: all of %" PRIu64 " records", path,
                        count);
    else if (rc == EDS_OK)
        eds_drill_check(&restore->drill, false, "chain-kept",
                        "%s: %" PRIu64 " of %" PRIu64 " records; sequence %" PRIu64
                        " is the first that is not there",
                        path, kept_count, count, lost_sequence);
out:
    free(input);
    free(entry);
    return rc;
}

static int32_t drill(struct restore *restore, struct eds_error *err)
{
    const struct eds_args *args = restore->args;
    int32_t rc = eds_store_open(&restore->ledger, args, true, err);

    if (rc == EDS_OK)
        rc = eds_objects_open_arg(&restore->objects, args, true, err);
    if (rc == EDS_OK)
        rc = eds_ledger_walk_run(&restore->walk, restore->ledger, restore->objects, err);
    if (rc != EDS_OK)
        return rc;
    judge_walk(restore);
    rc = find_point(restore, err);
    if (rc == EDS_OK && eds_args_text(args, "against") != NULL)
        rc = compare(restore, err);
    for (size_t i = 0; i < eds_args_count(args, "chain") && rc == EDS_OK; i++)
        rc = check_chain(restore, eds_args_at(args, "chain", i), err);
    return rc;
}

static void print_differences(const struct restore *restore)
{
    const struct eds_drill_comparison *found = &restore->comparison;

    for (size_t i = 0; i < found->range_count; i++)
        printf("MISSING device=%s sequences %" PRIu64 " to %" PRIu64 "\n",
               found->ranges[i].device_id, found->ranges[i].first_sequence,
               found->ranges[i].last_sequence);
    if (found->range_left_count > 0)
        printf("MISSING and %" PRIu64 " more\n", found->range_left_count);
    eds_drill_registry_print(&restore->registry);
}

static void add_json(struct eds_json_out *json, void *context)
{
    const struct restore *restore = context;
    const struct eds_drill_comparison *found = &restore->comparison;

    eds_out_u64(json, "record_count", restore->walk.summary.record_count);
    eds_out_u64(json, "device_count", restore->walk.summary.device_count);
    eds_out_u64(json, "recovery_point_ms", restore->point_ms);
    if (restore->against == NULL)
        return;
    eds_out_u64(json, "missing_before_count", found->lost_before_count);
    eds_out_u64(json, "missing_after_count", found->lost_after_count);
    eds_out_array_begin(json, "missing");
    for (size_t i = 0; i < found->range_count; i++) {
        eds_out_object_begin(json);
        eds_out_string(json, "device_id", found->ranges[i].device_id);
        eds_out_u64(json, "first_sequence", found->ranges[i].first_sequence);
        eds_out_u64(json, "last_sequence", found->ranges[i].last_sequence);
        eds_out_object_end(json);
    }
    eds_out_array_end(json);
    eds_out_u64(json, "missing_not_listed_count", found->range_left_count);
    eds_drill_registry_json(json, &restore->registry);
}

static int run(const struct eds_args *args)
{
    struct restore *restore = calloc(1, sizeof *restore);
    struct eds_error err;
    int32_t rc;
    int code;

    if (restore == NULL) {
        eds_error_set(&err, EDS_ERR_NO_MEMORY, "out of memory");
        return eds_say_error(args, "", &err);
    }
    if (eds_args_given(args, "rpo") && !eds_args_given(args, "against")) {
        free(restore);
        return eds_args_usage(args, "--rpo needs --against: else nobody knows what is missing");
    }
    restore->args = args;
    eds_drill_begin(&restore->drill, args, "restore");
    restore->drill.add_json = add_json;
    restore->drill.context = restore;
    rc = drill(restore, &err);
    if (rc == EDS_OK && !eds_args_flag(args, "json"))
        print_differences(restore);
    code = rc == EDS_OK ? eds_drill_end(&restore->drill) : eds_say_error(args, "", &err);
    if (restore->ledger != NULL)
        restore->ledger->ops->close(restore->ledger);
    if (restore->against != NULL)
        restore->against->ops->close(restore->against);
    eds_objects_close(restore->objects);
    free(restore);
    return code;
}

static const struct eds_option options[] = {
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_OBJECTS,
    {.name = "against",
     .value = "URL",
     .help = "The ledger that it is a copy of, if that is still there: what is missing, and is "
             "anything else?"},
    {.name = "chain",
     .value = "FILE",
     .help = "A chain that was exported before the recovery point, and has to be in the copy",
     .repeatable = true},
    EDS_OPTION_FORMAT("Of --chain: a JSON array, one JSON record a line, or compact binary"),
    {.name = "tolerance-ms",
     .value = "COUNT",
     .fallback = "1000",
     .check = eds_check_u64,
     .help = "So long before the recovery point records may be missing as well: servers' clocks "
             "differ, and commits overlap"},
    {.name = "rpo",
     .value = "SECONDS",
     .fallback = "300",
     .check = eds_check_u64,
     .help = "Fail if records are missing that came in longer than that before the last one; "
             "checked only where it is given"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"The ledger in ./edgesentry-data as a restored copy", "eds drill restore"},
    {NULL, NULL},
};

const struct eds_command eds_command_drill_restore = {
    .name = "restore",
    .summary = "Examine a restored copy of a ledger, and what it lacks",
    .description =
        "Verifies all of a restored ledger and its payloads, and tells its recovery point: the "
        "moment when its last record came in. With --against it is compared, record by record, "
        "with the ledger that it was restored from: all that came in before the recovery point "
        "has to be there, and nothing else. What is missing behind that is listed: records in "
        "lines that begin with MISSING, for the devices or their gateways to send again, and "
        "registrations, revocations and keys in lines that begin with UNDONE, for operators to "
        "repeat before a server takes records. With --chain the "
        "records of an exported file have to be there. Changes nothing in either.",
    .options = options,
    .examples = examples,
    .exits = eds_drill_exits,
    .run = run,
};
