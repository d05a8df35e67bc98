/* drill_outage_after.c - once the store is back: everything is taken, once, and is there. */
#include <inttypes.h>
#include <string.h>

#include "cli/drill_outage.h"
#include "cli/drill_prometheus.h"
#include "cli/drill_watch.h"
#include "cli/objects_arg.h"
#include "cli/store_arg.h"

/* Sends what was not acknowledged, in its order, until it is. */
static int32_t send_waiting(struct eds_outage *outage, struct eds_error *err)
{
    size_t sent = 0, known = 0, waiting = 0;
    uint64_t begun = eds_drill_now_ms();
    struct eds_drill_answer answer = {.text = ""};
    int32_t rc = EDS_OK;

    for (size_t i = 0; i < outage->device.record_count && rc == EDS_OK; i++) {
        struct eds_drill_record *record = &outage->device.records[i];

        if (record->acknowledged)
            continue;
        waiting++;
        while ((rc = eds_drill_device_send(&outage->device, record, &answer, err)) == EDS_OK &&
               answer.outcome == EDS_OUTCOME_AWAY && eds_outage_has_time(outage, begun))
            eds_drill_pause(EDS_OUTAGE_PAUSE_MS);
        if (rc != EDS_OK || !record->acknowledged)
            break;
        if (sent++ == 0)
            outage->outage_ms = eds_drill_now_ms() - outage->broken_ms;
        known += answer.outcome == EDS_OUTCOME_DUPLICATE;
    }
    if (rc != EDS_OK)
        return rc;
    eds_drill_check(&outage->drill, sent == waiting, "accepted-after",
                    "%zu records that had waited, of which %zu were stored already%s%s", sent,
                    known, sent < waiting ? "; the next one: " : "",
                    sent < waiting ? answer.text : "");
    return EDS_OK;
}

static void await_ready(struct eds_outage *outage)
{
    uint64_t begun = eds_drill_now_ms();
    struct eds_error said;
    unsigned status;

    while ((status = eds_drill_watch_ready(outage->args, &said)) != 200 &&
           eds_outage_has_time(outage, begun))
        eds_drill_pause(EDS_OUTAGE_PAUSE_MS);
    eds_drill_check(&outage->drill, status == 200, "ready-after", "%s", said.text);
}

/* The alert looks back over minutes, so it fires still, or will with the next look. */
static int32_t await_alert(struct eds_outage *outage, struct eds_error *err)
{
    uint64_t begun = eds_drill_now_ms();
    bool fires = false;
    int32_t rc;

    while ((rc = eds_drill_prometheus_fires(outage->args, EDS_OUTAGE_ALERT, &fires, err)) ==
               EDS_OK &&
           !fires && eds_outage_has_time(outage, begun))
        eds_drill_pause(EDS_OUTAGE_PAUSE_MS);
    if (rc == EDS_OK)
        eds_drill_check(&outage->drill, fires, "alert-fires", EDS_OUTAGE_ALERT " (P0) %s",
                        fires ? "fires" : "does not fire");
    return rc;
}

/* Everything again: the server must have all of it. */
static int32_t send_again(struct eds_outage *outage, struct eds_error *err)
{
    struct eds_drill_answer answer = {.outcome = EDS_OUTCOME_DUPLICATE};
    size_t count = 0;

    while (count < outage->device.record_count && answer.outcome == EDS_OUTCOME_DUPLICATE) {
        int32_t rc =
            eds_drill_device_send(&outage->device, &outage->device.records[count], &answer, err);
        if (rc != EDS_OK)
            return rc;
        count += answer.outcome == EDS_OUTCOME_DUPLICATE;
    }
    eds_drill_check(&outage->drill, count == outage->device.record_count, "known-again",
                    "%zu of %zu records, sent once more, are told to be duplicates", count,
                    outage->device.record_count);
    return EDS_OK;
}

/* What stands in the stores, by another way than the server's word. */
static int32_t look_up(struct eds_outage *outage, struct eds_error *err)
{
    size_t count = outage->device.record_count;
    struct eds_ledger *ledger = NULL;
    struct eds_objects *objects = NULL;
    struct eds_drill_found found = {0};
    struct eds_head head = {0};
    int32_t rc = eds_store_open(&ledger, outage->args, true, err);

    if (rc == EDS_OK)
        rc = eds_objects_open_arg(&objects, outage->args, true, err);
    if (rc == EDS_OK)
        rc = eds_drill_device_look(&outage->device, ledger, objects, &found, err);
    if (rc == EDS_OK)
        rc = ledger->ops->head(ledger, outage->device.device_id, &head, err);
    if (ledger != NULL)
        ledger->ops->close(ledger);
    eds_objects_close(objects);
    if (rc != EDS_OK)
        return rc;
    eds_drill_check(&outage->drill, found.stored_count == count && found.other_count == 0,
                    "stored-once", "%zu of %zu records are in the ledger, and %zu others",
                    found.stored_count, count, found.other_count);
    eds_drill_check(&outage->drill, found.payload_count == count, "payloads-kept",
                    "%zu of %zu payloads are there, byte for byte%s", found.payload_count, count,
                    found.payload_count == 0 && eds_args_text(outage->args, "objects") == NULL
                        ? "; are they elsewhere (--objects)?"
                        : "");
    eds_drill_check(&outage->drill,
                    head.sequence == outage->device.head.sequence &&
                        memcmp(head.record_hash, outage->device.head.record_hash, EDS_HASH_SIZE) ==
                            0,
                    "chain-goes-on", "the device's chain ends at sequence %" PRIu64, head.sequence);
    return EDS_OK;
}

int32_t eds_outage_try_after(struct eds_outage *outage, struct eds_error *err)
{
    int32_t rc = send_waiting(outage, err);

    if (rc == EDS_OK && outage->is_watched)
        await_ready(outage);
    if (rc == EDS_OK && outage->drill.failed_count == 0)
        rc = eds_outage_send_batch(outage, "accepted-anew", "after the outage", err);
    if (rc == EDS_OK)
        rc = send_again(outage, err);
    if (rc == EDS_OK)
        rc = look_up(outage, err);
    if (rc == EDS_OK && eds_args_text(outage->args, "prometheus") != NULL)
        rc = await_alert(outage, err);
    return rc;
}
