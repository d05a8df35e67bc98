/* ledger_dump.c - see ledger_dump.h. */
#include "store/ledger_dump.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "store/gaps.h"
#include "store/orders.h"
#include "store/roster.h"

struct dump {
    FILE *out;
    struct eds_ledger *ledger;
    struct eds_error *err;
};

static void print_bytes(FILE *out, const char *name, const void *bytes, size_t size)
{
    char hex[2 * 64 + 1];

    fprintf(out, " %s=", name);
    for (size_t i = 0; i < size; i += 64) {
        eds_hex_encode(hex, (const uint8_t *)bytes + i, size - i < 64 ? size - i : 64);
        fputs(hex, out);
    }
}

static void print_stored(FILE *out, const char *kind, const struct eds_stored *stored)
{
    const EdsAuditRecord *record = &stored->entry->record;

    fprintf(out, "%s %s %" PRIu64 " time=%" PRIu64 " ref=%s ingested=%" PRIu64, kind,
            (const char *)record->device_id, record->sequence, record->timestamp_ms,
            (const char *)record->object_ref, stored->ingested_ms);
    print_bytes(out, "payload_hash", record->payload_hash, EDS_HASH_SIZE);
    print_bytes(out, "signature", record->signature, EDS_SIGNATURE_SIZE);
    print_bytes(out, "prev", record->prev_record_hash, EDS_HASH_SIZE);
    print_bytes(out, "hash", stored->record_hash, EDS_HASH_SIZE);
    if (stored->entry->attestation.present) {
        print_bytes(out, "key_id", stored->entry->attestation.key_id, EDS_KEY_ID_SIZE);
        print_bytes(out, "attest", stored->entry->attestation.signature, EDS_SIGNATURE_SIZE);
    }
    fputc('\n', out);
}

static int32_t contradiction(struct dump *dump, const char *what, const char *of)
{
    return eds_error_set(dump->err, EDS_ERR_PANIC, "contradiction: %s of %s", what, of);
}

/* A record, and what look-ups say of it and of its reference. */
static int32_t dump_record(void *context, const struct eds_stored *stored)
{
    struct dump *dump = context;
    const EdsAuditRecord *record = &stored->entry->record;
    const char *device_id = (const char *)record->device_id;
    const char *ref = (const char *)record->object_ref;
    uint8_t hash[EDS_HASH_SIZE];
    void *payload = NULL;
    size_t size = 0;
    int32_t rc;

    print_stored(dump->out, "record", stored);
    rc = dump->ledger->ops->record_hash(dump->ledger, device_id, record->sequence, hash, dump->err);
    if (rc != EDS_OK)
        return rc;
    if (memcmp(hash, stored->record_hash, sizeof hash) != 0)
        return contradiction(dump, "record_hash and scan", device_id);
    rc = dump->ledger->ops->object(dump->ledger, ref, hash, dump->err);
    if (rc != EDS_OK)
        return rc;
    if (memcmp(hash, record->payload_hash, sizeof hash) != 0)
        return contradiction(dump, "object and payload_hash", ref);
    rc = dump->ledger->ops->payload(dump->ledger, ref, &payload, &size, dump->err);
    if (rc == EDS_ERR_NOT_FOUND) {
        fprintf(dump->out, "no payload\n");
        return EDS_OK;
    }
    if (rc != EDS_OK)
        return rc;
    fprintf(dump->out, "payload %zu", size);
    print_bytes(dump->out, "bytes", payload, size < 256 ? size : 256);
    fputc('\n', dump->out);
    free(payload);
    return EDS_OK;
}

static int32_t dump_head(void *context, const char *device_id, const struct eds_head *head)
{
    struct dump *dump = context;
    struct eds_head again;
    int32_t rc = dump->ledger->ops->head(dump->ledger, device_id, &again, dump->err);

    if (rc != EDS_OK)
        return rc;
    if (again.sequence != head->sequence || again.attested != head->attested ||
        again.conflict_count != head->conflict_count ||
        memcmp(again.record_hash, head->record_hash, EDS_HASH_SIZE) != 0)
        return contradiction(dump, "head and heads", device_id);
    fprintf(dump->out, "head %s %" PRIu64 " attested=%d conflicts=%" PRIu64, device_id,
            head->sequence, head->attested, head->conflict_count);
    print_bytes(dump->out, "hash", head->record_hash, EDS_HASH_SIZE);
    fputc('\n', dump->out);
    return EDS_OK;
}

static int32_t dump_operation(void *context, const struct eds_operation *operation,
                              uint64_t created_ms)
{
    struct dump *dump = context;

    static const char *const decisions[] = {"accepted", "rejected", "quarantined", "changed"};

    fprintf(dump->out, "operation %s %s %" PRIu64 " %" PRIu64 " %s who=%s why=%s\n",
            decisions[operation->decision], operation->device_id, operation->sequence, created_ms,
            operation->message, operation->who != NULL ? operation->who : "-",
            operation->why != NULL ? operation->why : "-");
    return EDS_OK;
}

static int32_t dump_conflict(void *context, const struct eds_stored *stored)
{
    struct dump *dump = context;

    print_stored(dump->out, "conflict", stored);
    return EDS_OK;
}

static int32_t dump_gaps(struct dump *dump)
{
    struct eds_gap_place place = {.id = 0};
    struct eds_gap gap;
    int32_t rc;

    while ((rc = dump->ledger->gaps->next(dump->ledger, NULL, &place, &gap, dump->err)) == EDS_OK) {
        fprintf(dump->out, "gap %s %" PRIu64 " to %" PRIu64 " time=%" PRIu64 " by=%s reason=%s",
                gap.device_id, gap.last_sequence, gap.resume_sequence, gap.closed_ms,
                gap.operator_name, gap.reason);
        print_bytes(dump->out, "last", gap.last_record_hash, EDS_HASH_SIZE);
        print_bytes(dump->out, "resume", gap.resume_hash, EDS_HASH_SIZE);
        print_bytes(dump->out, "key_id", gap.key_id, EDS_KEY_ID_SIZE);
        print_bytes(dump->out, "signature", gap.signature, EDS_SIGNATURE_SIZE);
        fputc('\n', dump->out);
    }
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

static int32_t dump_orders(void *context, const struct eds_enrolment *device)
{
    struct dump *dump = context;
    struct eds_ledger *ledger = dump->ledger;
    struct eds_stored_order found = {.order.counter = 0};
    int32_t rc;

    while ((rc = ledger->orders->next(ledger, device->id, found.order.counter, 0, &found,
                                      dump->err)) == EDS_OK) {
        uint8_t hash[EDS_HASH_SIZE];

        eds_order_digest(hash, &found.order);
        fprintf(dump->out,
                "order %s %" PRIu64 " taken=%" PRIu64 " result=%d at %" PRIu64 " by %" PRIu64,
                device->id, found.order.counter, found.taken_ms, (int)found.result, found.result_ms,
                found.result_sequence);
        print_bytes(dump->out, "hash", hash, sizeof hash);
        print_bytes(dump->out, "key_id", found.word.key_id, EDS_KEY_ID_SIZE);
        print_bytes(dump->out, "signature", found.word.signature, EDS_SIGNATURE_SIZE);
        fputc('\n', dump->out);
    }
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

static int32_t dump_enrolment(void *context, const struct eds_enrolment *it)
{
    struct dump *dump = context;

    fprintf(dump->out,
            "%s %s %s attest=%d site=%s cohort=%s firmware=%s arrived=%" PRIu64 " left=%" PRIu64
            " revision=%" PRIu64 "\n",
            eds_role_name(it->role), it->id, eds_device_state_name(it->state), it->attest_required,
            it->site, it->cohort, it->firmware, it->quarantine_arrived, it->quarantine_left,
            it->revision);
    for (uint32_t i = 0; i < it->key_count; i++) {
        const struct eds_enrolled_key *key = &it->keys[i];

        fprintf(dump->out, "key from %" PRIu64 " to %" PRIu64 " or %" PRIu64 "%s",
                key->not_before_ms, key->not_after_ms, key->not_after_sequence,
                key->revoked ? " revoked" : "");
        print_bytes(dump->out, "public", key->public_key, EDS_PUBLIC_KEY_SIZE);
        fputc('\n', dump->out);
    }
    return EDS_OK;
}

static int32_t dump_roster(struct dump *dump)
{
    const struct eds_roster_ops *roster = dump->ledger->roster;
    uint64_t version = 0;
    int32_t rc = roster->version(dump->ledger, &version, dump->err);

    fprintf(dump->out, "registry %" PRIu64 "\n", version);
    if (rc == EDS_OK)
        rc = roster->scan(dump->ledger, EDS_ROLE_DEVICE, dump_enrolment, dump, dump->err);
    if (rc == EDS_OK)
        rc = roster->scan(dump->ledger, EDS_ROLE_OPERATOR, dump_enrolment, dump, dump->err);
    return rc;
}

static int32_t dump_all(struct dump *dump)
{
    const struct eds_ledger_ops *ops = dump->ledger->ops;
    struct eds_ledger_counts counts;
    int32_t rc = ops->counts(dump->ledger, &counts, dump->err);

    if (rc != EDS_OK)
        return rc;
    fprintf(dump->out,
            "records=%" PRIu64 " devices=%" PRIu64 " operations=%" PRIu64 " accepted=%" PRIu64
            " rejected=%" PRIu64 " conflicts=%" PRIu64 " objects=%" PRIu64 "\n",
            counts.records, counts.devices, counts.operations, counts.accepted, counts.rejected,
            counts.conflicts, counts.objects);
    rc = ops->scan(dump->ledger, NULL, dump_record, dump, dump->err);
    if (rc == EDS_OK)
        rc = ops->heads(dump->ledger, dump_head, dump, dump->err);
    if (rc == EDS_OK)
        rc = ops->operations(dump->ledger, dump_operation, dump, dump->err);
    if (rc == EDS_OK)
        rc = ops->conflicts(dump->ledger, dump_conflict, dump, dump->err);
    if (rc == EDS_OK)
        rc = dump_gaps(dump);
    if (rc == EDS_OK)
        rc =
            dump->ledger->roster->scan(dump->ledger, EDS_ROLE_DEVICE, dump_orders, dump, dump->err);
    if (rc == EDS_OK)
        rc = dump_roster(dump);
    return rc;
}

char *ledger_dump(struct eds_ledger *ledger, struct eds_error *err)
{
    char *text = NULL;
    size_t size = 0;
    struct dump dump = {.out = open_memstream(&text, &size), .ledger = ledger, .err = err};
    int32_t rc;

    if (dump.out == NULL)
        abort();
    rc = dump_all(&dump);
    fclose(dump.out);
    if (rc == EDS_OK)
        return text;
    free(text);
    return NULL;
}
