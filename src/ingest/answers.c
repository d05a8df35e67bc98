/* answers.c - see answers.h. */
#include "ingest/answers.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "store/orders.h"

static void settle(struct eds_ledger *ledger, const EdsAuditRecord *record,
                   const struct eds_order_answer *answer, uint64_t now_ms)
{
    const char *word = answer->done ? "done" : "refused";
    char message[64];
    struct eds_order_settling settling = {.device_id = (const char *)record->device_id,
                                          .counter = answer->counter,
                                          .result =
                                              answer->done ? EDS_ORDER_DONE : EDS_ORDER_REFUSED,
                                          .sequence = record->sequence,
                                          .message = message,
                                          .now_ms = now_ms};
    struct eds_error err;
    int32_t rc;

    snprintf(message, sizeof message, "command %" PRIu64 ": %s", answer->counter, word);
    rc = ledger->orders->settle(ledger, &settling, &err);
    if (rc == EDS_OK)
        EDS_LOG(EDS_LOG_INFO, "command_answered", EDS_LOG_STRING("device_id", settling.device_id),
                EDS_LOG_NUMBER("counter", answer->counter), EDS_LOG_STRING("result", word),
                EDS_LOG_NUMBER("sequence", record->sequence));
    else if (rc != EDS_ERR_NOT_FOUND) /* a device may have had orders from elsewhere */
        EDS_LOG(EDS_LOG_WARN, "command_answer_lost",
                EDS_LOG_STRING("device_id", settling.device_id),
                EDS_LOG_NUMBER("counter", answer->counter), EDS_LOG_STRING("error", err.text));
}

void eds_answers_settle(struct eds_ledger *ledger, const struct eds_append *appends, size_t count,
                        uint64_t now_ms)
{
    for (size_t i = 0; i < count; i++) {
        const EdsAuditRecord *record = &appends[i].entry->record;
        struct eds_order_answer answer;

        if (eds_order_answer_read(&answer, record))
            settle(ledger, record, &answer, now_ms);
    }
}
