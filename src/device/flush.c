/* flush.c - handing out everything, one item at a time, on the caller's thread. */
#include <stdlib.h>

#include "device/item.h"
#include "edgesentry/buffer.h"

static int32_t settle(struct eds_buffer *buffer, const struct eds_buffer_item *item,
                      const struct eds_reply *reply, enum eds_refusal refusal,
                      struct eds_flush_report *report, struct eds_error *err)
{
    int32_t rc;

    switch (reply->outcome) {
    case EDS_OUTCOME_ACCEPTED:
    case EDS_OUTCOME_DUPLICATE:
        rc = eds_buffer_settle(buffer, item, EDS_SETTLE_REMOVE, NULL, err);
        report->accepted += rc == EDS_OK ? 1 : 0;
        report->duplicates += rc == EDS_OK && reply->outcome == EDS_OUTCOME_DUPLICATE ? 1 : 0;
        return rc;
    case EDS_OUTCOME_CONFLICT:
    case EDS_OUTCOME_REJECTED:
        if (refusal == EDS_REFUSAL_STOPS)
            return eds_error_set(err, EDS_ERR_REFUSED, "%s", reply->text);
        rc = eds_buffer_settle(buffer, item, EDS_SETTLE_BURY, reply->text, err);
        report->buried += rc == EDS_OK ? 1 : 0;
        return rc;
    case EDS_OUTCOME_HELD:
    case EDS_OUTCOME_AWAY:
    case EDS_OUTCOME_LATER:
        break;
    }
    return eds_error_set(err, EDS_ERR_BUSY, "%s", reply->text);
}

int32_t eds_buffer_flush(struct eds_buffer *buffer, struct eds_sender *sender,
                         enum eds_refusal refusal, struct eds_flush_report *out,
                         struct eds_error *err)
{
    struct eds_flush_report report = {.accepted = 0};
    int32_t rc = EDS_OK;

    while (rc == EDS_OK) {
        struct eds_buffer_item *item;
        struct eds_reply reply = {.outcome = EDS_OUTCOME_AWAY};

        rc = eds_buffer_next(buffer, NULL, 0, false, &item, err);
        if (rc != EDS_OK)
            break;
        sender->send(sender, item, &reply);
        rc = settle(buffer, item, &reply, refusal, &report, err);
        free(item);
    }
    report.remaining = eds_buffer_len(buffer);
    if (out != NULL)
        *out = report;
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}
