/* demo_ingest.c - eds audit demo-ingest: a file of records through ingest into
 * PostgreSQL and an S3-compatible service, as edgesentry-rs shows it. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "cli/chain_input.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/json_out.h"
#include "cli/key_arg.h"
#include "cli/objects_arg.h"
#include "cli/say.h"
#include "evidence/payload_file.h"
#include "ingest/ingest.h"
#include "store/ledger_reset.h"
#include "store/roster.h"

#define DEMO_KEY "0101010101010101010101010101010101010101010101010101010101010101"

static const struct eds_option options[] = {
    {.name = "records-file",
     .value = "RECORDS_FILE",
     .help = "Records to ingest, a JSON array as demo-lift-inspection writes it",
     .required = true},
    {.name = "payloads-file",
     .value = "PAYLOADS_FILE",
     .help = "Their payloads, a JSON array of hex strings",
     .required = true},
    {.name = "device-id",
     .value = "DEVICE_ID",
     .help = "The one device that is registered",
     .fallback = "lift-01"},
    {.name = "private-key-hex",
     .value = "PRIVATE_KEY_HEX",
     .help = "Its private key as 64 hex digits, of which the public half is used; the default is "
             "for demonstrations, everybody knows it",
     .fallback = DEMO_KEY},
    {.name = "key-file",
     .value = "FILE",
     .help = "File of the private key instead, '-' for standard input"},
    EDS_OPTION_PASSPHRASE_FILE,
    {.name = "pg-url",
     .value = "PG_URL",
     .help = "The PostgreSQL ledger",
     .fallback = "postgresql://trace:trace@localhost:5433/trace_audit"},
    {.name = "minio-endpoint",
     .value = "MINIO_ENDPOINT",
     .help = "The S3-compatible service",
     .fallback = "http://localhost:9000"},
    {.name = "minio-bucket",
     .value = "MINIO_BUCKET",
     .help = "The bucket, in which an object's key is the record's object_ref",
     .fallback = "bucket"},
    {.name = "minio-access-key",
     .value = "MINIO_ACCESS_KEY",
     .help = "Access key of the service",
     .environment = "AWS_ACCESS_KEY_ID",
     .fallback = "minioadmin"},
    {.name = "minio-secret-key",
     .value = "MINIO_SECRET_KEY",
     .help = "Secret key of the service; the environment keeps it private",
     .environment = "AWS_SECRET_ACCESS_KEY",
     .fallback = "minioadmin"},
    {.name = "reset", .help = "Empty the ledger before; whatever it holds is lost"},
    {.name = "tampered-records-file",
     .value = "TAMPERED_RECORDS_FILE",
     .help = "Then also try these records with the same payloads, to see them refused"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"The demo's records, into services on this machine",
     "eds audit demo-ingest --records-file lift_inspection_records.json --payloads-file "
     "lift_inspection_payloads.json --reset"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "every record was accepted or refused; standard output says which"},
    {EDS_EXIT_FAILED, "a file could not be read, or a service failed"},
    {0, NULL},
};

struct demo {
    const struct eds_args *args;
    struct eds_registry *registry;
    struct eds_ledger *ledger;
    struct eds_objects *objects;
    struct eds_ingest *ingest;
    uint64_t accepted_count, rejected_count, quarantined_count;
};

static int32_t register_device(struct demo *demo, struct eds_error *err)
{
    const struct eds_args *args = demo->args;
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_key key;
    int32_t rc;

    if (eds_args_given(args, "private-key-hex") || eds_args_given(args, "key-file"))
        rc = eds_key_get(&key, args, err);
    else
        rc = eds_key_from_hex(&key, DEMO_KEY, err);
    if (rc == EDS_OK)
        eds_ed25519_public_key(public_key, key.seed);
    eds_wipe(&key, sizeof key);
    if (rc != EDS_OK)
        return rc;
    demo->registry = eds_registry_create();
    if (demo->registry == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    return eds_registry_add_key(demo->registry, eds_args_text(args, "device-id"), public_key, false,
                                err);
}

static int32_t open_ledger(struct demo *demo, struct eds_error *err)
{
    const char *url = eds_args_text(demo->args, "pg-url");
    int32_t rc;

    if (strncmp(url, "postgresql://", 13) != 0 && strncmp(url, "postgres://", 11) != 0)
        return eds_error_set(err, EDS_ERR_USAGE, "--pg-url must be a postgresql:// URL");
    rc = eds_ledger_open(&demo->ledger, url, err);
    if (rc != EDS_OK || !eds_args_flag(demo->args, "reset"))
        return rc;
    rc = eds_postgres_reset(demo->ledger, err);
    if (rc == EDS_OK && !eds_args_flag(demo->args, "json"))
        puts("RESET: audit_records and operation_logs truncated");
    return rc;
}

/* The store takes its credentials from the environment, which is where flags of
 * another name have to go: before there is a second thread. */
static int32_t open_objects(struct demo *demo, struct eds_error *err)
{
    const struct eds_args *args = demo->args;
    char url[1024];
    int size = snprintf(url, sizeof url,
                        "s3://%s?endpoint=%s&region=us-east-1&style=path&keys=ref&credentials=env",
                        eds_args_text(args, "minio-bucket"), eds_args_text(args, "minio-endpoint"));

    if (eds_args_given(args, "minio-secret-key"))
        eds_say_warning("a secret key on the command line can be read by every user of this "
                        "machine; the environment variable AWS_SECRET_ACCESS_KEY keeps it private");
    if (size < 0 || (size_t)size >= sizeof url)
        return eds_error_set(err, EDS_ERR_USAGE, "the endpoint or the bucket is too long");
    if (setenv("AWS_ACCESS_KEY_ID", eds_args_text(args, "minio-access-key"), 1) != 0 ||
        setenv("AWS_SECRET_ACCESS_KEY", eds_args_text(args, "minio-secret-key"), 1) != 0)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    return eds_objects_open(&demo->objects, url, false, err);
}

/* A device that is registered in the database is what is registered there. */
static int32_t follow_registry(struct demo *demo, struct eds_error *err)
{
    struct eds_enrolment it;
    int32_t rc = demo->ledger->roster->find(demo->ledger, EDS_ROLE_DEVICE,
                                            eds_args_text(demo->args, "device-id"), &it, err);

    if (rc == EDS_ERR_NOT_FOUND)
        return EDS_OK;
    return rc == EDS_OK ? eds_registry_put(demo->registry, &it, err) : rc;
}

static int32_t open_all(struct demo *demo, struct eds_error *err)
{
    struct eds_ingest_config config = {.batch_max = 0};
    int32_t rc = register_device(demo, err);

    if (rc == EDS_OK)
        rc = open_ledger(demo, err);
    if (rc == EDS_OK)
        rc = follow_registry(demo, err);
    if (rc == EDS_OK)
        rc = open_objects(demo, err);
    if (rc != EDS_OK)
        return rc;
    config.registry = demo->registry;
    config.ledger = demo->ledger;
    config.objects = demo->objects;
    return eds_ingest_start(&demo->ingest, &config, err);
}

static void close_all(struct demo *demo)
{
    eds_ingest_stop(demo->ingest);
    eds_objects_close(demo->objects);
    if (demo->ledger != NULL)
        demo->ledger->ops->close(demo->ledger);
    eds_registry_destroy(demo->registry);
}

/* One record on its way; the device is taken to have proven who it is. */
static int32_t ingest_one(struct demo *demo, const struct eds_entry *entry, const void *payload,
                          size_t payload_size, const char *expected, struct eds_error *err)
{
    struct eds_submission *submission = calloc(1, sizeof *submission);
    const EdsAuditRecord *record = &entry->record;
    char reason[EDS_ERROR_TEXT_SIZE];
    enum eds_verdict verdict;

    if (submission == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    submission->request =
        (struct eds_request){.entry = entry,
                             .payload = payload,
                             .payload_size = payload_size,
                             .route_identity = eds_args_text(demo->args, "device-id")};
    verdict = eds_ingest_submit_wait(demo->ingest, submission);
    eds_ingest_answer_text(reason, submission);
    free(submission);
    if (verdict == EDS_VERDICT_STORE || verdict == EDS_VERDICT_OVERLOADED)
        return eds_error_set(err, EDS_ERR_IO, "device=%s sequence=%" PRIu64 ": %s",
                             (const char *)record->device_id, record->sequence, reason);
    demo->accepted_count += verdict == EDS_VERDICT_ACCEPTED;
    demo->quarantined_count += verdict == EDS_VERDICT_QUARANTINED;
    demo->rejected_count += !eds_verdict_is_kept(verdict);
    if (eds_args_flag(demo->args, "json"))
        return EDS_OK;
    if (eds_verdict_is_kept(verdict))
        printf("%s: device=%s sequence=%" PRIu64 "\n",
               verdict == EDS_VERDICT_ACCEPTED ? "ACCEPTED" : "QUARANTINED",
               (const char *)record->device_id, record->sequence);
    else
        printf("REJECTED%s: device=%s sequence=%" PRIu64 " reason=%s\n", expected,
               (const char *)record->device_id, record->sequence, reason);
    return EDS_OK;
}

/* As the original does it: the two files side by side, to the end of the shorter. */
static int32_t ingest_pairs(struct demo *demo, struct eds_chain_input *records,
                            struct eds_payload_reader *payloads, const char *expected,
                            struct eds_error *err)
{
    for (;;) {
        struct eds_entry entry;
        void *payload = NULL;
        size_t size;
        int32_t rc = eds_chain_reader_next(&records->reader, &entry, err);

        if (rc == EDS_OK)
            rc = eds_payload_reader_next(payloads, &payload, &size, err);
        if (rc == EDS_OK)
            rc = ingest_one(demo, &entry, payload, size, expected, err);
        free(payload);
        if (rc != EDS_OK)
            return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
    }
}

static int32_t ingest_file(struct demo *demo, const char *option, const char *expected,
                           struct eds_error *err)
{
    struct eds_chain_input *records = calloc(1, sizeof *records);
    struct eds_payload_reader *payloads = calloc(1, sizeof *payloads);
    int payloads_fd = -1;
    int32_t rc = EDS_ERR_NO_MEMORY;

    if (records == NULL || payloads == NULL) {
        eds_error_set(err, rc, "out of memory");
        goto out;
    }
    records->fd = -1;
    rc = eds_chain_input_open(records, eds_args_text(demo->args, option), EDS_CHAIN_ARRAY, err);
    if (rc == EDS_OK)
        rc = eds_file_open(&payloads_fd, eds_args_text(demo->args, "payloads-file"), err);
    if (rc == EDS_OK) {
        eds_payload_reader_init(payloads, eds_file_read_some, &payloads_fd);
        rc = ingest_pairs(demo, records, payloads, expected, err);
    }
    if (payloads_fd >= 0)
        eds_file_close(payloads_fd);
    eds_chain_input_close(records);
out:
    free(records);
    free(payloads);
    return rc;
}

static void summarize(const struct demo *demo)
{
    struct eds_json_out json;

    if (!eds_args_flag(demo->args, "json")) {
        printf("INGEST_COMPLETE: accepted=%" PRIu64 " rejected=%" PRIu64, demo->accepted_count,
               demo->rejected_count);
        if (demo->quarantined_count > 0) /* the original knows none */
            printf(" quarantined=%" PRIu64, demo->quarantined_count);
        putchar('\n');
        return;
    }
    eds_out_begin(&json);
    eds_out_u64(&json, "accepted", demo->accepted_count);
    eds_out_u64(&json, "rejected", demo->rejected_count);
    if (demo->quarantined_count > 0)
        eds_out_u64(&json, "quarantined", demo->quarantined_count);
    eds_out_end(&json);
}

static int run(const struct eds_args *args)
{
    struct demo demo = {.args = args};
    struct eds_error err;
    int32_t rc = open_all(&demo, &err);

    if (rc == EDS_OK)
        rc = ingest_file(&demo, "records-file", "", &err);
    if (rc == EDS_OK && eds_args_given(args, "tampered-records-file"))
        rc = ingest_file(&demo, "tampered-records-file", " (expected)", &err);
    close_all(&demo);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    summarize(&demo);
    return EDS_EXIT_OK;
}

const struct eds_command eds_command_demo_ingest = {
    .name = "demo-ingest",
    .summary = "Ingest records into PostgreSQL and an S3-compatible service",
    .description =
        "Each record passes the same checks as in a server, its payload goes into the bucket under "
        "the record's object_ref and then the record into the database. What is there already is "
        "refused as a duplicate; a device that is registered in the database is judged by its "
        "state and keys there. --reset begins anew, but takes no object out of the bucket.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run,
};
