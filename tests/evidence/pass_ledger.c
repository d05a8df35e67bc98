/* pass_ledger.c - see pass_ledger.h. */
#include "evidence/pass_ledger.h"

#include "store/gaps.h"

static struct eds_ledger *good_of(struct eds_ledger *ledger)
{
    return ((struct pass_ledger *)ledger)->good;
}

static int32_t pass_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                         struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->head(good, device_id, out, err);
}

static int32_t pass_record_hash(struct eds_ledger *ledger, const char *device_id, uint64_t sequence,
                                uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->record_hash(good, device_id, sequence, out, err);
}

static int32_t pass_object(struct eds_ledger *ledger, const char *object_ref,
                           uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->object(good, object_ref, out, err);
}

static int32_t pass_payload(struct eds_ledger *ledger, const char *object_ref, void **out,
                            size_t *out_size, struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->payload(good, object_ref, out, out_size, err);
}

static int32_t pass_scan(struct eds_ledger *ledger, const char *device_id,
                         int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                         struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->scan(good, device_id, visit, context, err);
}

static int32_t pass_scan_whole(struct eds_ledger *ledger, const char *device_id,
                               int32_t (*visit)(void *context, const struct eds_stored *),
                               void *context, struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->scan_whole(good, device_id, visit, context, err);
}

static int32_t pass_heads(struct eds_ledger *ledger,
                          int32_t (*visit)(void *context, const char *device_id,
                                           const struct eds_head *),
                          void *context, struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->heads(good, visit, context, err);
}

static int32_t pass_operations(struct eds_ledger *ledger,
                               int32_t (*visit)(void *context, const struct eds_operation *,
                                                uint64_t created_ms),
                               void *context, struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->operations(good, visit, context, err);
}

static int32_t pass_conflicts(struct eds_ledger *ledger,
                              int32_t (*visit)(void *context, const struct eds_stored *),
                              void *context, struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->ops->conflicts(good, visit, context, err);
}

static int32_t pass_next(struct eds_ledger *ledger, const char *device_id,
                         struct eds_gap_place *place, struct eds_gap *out, struct eds_error *err)
{
    struct eds_ledger *good = good_of(ledger);

    return good->gaps->next(good, device_id, place, out, err);
}

static const struct eds_gap_ops gap_ops = {.next = pass_next};

void pass_ledger_init(struct pass_ledger *pass, struct eds_ledger *good)
{
    pass->good = good;
    pass->ops = (struct eds_ledger_ops){
        .name = "bent",
        .head = pass_head,
        .record_hash = pass_record_hash,
        .object = pass_object,
        .payload = pass_payload,
        .scan = pass_scan,
        .scan_whole = pass_scan_whole,
        .heads = pass_heads,
        .operations = pass_operations,
        .conflicts = pass_conflicts,
    };
    pass->ledger = (struct eds_ledger){.ops = &pass->ops, .gaps = &gap_ops};
}
