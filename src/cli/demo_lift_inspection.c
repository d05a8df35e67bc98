/* demo_lift_inspection.c - eds audit demo-lift-inspection: a chain of three
 * checks on a lift, as a device would sign it. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/wipe.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/json_out.h"
#include "cli/key_arg.h"
#include "cli/output.h"
#include "cli/say.h"
#include "edgesentry/attest.h"
#include "edgesentry/chain.h"
#include "edgesentry/json.h"

#define CHECK_COUNT  3u
#define PAYLOAD_SIZE 512u /* bytes: the longest id and the text around it */
#define INTERVAL_MS  60000u
#define DEMO_KEY     "0101010101010101010101010101010101010101010101010101010101010101"

static const struct eds_option options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "Id of the device", .fallback = "lift-01"},
    {.name = "private-key-hex",
     .value = "PRIVATE_KEY_HEX",
     .help = "Private key as 64 hex digits; the default is for demonstrations, everybody knows it",
     .fallback = DEMO_KEY},
    {.name = "key-file",
     .value = "FILE",
     .help = "File of the private key instead, '-' for standard input"},
    EDS_OPTION_PASSPHRASE_FILE,
    {.name = "start-timestamp-ms",
     .value = "START_TIMESTAMP_MS",
     .help = "Unix time of the first check in milliseconds; the others follow a minute apart",
     .fallback = "1700000000000",
     .check = eds_check_u64},
    {.name = "object-prefix",
     .value = "OBJECT_PREFIX",
     .help = "What the references of the payloads begin with",
     .fallback = "s3://bucket/lift-01"},
    {.name = "out-file",
     .value = "OUT_FILE",
     .help = "Where the records go, as a JSON array",
     .fallback = "lift_inspection_records.json"},
    {.name = "payloads-file",
     .value = "PAYLOADS_FILE",
     .help = "Also write the payloads, as a JSON array of hex strings"},
    {.name = "attest", .help = "Let the device attest each record"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Three records and their payloads",
     "eds audit demo-lift-inspection --payloads-file lift_inspection_payloads.json"},
    {"The same, attested", "eds audit demo-lift-inspection --attest --out-file attested.json"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the files were written and the chain holds"},
    {EDS_EXIT_FAILED, "a value is not valid, or a file could not be written"},
    {0, NULL},
};

static const char *const checks[CHECK_COUNT] = {
    "check=door,status=ok,open_close_cycle=3",
    "check=vibration,status=ok,rms=0.18",
    "check=emergency_brake,status=ok,response_ms=120",
};

struct demo {
    struct eds_entry entries[CHECK_COUNT];
    char payloads[CHECK_COUNT][PAYLOAD_SIZE];
};

/* The record at index, signed to follow the one before it. */
static int32_t make_record(struct demo *demo, unsigned index, const struct eds_key *key,
                           const struct eds_args *args, struct eds_error *err)
{
    struct eds_entry *entry = &demo->entries[index];
    const char *device_id = eds_args_text(args, "device-id");
    char object_ref[EDS_OBJECT_REF_SIZE + 1]; /* one more than fits: too long shows */
    uint8_t hash[EDS_HASH_SIZE] = {0};
    uint64_t time_ms = eds_args_u64(args, "start-timestamp-ms") + index * INTERVAL_MS;
    char *payload = demo->payloads[index];
    int32_t rc;

    if (index > 0 && (rc = eds_record_digest(hash, &entry[-1].record)) != EDS_OK)
        return eds_error_set(err, rc, "the record cannot be hashed");
    snprintf(payload, PAYLOAD_SIZE, "scenario=lift-inspection,device=%s,sequence=%u,%s", device_id,
             index + 1, checks[index]);
    snprintf(object_ref, sizeof object_ref, "%s/inspection-%u.bin",
             eds_args_text(args, "object-prefix"), index + 1);
    rc = eds_record_sign(&entry->record, device_id, index + 1, time_ms, payload, strlen(payload),
                         index > 0 ? hash : NULL, object_ref, key->seed, err);
    if (rc != EDS_OK || !eds_args_flag(args, "attest"))
        return rc;
    rc = eds_record_digest(hash, &entry->record);
    if (rc == EDS_OK)
        eds_attest_sign(&entry->attestation, hash, key->seed);
    return rc;
}

static int32_t make(struct demo *demo, const struct eds_key *key, const struct eds_args *args,
                    struct eds_error *err)
{
    struct eds_chain chain;
    struct eds_chain_finding finding;
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc = EDS_OK;

    eds_chain_begin(&chain, EDS_STRENGTH_SIGNATURES);
    for (unsigned i = 0; i < CHECK_COUNT && rc == EDS_OK; i++) {
        rc = make_record(demo, i, key, args, err);
        if (rc == EDS_OK)
            rc = eds_chain_link(&chain, &demo->entries[i].record, hash, &finding);
    }
    return rc;
}

static int32_t write_records(const struct demo *demo, const char *path, struct eds_error *err)
{
    char text[CHECK_COUNT * (EDS_JSON_ENTRY_SIZE_MAX + 4) + 8];
    size_t size = 0;

    for (unsigned i = 0; i < CHECK_COUNT; i++) {
        size_t entry_size;

        size += (size_t)sprintf(text + size, i == 0 ? "[\n  " : ",\n  ");
        entry_size = eds_json_entry_encode(text + size, EDS_JSON_ENTRY_SIZE_MAX, &demo->entries[i],
                                           EDS_JSON_PRETTY, 2);
        if (entry_size == 0)
            return eds_error_set(err, EDS_ERR_INVALID_UTF8, "a string of the record is not valid");
        size += entry_size;
    }
    size += (size_t)sprintf(text + size, "\n]");
    return eds_output_file(path, EDS_OUTPUT_PUBLIC, text, size, err);
}

static int32_t write_payloads(const struct demo *demo, const char *path, struct eds_error *err)
{
    char text[CHECK_COUNT * (2 * PAYLOAD_SIZE + 8) + 8];
    size_t size = 0;

    for (unsigned i = 0; i < CHECK_COUNT; i++) {
        size_t payload_size = strlen(demo->payloads[i]);

        size += (size_t)sprintf(text + size, i == 0 ? "[\n  \"" : "\",\n  \"");
        eds_hex_encode(text + size, demo->payloads[i], payload_size);
        size += 2 * payload_size;
    }
    size += (size_t)sprintf(text + size, "\"\n]");
    return eds_output_file(path, EDS_OUTPUT_PUBLIC, text, size, err);
}

static void report(const struct eds_args *args, const struct demo *demo)
{
    struct eds_json_out json;
    uint8_t hash[EDS_HASH_SIZE];

    if (eds_is_standard_stream(eds_args_text(args, "out-file")))
        return; /* the records stand there */
    if (!eds_args_flag(args, "json")) {
        printf("DEMO_CREATED:%s\nCHAIN_VALID\n", eds_args_text(args, "out-file"));
        return;
    }
    eds_out_begin(&json);
    eds_out_string(&json, "records_file", eds_args_text(args, "out-file"));
    eds_out_string(&json, "payloads_file", eds_args_text(args, "payloads-file"));
    eds_out_u64(&json, "record_count", CHECK_COUNT);
    if (eds_record_digest(hash, &demo->entries[CHECK_COUNT - 1].record) == EDS_OK)
        eds_out_hex(&json, "last_record_hash", hash, sizeof hash);
    eds_out_bool(&json, "chain_valid", true);
    eds_out_end(&json);
}

static int run(const struct eds_args *args)
{
    const char *payloads_file = eds_args_text(args, "payloads-file");
    struct demo demo = {0};
    struct eds_error err;
    struct eds_key key;
    const char *before = "";
    int32_t rc;

    if (eds_args_given(args, "private-key-hex") || eds_args_given(args, "key-file"))
        rc = eds_key_get(&key, args, &err);
    else
        rc = eds_key_from_hex(&key, DEMO_KEY, &err);
    if (rc == EDS_OK)
        rc = make(&demo, &key, args, &err);
    eds_wipe(&key, sizeof key);
    if (rc == EDS_OK) {
        before = "io error: ";
        rc = write_records(&demo, eds_args_text(args, "out-file"), &err);
    }
    if (rc == EDS_OK && payloads_file != NULL)
        rc = write_payloads(&demo, payloads_file, &err);
    if (rc != EDS_OK)
        return eds_say_error(args, before, &err);
    report(args, &demo);
    return EDS_EXIT_OK;
}

const struct eds_command eds_command_demo_lift_inspection = {
    .name = "demo-lift-inspection",
    .summary = "Generate a lift inspection: signed records and, if asked, payloads",
    .description = "A door, a vibration and an emergency brake check of one lift, signed as a "
                   "chain of three records.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
