/* device_close_gap.c - eds audit device close-gap: an operator's signature for what
 * can never come. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/port.h"
#include "base/utf8.h"
#include "base/wipe.h"
#include "cli/device.h"
#include "cli/device_job.h"
#include "cli/gap_out.h"
#include "cli/key_arg.h"
#include "cli/operator_check.h"
#include "cli/record_file.h"
#include "cli/say.h"
#include "registry/lifecycle.h"
#include "store/gaps.h"

#define ATTEMPT_MAX 10

static const struct eds_option options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "The device", .required = true},
    {.name = "record",
     .value = "FILE",
     .help = "The record that the device sends now and that is refused: the gap ends before "
             "it; '-' is standard input"},
    {.name = "resume-sequence",
     .value = "SEQUENCE",
     .check = eds_check_u64,
     .help = "Instead of --record: the sequence of that record"},
    {.name = "resume-hash",
     .value = "HASH_HEX",
     .help = "And its prev_record_hash; 64 zeros where the device begins anew without knowing "
             "its last record"},
    {.name = "operator",
     .value = "NAME",
     .help = "Who takes it upon himself, as he is registered",
     .required = true},
    EDS_OPTIONS_KEY,
    {.name = "reason",
     .value = "TEXT",
     .help = "Why nothing will ever come, at most 511 bytes; it is signed, too",
     .required = true},
    {.name = "dry-run", .help = "Check and sign everything, and write nothing"},
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"The device's flash was replaced; record.json is what it sends since",
     "eds audit device close-gap lift-07 --record record.json --operator carol --key-file "
     "carol.key.json --reason 'flash replaced, ticket 4711'"},
    {"It begins anew with sequence 900, without any memory",
     "eds audit device close-gap lift-08 --resume-sequence 900 --resume-hash "
     "0000000000000000000000000000000000000000000000000000000000000000 --operator carol "
     "--key-file carol.key.json --reason 'lost in the fire'"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the gap is closed, or was closed like this before"},
    {EDS_EXIT_FAILED, "not at the chain's end, no such name, another's key, or not written"},
    {0, NULL},
};

struct closure {
    const struct eds_args *args;
    struct eds_ledger *ledger;
    uint64_t now_ms;
    struct eds_key key;
    struct eds_gap gap;
    uint64_t operator_revision;
    bool has_record;
    struct eds_entry entry;      /* of --record */
    struct eds_enrolment device; /* key_count 0: it is not registered */
};

static int32_t read_end(struct closure *c, const struct eds_args *args, struct eds_error *err)
{
    const char *path = eds_args_text(args, "record"), *digits = eds_args_text(args, "resume-hash");
    const char *id = eds_args_text(args, "device-id");
    int32_t rc;

    snprintf(c->gap.device_id, sizeof c->gap.device_id, "%s", id);
    if (path == NULL) {
        c->gap.resume_sequence = eds_args_u64(args, "resume-sequence");
        return eds_hex_decode_exactly(c->gap.resume_hash, EDS_HASH_SIZE, digits, strlen(digits),
                                      err);
    }
    rc = eds_record_file_read(&c->entry, path, err);
    if (rc != EDS_OK)
        return rc;
    if (strcmp((const char *)c->entry.record.device_id, id) != 0)
        return eds_error_set(err, EDS_ERR_CHAIN_INVALID, "%s is a record of another device", path);
    c->has_record = true;
    c->gap.resume_sequence = c->entry.record.sequence;
    memcpy(c->gap.resume_hash, c->entry.record.prev_record_hash, EDS_HASH_SIZE);
    return EDS_OK;
}

static bool has_signed(const struct closure *c)
{
    for (uint32_t i = 0; i < c->device.key_count; i++)
        if (eds_record_verify(&c->entry.record, c->device.keys[i].public_key))
            return true;
    return false;
}

/* One that is not registered may still be known by what it has sent. */
static int32_t check_device(struct closure *c, const struct eds_head *head, struct eds_error *err)
{
    struct eds_ledger *ledger = c->ledger;
    int32_t rc = ledger->roster->find(ledger, EDS_ROLE_DEVICE, c->gap.device_id, &c->device, err);

    if (rc == EDS_ERR_NOT_FOUND && head->sequence > 0) {
        c->device.key_count = 0;
        return EDS_OK;
    }
    if (rc != EDS_OK)
        return rc;
    if (c->device.state == EDS_DEVICE_REVOKED || c->device.state == EDS_DEVICE_RETIRED)
        return eds_error_set(err, EDS_ERR_REFUSED, "device %s is %s, and sends nothing any more",
                             c->gap.device_id, eds_device_state_name(c->device.state));
    if (c->has_record && !has_signed(c))
        return eds_error_set(err, EDS_ERR_REFUSED, "the record was signed by no key of device %s",
                             c->gap.device_id);
    return EDS_OK;
}

/* EDS_ERR_EXISTS if the gap that ends before that sequence (the last one, of those
 * that correct each other) has the same end; then that one is c's. */
static int32_t look_for_same(struct closure *c, struct eds_error *err)
{
    struct eds_ledger *ledger = c->ledger;
    struct eds_gap_place place = {.id = 0};
    struct eds_gap found, last = {.resume_sequence = 0};
    int32_t rc;

    while ((rc = ledger->gaps->next(ledger, c->gap.device_id, &place, &found, err)) == EDS_OK)
        if (found.resume_sequence == c->gap.resume_sequence)
            last = found;
    if (rc != EDS_ERR_NOT_FOUND)
        return rc;
    if (last.resume_sequence == 0 ||
        memcmp(last.resume_hash, c->gap.resume_hash, EDS_HASH_SIZE) != 0)
        return EDS_OK;
    c->gap = last;
    return eds_error_set(err, EDS_ERR_EXISTS, "the gap is closed already, by operator %s",
                         last.operator_name);
}

static int32_t check_place(struct closure *c, const struct eds_head *head, struct eds_error *err)
{
    if (c->gap.resume_sequence <= head->sequence)
        return eds_error_set(err, EDS_ERR_CHAIN_INVALID,
                             "the chain of device %s is at sequence %" PRIu64
                             " already: a gap can only be closed behind it",
                             c->gap.device_id, head->sequence);
    if (c->gap.resume_sequence == head->sequence + 1 &&
        memcmp(c->gap.resume_hash, head->record_hash, EDS_HASH_SIZE) == 0)
        return eds_error_set(err, EDS_ERR_CHAIN_INVALID,
                             "nothing is missing: sequence %" PRIu64
                             " follows the last record of device %s",
                             c->gap.resume_sequence, c->gap.device_id);
    return EDS_OK;
}

static int32_t write(struct closure *c, struct eds_error *err)
{
    char missing[128], message[256], digits[2 * EDS_KEY_ID_SIZE + 1];
    struct eds_gap_closing closing = {&c->gap, c->operator_revision, message, c->now_ms};

    eds_gap_missing_text(missing, sizeof missing, &c->gap);
    eds_hex_encode(digits, c->gap.key_id, EDS_KEY_ID_SIZE);
    snprintf(message, sizeof message, "gap closed: %s, signed by key %s", missing, digits);
    return c->ledger->gaps->close(c->ledger, &closing, err);
}

/* Looks at everything and closes the gap, again if somebody was faster. */
static int32_t close_gap(struct closure *c, bool dry_run, struct eds_error *err)
{
    struct eds_ledger *ledger = c->ledger;
    int32_t rc = EDS_ERR_HEAD_MOVED;

    c->gap.closed_ms = c->now_ms;
    for (int i = 0; rc == EDS_ERR_HEAD_MOVED && i < ATTEMPT_MAX; i++) {
        struct eds_head head;

        rc = eds_operator_check(ledger, c->gap.operator_name, c->key.public_key, c->now_ms,
                                &c->operator_revision, err);
        if (rc == EDS_OK)
            rc = ledger->ops->head(ledger, c->gap.device_id, &head, err);
        if (rc == EDS_OK)
            rc = check_device(c, &head, err);
        if (rc == EDS_OK)
            rc = look_for_same(c, err);
        if (rc == EDS_OK)
            rc = check_place(c, &head, err);
        if (rc != EDS_OK)
            break;
        c->gap.last_sequence = head.sequence;
        memcpy(c->gap.last_record_hash, head.record_hash, EDS_HASH_SIZE);
        rc = eds_gap_sign(&c->gap, c->key.seed, err);
        if (rc == EDS_OK && !dry_run)
            rc = write(c, err);
    }
    return rc;
}

static int report(const struct closure *c, const struct eds_args *args, int32_t rc,
                  const struct eds_error *err)
{
    bool dry_run = eds_args_flag(args, "dry-run");
    struct eds_json_out json;
    char missing[128];

    if (rc != EDS_OK && rc != EDS_ERR_EXISTS)
        return eds_say_error(args, "", err);
    eds_gap_missing_text(missing, sizeof missing, &c->gap);
    if (eds_args_flag(args, "json")) {
        eds_out_begin(&json);
        eds_out_bool(&json, "changed", rc == EDS_OK && !dry_run);
        eds_out_bool(&json, "dry_run", dry_run);
        eds_gap_json(&json, &c->gap);
        eds_out_end(&json);
    } else if (rc == EDS_OK) {
        printf("device %s: %s; the gap %s closed, and sequence %" PRIu64 " comes next\n",
               c->gap.device_id, missing, dry_run ? "would be" : "is", c->gap.resume_sequence);
    }
    if (rc == EDS_ERR_EXISTS)
        eds_say_note("%s: nothing was changed", err->text);
    return EDS_EXIT_OK;
}

static const char *contradiction(const struct eds_args *args)
{
    static const char *const inputs[] = {"record", "key-file", "passphrase-file"};
    bool by_record = eds_args_given(args, "record");
    bool sequence = eds_args_given(args, "resume-sequence");
    bool hash = eds_args_given(args, "resume-hash");
    unsigned streams = 0;

    if (by_record ? sequence || hash : !sequence || !hash)
        return "either --record or --resume-sequence and --resume-hash are needed";
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        const char *path = eds_args_text(args, inputs[i]);

        streams += path != NULL && strcmp(path, "-") == 0;
    }
    return streams > 1 ? "only one input can be standard input" : NULL;
}

/* The texts first: what is wrong with them is said before a key is asked for. */
static int32_t check_texts(struct closure *c, const struct eds_args *args, struct eds_error *err)
{
    const char *reason = eds_args_text(args, "reason"), *id = eds_args_text(args, "device-id");
    const char *name = eds_args_text(args, "operator");
    int32_t rc = EDS_OK;

    if (strlen(id) >= EDS_DEVICE_ID_SIZE)
        rc = eds_error_set(err, EDS_ERR_STRING_TOO_LONG, "the device id is longer than 255 bytes");
    if (rc == EDS_OK && !eds_utf8_valid(id, strlen(id)))
        rc = eds_error_set(err, EDS_ERR_INVALID_UTF8, "the device id is not valid UTF-8");
    if (rc == EDS_OK && reason[0] == '\0')
        rc = eds_error_set(err, EDS_ERR_USAGE, "--reason must not be empty");
    if (rc == EDS_OK)
        rc = eds_lifecycle_check_text(reason, EDS_GAP_REASON_SIZE, "--reason", err);
    if (rc == EDS_OK && strlen(name) >= sizeof c->gap.operator_name)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "operator %s is not registered", name);
    if (rc != EDS_OK)
        return rc;
    strcpy(c->gap.reason, reason);
    strcpy(c->gap.operator_name, name);
    return EDS_OK;
}

static int run(const struct eds_args *args)
{
    bool dry_run = eds_args_flag(args, "dry-run");
    struct closure c = {.args = args, .now_ms = eds_port_time_ms()};
    struct eds_error err;
    int32_t rc;

    if (contradiction(args) != NULL)
        return eds_args_usage(args, "%s", contradiction(args));
    rc = check_texts(&c, args, &err);
    if (rc == EDS_OK)
        rc = read_end(&c, args, &err);
    if (rc == EDS_OK)
        rc = eds_key_get(&c.key, args, &err);
    if (rc == EDS_OK)
        rc = eds_store_open(&c.ledger, args, dry_run, &err);
    if (rc == EDS_OK)
        rc = close_gap(&c, dry_run, &err);
    if (c.ledger != NULL)
        c.ledger->ops->close(c.ledger);
    eds_wipe(&c.key, sizeof c.key);
    return report(&c, args, rc, &err);
}

const struct eds_command eds_device_close_gap = {
    .name = "close-gap",
    .summary = "Close a gap in a chain that can never be filled, by an operator's signature",
    .description =
        "For a device that lost its storage: its next record follows something that nobody has, "
        "and is refused for ever. The operator signs that the records in between are missing "
        "and why; from then on every server takes the device's next record. The gap stays "
        "visible: 'ledger verify' and 'verify-chain' report it, and 'export' writes it beside "
        "the chain. A gap that was closed with a wrong end is corrected by closing another "
        "one.\n\nThe operator must be registered ('operator add'), and the key his. What is "
        "missing cannot be taken in any more, should it turn up after all.",
    .options = options,
    .positional = "device-id",
    .examples = examples,
    .exits = exits,
    .run = run,
};
