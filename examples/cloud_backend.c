/* cloud_backend.c - role 3 of 3: the cloud checks everything before it keeps it.
 *
 *   cloud_backend [DIRECTORY [STORE]]      (default /tmp and memory:)
 *
 * Reads what edge_gateway forwarded.  For each record the source address is
 * held against the network policy, then the record goes through ingest into the
 * store: "memory:", or "sqlite:PATH" to keep it.  The tampered copy is refused,
 * and so is anything from an address that nobody allowed. */
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "edgesentry/json.h"
#include "ingest/ingest.h"
#include "ingest/netpolicy.h"

#define LINE_SIZE 65536

/* The public key of the demo key: 32 times 0x01. */
static const char demo_public_key[] =
    "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c";

struct backend {
    struct eds_netpolicy policy;
    struct eds_registry *registry;
    struct eds_ledger *ledger;
    struct eds_ingest *ingest;
    unsigned accepted, rejected;
};

static void no_answer_yet(struct eds_submission *submission)
{
    (void)submission; /* eds_ingest_submit_wait puts its own in place */
}

static void reject(struct backend *backend, const EdsAuditRecord *record, const char *reason)
{
    backend->rejected++;
    printf("REJECTED: device=%s sequence=%llu reason=%s\n", (const char *)record->device_id,
           (unsigned long long)record->sequence, reason);
}

static int32_t take_line(struct backend *backend, const char *source, char *line,
                         struct eds_error *err)
{
    struct eds_envelope envelope;
    struct eds_address address;
    struct eds_error why;
    int32_t rc = eds_json_envelope_decode(&envelope, line, strlen(line), err);

    if (rc != EDS_OK)
        return rc;
    rc = eds_address_parse(&address, source, strlen(source), err);
    if (rc != EDS_OK)
        return rc;
    if (eds_netpolicy_check(&backend->policy, &address, &why) != EDS_OK) {
        reject(backend, &envelope.entry.record, why.text);
        return EDS_OK;
    }
    struct eds_submission submission = {
        .request = {.entry = &envelope.entry,
                    .payload = envelope.payload,
                    .payload_size = envelope.payload_size},
        .done = no_answer_yet,
    };
    if (eds_ingest_submit_wait(backend->ingest, &submission) != EDS_VERDICT_ACCEPTED) {
        reject(backend, &envelope.entry.record, submission.message);
        return EDS_OK;
    }
    backend->accepted++;
    printf("ACCEPTED: device=%s sequence=%llu\n", (const char *)envelope.entry.record.device_id,
           (unsigned long long)envelope.entry.record.sequence);
    return EDS_OK;
}

static int32_t take_file(struct backend *backend, const char *directory, const char *name,
                         const char *source, struct eds_error *err)
{
    static char line[LINE_SIZE];
    char path[4096];
    FILE *file;
    int32_t rc = EDS_OK;

    snprintf(path, sizeof path, "%s/eds_fwd_%s.ndjson", directory, name);
    file = fopen(path, "r");
    if (file == NULL)
        return eds_error_set(err, EDS_ERR_IO, "%s can't be read; did edge_gateway run?", path);
    while (rc == EDS_OK && fgets(line, sizeof line, file) != NULL)
        rc = take_line(backend, source, line, err);
    fclose(file);
    return rc;
}

static int32_t start(struct backend *backend, const char *store, struct eds_error *err)
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    int32_t rc;

    backend->registry = eds_registry_create();
    if (backend->registry == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    rc = eds_netpolicy_allow_list(&backend->policy, "127.0.0.1,10.0.0.0/8", err);
    if (rc == EDS_OK)
        rc = eds_hex_decode_exactly(public_key, sizeof public_key, demo_public_key,
                                    sizeof demo_public_key - 1, err);
    if (rc == EDS_OK)
        rc = eds_registry_add_key(backend->registry, "lift-01", public_key, true, err);
    if (rc == EDS_OK)
        rc = eds_ledger_open(&backend->ledger, store, err);
    if (rc != EDS_OK)
        return rc;
    return eds_ingest_start(
        &backend->ingest,
        &(struct eds_ingest_config){.ledger = backend->ledger, .registry = backend->registry}, err);
}

static void stop(struct backend *backend)
{
    if (backend->ingest != NULL)
        eds_ingest_stop(backend->ingest);
    if (backend->ledger != NULL)
        backend->ledger->ops->close(backend->ledger);
    eds_registry_destroy(backend->registry);
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : "/tmp";
    struct backend backend = {.accepted = 0};
    struct eds_error err;
    int32_t rc = start(&backend, argc > 2 ? argv[2] : "memory:", &err);

    if (rc == EDS_OK)
        rc = take_file(&backend, directory, "envelopes", "10.1.2.3", &err);
    if (rc == EDS_OK)
        rc = take_file(&backend, directory, "tampered", "10.1.2.3", &err);
    if (rc == EDS_OK)
        rc = take_file(&backend, directory, "envelopes", "203.0.113.9", &err);
    stop(&backend);
    if (rc != EDS_OK) {
        fprintf(stderr, "cloud_backend: %s\n", err.text);
        return 1;
    }
    printf("INGEST_COMPLETE: accepted=%u rejected=%u\n", backend.accepted, backend.rejected);
    return 0;
}
