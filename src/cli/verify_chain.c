/* verify_chain.c - eds audit verify-chain: is this file a whole chain? */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hex.h"
#include "cli/chain_gaps.h"
#include "cli/chain_input.h"
#include "cli/chain_keys.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/json_out.h"
#include "cli/progress.h"
#include "cli/say.h"
#include "cli/store_arg.h"
#include "evidence/chain_check.h"
#include "evidence/payload_ahead.h"

static const struct eds_option options[] = {
    {.name = "records-file",
     .value = "RECORDS_FILE",
     .help = "The records in their order, '-' for standard input",
     .required = true},
    EDS_OPTION_FORMAT("A JSON array, one JSON record a line, or compact binary records"),
    {.name = "public-key-hex",
     .value = "PUBLIC_KEY_HEX",
     .help = "Check signatures under this key of the device",
     .repeatable = true},
    {.name = "device",
     .value = "ID=PUBKEY_HEX",
     .help = "The same, and the chain must be of a device so named",
     .repeatable = true},
    EDS_OPTION_DATA_DIR,
    {.name = "store",
     .value = "URL",
     .help = "The same with all keys of the device in the registry of this ledger (or of "
             "--data-dir), ended ones up to their last sequence"},
    {.name = "payloads-file",
     .value = "PAYLOADS_FILE",
     .help = "Check the payloads: a JSON array of hex strings, one per record"},
    EDS_OPTION_GAPS_FILE,
    EDS_OPTION_OPERATOR,
    {.name = "full", .help = "Want every record attested and every payload there"},
    {.name = "expect-last-hash",
     .value = "HASH_HEX",
     .help = "Want the last record to have this hash, so that a cut end shows"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Links alone, as edgesentry-rs checks them",
     "eds audit verify-chain --records-file lift_inspection_records.json"},
    {"Signatures too, and whose chain it is",
     "eds audit verify-chain lift_inspection_records.json --device "
     "lift-01=8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {"Everything: attestations and payloads as well",
     "eds audit verify-chain attested.json --full --payloads-file "
     "lift_inspection_payloads.json --public-key-hex "
     "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {"With the gaps that an operator has signed for",
     "eds audit verify-chain lift_inspection_records.json --gaps-file gaps.json --operator "
     "alice=ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "CHAIN_VALID"},
    {EDS_EXIT_FAILED, "a file or key could not be read; without keys also a broken link"},
    {EDS_EXIT_NOT_VALID, "CHAIN_INVALID: checked with keys, and something is wrong"},
    {0, NULL},
};

/* Everything that one run holds. */
struct job {
    const struct eds_args *args;
    struct eds_chain_input input;
    struct eds_chain_check check;
    struct eds_chain_keys keys;
    struct eds_payload_reader payloads;
    struct eds_payload_ahead *ahead; /* NULL: they are read as they are wanted */
    int payloads_fd;
    struct eds_gap_list gaps;
    struct eds_progress progress;
    struct eds_chain_summary summary;
    char fault[256]; /* "" if the chain holds */
};

static int32_t take_payload(struct job *job, void **out, size_t *out_size, struct eds_error *err)
{
    return job->ahead != NULL ? eds_payload_ahead_next(job->ahead, out, out_size, err)
                              : eds_payload_reader_next(&job->payloads, out, out_size, err);
}

static int32_t next_payload(void *context, uint64_t index, const struct eds_entry *entry,
                            void **out, size_t *out_size, struct eds_error *err)
{
    (void)index;
    (void)entry;
    return take_payload(context, out, out_size, err);
}

static void show_progress(void *context, uint64_t records, uint64_t bytes)
{
    struct job *job = context;

    eds_progress_update(&job->progress, records, bytes);
}

static const char *contradiction(const struct eds_args *args)
{
    bool keys = eds_chain_keys_wanted(args);
    const char *payloads = eds_args_text(args, "payloads-file");

    if (payloads != NULL && eds_is_standard_stream(payloads) &&
        eds_is_standard_stream(eds_args_text(args, "records-file")))
        return "only one input can be standard input";
    if (payloads != NULL && !keys)
        return "--payloads-file needs a key: --public-key-hex, --device or --store";
    if (eds_args_flag(args, "full") && (!keys || payloads == NULL))
        return "--full needs --payloads-file and a key: --public-key-hex, --device or --store";
    return eds_chain_gaps_contradiction(args);
}

static int32_t open_payloads(struct job *job, struct eds_error *err)
{
    const char *path = eds_args_text(job->args, "payloads-file");
    struct stat status;
    int32_t rc;

    if (path == NULL)
        return EDS_OK;
    rc = eds_file_open(&job->payloads_fd, path, err);
    eds_payload_reader_init(&job->payloads, eds_file_read_some, &job->payloads_fd);
    job->check.payload = next_payload;
    /* A pipe may give nothing for ever, when a fault in the chain has long been found. */
    if (rc == EDS_OK && fstat(job->payloads_fd, &status) == 0 && S_ISREG(status.st_mode))
        job->ahead = eds_payload_ahead_start(&job->payloads);
    return rc;
}

/* What the walk over the records cannot see: payloads left over or missing,
 * and another end than the expected one. */
static int32_t check_end(struct job *job, struct eds_error *err)
{
    const char *expected = eds_args_text(job->args, "expect-last-hash");
    uint8_t hash[EDS_HASH_SIZE];
    void *payload = NULL;
    size_t size;
    int32_t rc = EDS_ERR_NOT_FOUND;

    if (job->check.payload != NULL)
        rc = take_payload(job, &payload, &size, err);
    free(payload);
    if (rc == EDS_OK)
        strcpy(job->fault, "there are more payloads than records");
    else if (rc != EDS_ERR_NOT_FOUND)
        return rc;
    else if (job->check.payload != NULL && job->summary.payload_count < job->summary.record_count)
        snprintf(job->fault, sizeof job->fault, "no payload at index %" PRIu64,
                 job->summary.payload_count);
    if (expected == NULL || job->fault[0] != '\0')
        return EDS_OK;
    rc = eds_hex_decode_exactly(hash, sizeof hash, expected, strlen(expected), err);
    if (rc == EDS_OK && memcmp(hash, job->summary.last_record_hash, sizeof hash) != 0)
        strcpy(job->fault, "the last record has another hash than the expected one");
    return rc;
}

static int32_t verify(struct job *job, struct eds_error *err)
{
    struct eds_chain_finding finding;
    int32_t rc = open_payloads(job, err);

    if (rc == EDS_OK && eds_args_given(job->args, "gaps-file"))
        rc = eds_chain_gaps_take(&job->gaps, job->args, job->fault, sizeof job->fault, err);
    job->check.gaps = job->gaps.gaps;
    job->check.gap_count = job->gaps.count;
    if (rc != EDS_OK || job->fault[0] != '\0')
        return rc;
    eds_progress_begin(&job->progress);
    rc = eds_chain_check_run(&job->check, &job->input.reader, &job->summary, &finding, err);
    eds_progress_end(&job->progress);
    if (rc == EDS_OK)
        return check_end(job, err);
    if (rc == EDS_ERR_CHAIN_INVALID) {
        eds_chain_finding_text(job->fault, sizeof job->fault, &finding);
        rc = EDS_OK;
    }
    return rc;
}

static void print_json(const struct job *job)
{
    static const char *const names[] = {
        [EDS_STRENGTH_LINKS] = "links",
        [EDS_STRENGTH_SIGNATURES] = "signatures",
        [EDS_STRENGTH_FULL] = "full",
    };
    const struct eds_chain_summary *summary = &job->summary;
    bool valid = job->fault[0] == '\0';
    struct eds_json_out json;

    eds_out_begin(&json);
    eds_out_bool(&json, "valid", valid);
    eds_out_string(&json, "reason", valid ? NULL : job->fault);
    eds_out_string(&json, "strength", names[job->check.rules.strength]);
    eds_out_string(&json, "not_checked", eds_chain_unchecked(job->check.rules.strength));
    if (valid) {
        eds_out_u64(&json, "record_count", summary->record_count);
        eds_out_u64(&json, "attested_count", summary->attested_count);
        eds_out_u64(&json, "payload_count", summary->payload_count);
        eds_out_string(&json, "device_id", summary->record_count > 0 ? summary->device_id : NULL);
        eds_out_u64(&json, "first_sequence", summary->first_sequence);
        eds_out_u64(&json, "last_sequence", summary->last_sequence);
        eds_out_hex(&json, "last_record_hash", summary->last_record_hash, EDS_HASH_SIZE);
        eds_gaps_json(&json, &job->gaps);
    }
    eds_out_end(&json);
}

/* A valid chain's end and the limits of the check, for the auditor's notes. */
static void say_what_was_checked(const struct job *job)
{
    const struct eds_chain_summary *summary = &job->summary;
    char digits[2 * EDS_HASH_SIZE + 1];

    eds_hex_encode(digits, summary->last_record_hash, EDS_HASH_SIZE);
    if (summary->record_count == 0)
        eds_say_note("the file holds no records");
    else
        eds_say_note("%" PRIu64 " record%s; the last one's hash is %s", summary->record_count,
                     summary->record_count == 1 ? "" : "s", digits);
    if (job->check.rules.strength > EDS_STRENGTH_LINKS)
        eds_say_note("checked %" PRIu64 " signatures, %" PRIu64 " attestations, %" PRIu64
                     " payloads",
                     summary->record_count, summary->attested_count, summary->payload_count);
    eds_say_note("not checked: %s", eds_chain_unchecked(job->check.rules.strength));
}

static int report(const struct job *job)
{
    bool links_only =
        job->check.rules.strength == EDS_STRENGTH_LINKS && !eds_args_given(job->args, "gaps-file");
    bool valid = job->fault[0] == '\0';

    if (eds_args_flag(job->args, "json"))
        print_json(job);
    else if (valid || !links_only)
        puts(valid ? "CHAIN_VALID" : "CHAIN_INVALID");
    if (valid && !eds_args_flag(job->args, "json"))
        eds_gaps_print(&job->gaps);
    if (valid) {
        say_what_was_checked(job);
        return EDS_EXIT_OK;
    }
    fprintf(stderr, "error: chain verification failed: %s\n", job->fault);
    return links_only ? EDS_EXIT_FAILED : EDS_EXIT_NOT_VALID; /* 1: as the original */
}

static int32_t prepare(struct job *job, struct eds_error *err)
{
    const struct eds_args *args = job->args;
    int32_t rc;

    job->check.progress = show_progress;
    job->check.context = job;
    job->check.rules.strength = eds_args_flag(args, "full")   ? EDS_STRENGTH_FULL
                                : eds_chain_keys_wanted(args) ? EDS_STRENGTH_SIGNATURES
                                                              : EDS_STRENGTH_LINKS;
    rc = eds_chain_input_open(&job->input, eds_args_text(args, "records-file"),
                              eds_chain_format_parse(eds_args_text(args, "format")), err);
    if (rc == EDS_OK)
        rc = eds_chain_keys_take(
            &job->keys, args,
            job->input.has_first ? (const char *)job->input.first.record.device_id : NULL, err);
    if (rc == EDS_OK)
        strcpy(job->fault, job->keys.fault);
    eds_chain_keys_rules(&job->keys, &job->check.rules);
    return rc;
}

/* The original's word in front of an error, by what failed. */
static const char *error_kind(int32_t rc)
{
    switch (rc) {
    case EDS_ERR_IO:
        return "io error: ";
    case EDS_ERR_MALFORMED:
    case EDS_ERR_TRUNCATED:
    case EDS_ERR_TOO_LARGE:
        return "json error: ";
    default:
        return "";
    }
}

static int run(const struct eds_args *args)
{
    struct job job = {.args = args, .payloads_fd = -1, .input = {.fd = -1}};
    struct eds_error err;
    const char *before = "";
    int32_t rc;
    int code;

    if (contradiction(args) != NULL)
        return eds_args_usage(args, "%s", contradiction(args));
    rc = prepare(&job, &err);
    if (rc == EDS_OK) {
        rc = verify(&job, &err);
        before = error_kind(rc);
    } else if (rc == EDS_ERR_IO) {
        before = error_kind(rc);
    }
    eds_chain_input_close(&job.input);
    eds_payload_ahead_end(job.ahead);
    eds_file_close(job.payloads_fd);
    eds_chain_keys_free(&job.keys);
    code = rc == EDS_OK ? report(&job) : eds_say_error(args, before, &err);
    eds_gap_list_free(&job.gaps);
    return code;
}

const struct eds_command eds_command_verify_chain = {
    .name = "verify-chain",
    .summary = "Verify an entire hash-chained records file",
    .description =
        "Prints CHAIN_VALID, or an error that names the first wrong record. What was not checked "
        "is said on standard error.\n\nWithout a key only the links are checked: each record "
        "carries the hash of the one before and the next sequence. With a key also who signed, "
        "that all records are of one device from sequence 1 on, and attestations and payloads "
        "where they are there. With --full they must be there.\n\nRecords that are missing for "
        "good, because a device lost its storage, are accepted only with the gap records that an "
        "operator has signed for them; each is listed behind the verdict, in a line that begins "
        "with GAP.\n\nThe file is read once from "
        "front to end in constant memory.",
    .options = options,
    .positional = "records-file",
    .examples = examples,
    .exits = exits,
    .run = run,
};
