/* verify_record.c - eds audit verify-record: is this record its device's? */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/device_arg.h"
#include "cli/file.h"
#include "cli/json_out.h"
#include "cli/payload_hash.h"
#include "cli/record_file.h"
#include "cli/say.h"
#include "edgesentry/attest.h"

static const struct eds_option options[] = {
    {.name = "record-file",
     .value = "RECORD_FILE",
     .help = "File of one record, '-' for standard input",
     .required = true},
    {.name = "public-key-hex",
     .value = "PUBLIC_KEY_HEX",
     .help = "The device's public key as 64 hex digits",
     .required = true},
    {.name = "payload-file",
     .value = "FILE",
     .help = "Also compare this payload with the record's hash"},
    EDS_OPTION_HASH_THREADS,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"A record of the key 32 x 0x01",
     "eds audit verify-record --record-file lift_single_record.json --public-key-hex "
     "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "VALID"},
    {EDS_EXIT_FAILED, "the record, the payload or the key could not be read"},
    {EDS_EXIT_NOT_VALID, "INVALID: a signature or the payload does not match"},
    {0, NULL},
};

struct verdict {
    bool valid;
    bool attested;        /* an attestation was there */
    bool payload_checked; /* a payload was there */
    const char *reason;   /* NULL if valid */
};

static int32_t check_payload(struct verdict *out, const struct eds_entry *entry,
                             const struct eds_args *args, struct eds_error *err)
{
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc = eds_payload_hash(hash, args, err);

    if (rc != EDS_OK)
        return rc;
    out->payload_checked = true;
    if (memcmp(hash, entry->record.payload_hash, sizeof hash) != 0)
        out->reason = "the payload has another hash";
    return EDS_OK;
}

/* Both signatures are checked wherever both are there. */
static int32_t check(struct verdict *out, const struct eds_entry *entry,
                     const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], const struct eds_args *args,
                     struct eds_error *err)
{
    uint8_t hash[EDS_HASH_SIZE];
    int32_t rc = eds_record_digest(hash, &entry->record);

    *out = (struct verdict){.attested = entry->attestation.present};
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "the record cannot be hashed");
    if (!eds_record_verify(&entry->record, public_key))
        out->reason = "the signature is not this key's";
    else if (out->attested && !eds_attest_verify(&entry->attestation, hash, public_key))
        out->reason = "the attestation is not this key's for this record";
    if (eds_args_text(args, "payload-file") != NULL && out->reason == NULL)
        rc = check_payload(out, entry, args, err);
    out->valid = rc == EDS_OK && out->reason == NULL;
    return rc;
}

static int report(const struct eds_args *args, const struct verdict *verdict)
{
    struct eds_json_out json;

    if (eds_args_flag(args, "json")) {
        eds_out_begin(&json);
        eds_out_bool(&json, "valid", verdict->valid);
        eds_out_string(&json, "reason", verdict->reason);
        eds_out_bool(&json, "attested", verdict->attested);
        eds_out_bool(&json, "payload_checked", verdict->payload_checked);
        eds_out_end(&json);
    } else {
        puts(verdict->valid ? "VALID" : "INVALID");
    }
    if (!verdict->valid)
        fprintf(stderr, "not valid: %s\n", verdict->reason);
    else if (!verdict->attested)
        eds_say_note("not checked: time, reference and place in the chain (the record carries no "
                     "attestation)%s",
                     verdict->payload_checked ? "" : "; the payload");
    return verdict->valid ? EDS_EXIT_OK : EDS_EXIT_NOT_VALID;
}

static int run(const struct eds_args *args)
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct verdict verdict;
    struct eds_entry entry;
    struct eds_error err;
    int32_t rc = eds_record_file_read(&entry, eds_args_text(args, "record-file"), &err);

    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    rc = eds_public_key_parse(public_key, eds_args_text(args, "public-key-hex"), &err);
    /* Off the curve there is nothing to check; under a key of small order
     * nothing is valid, and that is a verdict. */
    if (rc == EDS_ERR_INVALID_KEY && eds_ed25519_check_key(public_key) != EDS_KEY_NOT_ON_CURVE) {
        eds_say_warning("%s", err.text);
        rc = EDS_OK;
    }
    if (rc != EDS_OK)
        return eds_say_error(args, rc == EDS_ERR_INVALID_KEY ? "invalid hex input: " : "", &err);
    rc = check(&verdict, &entry, public_key, args, &err);
    return rc == EDS_OK ? report(args, &verdict) : eds_say_error(args, "", &err);
}

const struct eds_command eds_command_verify_record = {
    .name = "verify-record",
    .summary = "Verify a single audit record's signature",
    .description = "Prints VALID or INVALID. Checks the signature over the payload's hash, the "
                   "attestation where the record carries one, and the payload where it is given.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
