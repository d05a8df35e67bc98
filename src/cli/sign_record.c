/* sign_record.c - eds audit sign-record: one signed record from its parts. */
#include <string.h>

#include "base/hex.h"
#include "base/wipe.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/json_out.h"
#include "cli/key_arg.h"
#include "cli/payload_hash.h"
#include "cli/record_file.h"
#include "cli/say.h"
#include "edgesentry/attest.h"

#define ZERO_HASH "0000000000000000000000000000000000000000000000000000000000000000"

static const struct eds_option options[] = {
    {.name = "device-id",
     .value = "DEVICE_ID",
     .help = "Id of the device, at most 255 bytes",
     .required = true},
    {.name = "sequence",
     .value = "SEQUENCE",
     .help = "Place in the device's chain: 1, 2, 3 ...",
     .required = true,
     .check = eds_check_u64},
    {.name = "timestamp-ms",
     .value = "TIMESTAMP_MS",
     .help = "Unix time of the event in milliseconds",
     .required = true,
     .check = eds_check_u64},
    {.name = "payload", .value = "PAYLOAD", .help = "The payload as text"},
    {.name = "payload-file",
     .value = "FILE",
     .help = "The payload's bytes from a file, '-' for standard input, instead of --payload"},
    EDS_OPTION_HASH_THREADS,
    {.name = "prev-hash-hex",
     .value = "PREV_HASH_HEX",
     .help = "Record hash of the record before; all zero for a first record",
     .fallback = ZERO_HASH},
    {.name = "prev-record",
     .value = "FILE",
     .help = "File of the record before, whose hash is computed, instead of --prev-hash-hex"},
    {.name = "object-ref",
     .value = "OBJECT_REF",
     .help = "Where the payload is stored, at most 511 bytes",
     .required = true},
    EDS_OPTIONS_KEY,
    {.name = "attest", .help = "Sign the whole record as well, not only the payload's hash"},
    {.name = "out", .value = "OUT", .help = "Write to this file instead of standard output"},
    {.name = "json",
     .help = "With --out, print one JSON object with the record's hash; errors as JSON too"},
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"A first record, its key from a file",
     "eds audit sign-record --device-id lift-01 --sequence 1 --timestamp-ms 1700000000000 "
     "--payload door-open --object-ref s3://bucket/lift-01/1.bin --key-file lift-01.key.json "
     "--attest --out record1.json"},
    {"The next one, with the bytes of a file as its payload",
     "eds audit sign-record --device-id lift-01 --sequence 2 --timestamp-ms 1700000060000 "
     "--payload-file scan.bin --object-ref s3://bucket/lift-01/2.bin --key-file "
     "lift-01.key.json --attest --prev-record record1.json --out record2.json"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the record was printed or written"},
    {EDS_EXIT_FAILED, "a value is not valid, or a file could not be read or written"},
    {0, NULL},
};

/* What the options become before the key is touched. */
struct draft {
    uint8_t payload_hash[EDS_HASH_SIZE];
    uint8_t prev_hash[EDS_HASH_SIZE];
};

/* A record that breaks its own chain is a mistake at the keyboard: better said
 * now than found by an auditor. */
static int32_t follow(struct draft *draft, const struct eds_args *args, struct eds_error *err)
{
    const char *path = eds_args_text(args, "prev-record");
    uint64_t sequence = eds_args_u64(args, "sequence");
    struct eds_entry before;
    int32_t rc = eds_record_file_read(&before, path, err);

    if (rc != EDS_OK)
        return rc;
    if (sequence == 0 || sequence - 1 != before.record.sequence)
        return eds_error_set(
            err, EDS_ERR_CHAIN_INVALID, "sequence %llu does not follow %llu, that of %s",
            (unsigned long long)sequence, (unsigned long long)before.record.sequence, path);
    if (strcmp((const char *)before.record.device_id, eds_args_text(args, "device-id")) != 0)
        return eds_error_set(err, EDS_ERR_CHAIN_INVALID, "%s is a record of another device", path);
    rc = eds_record_digest(draft->prev_hash, &before.record);
    return rc == EDS_OK ? EDS_OK : eds_error_set(err, rc, "%s cannot be hashed", path);
}

static int32_t take_payload(struct draft *draft, const struct eds_args *args, struct eds_error *err)
{
    const char *text = eds_args_text(args, "payload");

    if (text == NULL)
        return eds_payload_hash(draft->payload_hash, args, err);
    eds_blake3(draft->payload_hash, text, strlen(text));
    return EDS_OK;
}

static int32_t sign(struct eds_entry *entry, const struct draft *draft, const struct eds_key *key,
                    const struct eds_args *args, struct eds_error *err)
{
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc;

    memset(entry, 0, sizeof *entry);
    rc = eds_record_sign_hashed(&entry->record, eds_args_text(args, "device-id"),
                                eds_args_u64(args, "sequence"), eds_args_u64(args, "timestamp-ms"),
                                draft->payload_hash, draft->prev_hash,
                                eds_args_text(args, "object-ref"), key->seed, err);
    if (rc != EDS_OK || !eds_args_flag(args, "attest"))
        return rc;
    rc = eds_record_digest(hash, &entry->record);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "the record cannot be hashed");
    eds_attest_sign(&entry->attestation, hash, key->seed);
    return EDS_OK;
}

static void report(const struct eds_args *args, const struct eds_entry *entry)
{
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_json_out json;

    if (!eds_args_flag(args, "json") || eds_record_digest(hash, &entry->record) != EDS_OK)
        return;
    eds_out_begin(&json);
    eds_out_string(&json, "record_file", eds_args_text(args, "out"));
    eds_out_string(&json, "device_id", (const char *)entry->record.device_id);
    eds_out_u64(&json, "sequence", entry->record.sequence);
    eds_out_hex(&json, "record_hash", hash, sizeof hash);
    eds_out_bool(&json, "attested", entry->attestation.present);
    eds_out_end(&json);
}

static const char *contradiction(const struct eds_args *args)
{
    static const char *const inputs[] = {"payload-file", "prev-record", "key-file",
                                         "passphrase-file"};
    unsigned streams = 0;

    if (eds_args_given(args, "payload") == eds_args_given(args, "payload-file"))
        return "one of --payload and --payload-file is needed";
    if (eds_args_given(args, "prev-hash-hex") && eds_args_given(args, "prev-record"))
        return "--prev-hash-hex and --prev-record exclude each other";
    for (size_t i = 0; i < sizeof inputs / sizeof inputs[0]; i++) {
        const char *path = eds_args_text(args, inputs[i]);

        streams += path != NULL && eds_is_standard_stream(path);
    }
    return streams > 1 ? "only one input can be standard input" : NULL;
}

static int run(const struct eds_args *args)
{
    const char *out = eds_args_text(args, "out");
    const char *prev_hash = eds_args_text(args, "prev-hash-hex");
    const char *before = "";
    struct draft draft = {0};
    struct eds_entry entry;
    struct eds_error err;
    struct eds_key key;
    int32_t rc;

    if (contradiction(args) != NULL)
        return eds_args_usage(args, "%s", contradiction(args));
    if (eds_args_given(args, "prev-record"))
        rc = follow(&draft, args, &err);
    else
        rc = eds_hex_decode_exactly(draft.prev_hash, EDS_HASH_SIZE, prev_hash, strlen(prev_hash),
                                    &err);
    if (rc == EDS_OK)
        rc = eds_key_get(&key, args, &err);
    if (rc == EDS_OK)
        rc = take_payload(&draft, args, &err);
    if (rc == EDS_OK)
        rc = sign(&entry, &draft, &key, args, &err);
    eds_wipe(&key, sizeof key);
    if (rc == EDS_OK) {
        before = "io error: ";
        rc = eds_record_file_write(&entry, out, &err);
    }
    if (rc != EDS_OK)
        return eds_say_error(args, before, &err);
    if (out != NULL && !eds_is_standard_stream(out))
        report(args, &entry);
    return EDS_EXIT_OK;
}

const struct eds_command eds_command_sign_record = {
    .name = "sign-record",
    .summary = "Sign a single audit record",
    .description =
        "Hashes the payload, signs the hash and prints the record as JSON. The payload itself is "
        "not in the record.\n\nThe record's own signature covers the payload's hash alone. With "
        "--attest a second signature covers every field, so that time, reference and place in the "
        "chain cannot be rewritten either; whoever knows only the original's seven fields skips "
        "it.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
