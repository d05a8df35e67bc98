/* whole_scan.c - see whole_scan.h. */
#include "evidence/whole_scan.h"

#include <stdlib.h>

struct whole {
    struct eds_ledger *ledger;
    struct eds_error *err;
    int32_t (*visit)(void *context, const struct eds_stored *);
    void *context;
};

static int32_t visit_whole(void *context, const struct eds_stored *stored)
{
    struct whole *whole = context;
    const struct eds_ledger_ops *ops = whole->ledger->ops;
    const char *object_ref = (const char *)stored->entry->record.object_ref;
    struct eds_stored_object object = {.is_there = false};
    struct eds_stored copy = *stored;
    void *payload = NULL;
    int32_t rc = ops->object(whole->ledger, object_ref, object.payload_hash, whole->err);

    object.is_there = rc == EDS_OK;
    if (rc == EDS_OK)
        rc = ops->payload(whole->ledger, object_ref, &payload, &object.payload_size, whole->err);
    if (rc == EDS_OK)
        object.payload = payload;
    copy.object = &object;
    if (rc == EDS_OK || rc == EDS_ERR_NOT_FOUND)
        rc = whole->visit(whole->context, &copy);
    if (object.payload != NULL)
        free(payload);
    return rc;
}

int32_t whole_scan(struct eds_ledger *ledger, const char *device_id,
                   int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                   struct eds_error *err)
{
    struct whole whole = {ledger, err, visit, context};

    return ledger->ops->scan(ledger, device_id, visit_whole, &whole, err);
}
