/* lift_inspection_flow.c - one lift, three checks, one forgery: the whole way
 * from signing to the ledger inside a single program.
 *
 *   1. the lift's public key is registered
 *   2. three inspection records are signed, each chained to the one before
 *   3. all three go through ingest and are accepted
 *   4. one of them comes again with its payload hash altered, and is refused
 *   5. the stored records and the operation log are printed
 *
 * Nothing else is needed: the ledger is the one in memory. */
#include <stdio.h>
#include <string.h>

#include "ingest/ingest.h"

#define DEVICE_ID "lift-01"

static const char *const checks[] = {
    "check=door,status=ok,open_close_cycle=3",
    "check=vibration,status=ok,rms=0.18",
    "check=emergency_brake,status=ok,response_ms=120",
};

static void no_answer_yet(struct eds_submission *submission)
{
    (void)submission; /* eds_ingest_submit_wait puts its own in place */
}

/* Sends one entry in and prints what became of it. */
static void send_in(struct eds_ingest *ingest, const struct eds_entry *entry, const char *payload)
{
    struct eds_submission submission = {
        .request = {.entry = entry, .payload = payload, .payload_size = strlen(payload)},
        .done = no_answer_yet,
    };

    if (eds_ingest_submit_wait(ingest, &submission) == EDS_VERDICT_ACCEPTED)
        printf("ACCEPTED: device=%s sequence=%llu\n", (const char *)entry->record.device_id,
               (unsigned long long)entry->record.sequence);
    else
        printf("REJECTED: device=%s sequence=%llu reason=%s\n",
               (const char *)entry->record.device_id, (unsigned long long)entry->record.sequence,
               submission.message);
}

static int32_t print_record(void *context, const struct eds_stored *stored)
{
    (void)context;
    printf("  record   device=%s sequence=%llu object_ref=%s\n",
           (const char *)stored->entry->record.device_id,
           (unsigned long long)stored->entry->record.sequence,
           (const char *)stored->entry->record.object_ref);
    return EDS_OK;
}

static int32_t print_operation(void *context, const struct eds_operation *operation,
                               uint64_t created_ms)
{
    (void)context, (void)created_ms;
    printf("  decision %s sequence=%llu message=%s\n",
           operation->decision == EDS_DECISION_ACCEPTED ? "Accepted" : "Rejected",
           (unsigned long long)operation->sequence, operation->message);
    return EDS_OK;
}

static int32_t inspect(struct eds_ingest *ingest, const uint8_t seed[EDS_SEED_SIZE],
                       struct eds_error *err)
{
    uint8_t previous[EDS_HASH_SIZE] = {0};
    struct eds_entry entry = {.attestation.present = false};
    int32_t rc;

    for (uint64_t i = 0; i < 3; i++) {
        char reference[64];

        snprintf(reference, sizeof reference, "s3://bucket/lift-01/inspection-%llu.bin",
                 (unsigned long long)i + 1);
        rc = eds_record_sign(&entry.record, DEVICE_ID, i + 1, 1700000000000u + 60000 * i, checks[i],
                             strlen(checks[i]), previous, reference, seed, err);
        if (rc != EDS_OK)
            return rc;
        rc = eds_record_digest(previous, &entry.record);
        if (rc != EDS_OK)
            return rc;
        send_in(ingest, &entry, checks[i]);
    }
    entry.record.payload_hash[0] ^= 1; /* the forgery */
    send_in(ingest, &entry, checks[2]);
    return EDS_OK;
}

int main(void)
{
    uint8_t seed[EDS_SEED_SIZE], public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_registry *registry = eds_registry_create();
    struct eds_ledger *ledger = NULL;
    struct eds_ingest *ingest = NULL;
    struct eds_error err = {.code = EDS_ERR_NO_MEMORY, .text = "out of memory"};
    int status = 1;

    if (registry == NULL || eds_ed25519_keygen(seed, public_key) != EDS_OK ||
        eds_registry_add_key(registry, DEVICE_ID, public_key, false, &err) != EDS_OK ||
        eds_ledger_open(&ledger, "memory:", &err) != EDS_OK)
        goto out;
    struct eds_ingest_config config = {.ledger = ledger, .registry = registry};
    if (eds_ingest_start(&ingest, &config, &err) != EDS_OK)
        goto out;
    if (inspect(ingest, seed, &err) != EDS_OK)
        goto out;
    eds_ingest_stop(ingest); /* from here on the ledger is ours to read */
    ingest = NULL;
    printf("what the ledger holds:\n");
    if (ledger->ops->scan(ledger, NULL, print_record, NULL, &err) != EDS_OK ||
        ledger->ops->operations(ledger, print_operation, NULL, &err) != EDS_OK)
        goto out;
    status = 0;
out:
    if (status != 0)
        fprintf(stderr, "lift_inspection_flow: %s\n", err.text);
    if (ingest != NULL)
        eds_ingest_stop(ingest);
    if (ledger != NULL)
        ledger->ops->close(ledger);
    eds_registry_destroy(registry);
    return status;
}
