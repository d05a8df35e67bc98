/* ledger_memory_orders.c - orders to devices, in memory. */
#include <stdlib.h>
#include <string.h>

#include "store/ledger_memory.h"

static bool is_operator(struct memory_ledger *memory, const struct eds_order_giving *giving)
{
    size_t place =
        eds_key_table_find(&memory->enrolled_ids[EDS_ROLE_OPERATOR], giving->order->operator_name);

    return place != EDS_KEY_ABSENT &&
           memory->enrolments[EDS_ROLE_OPERATOR][place]->revision == giving->operator_revision;
}

/* Looks at all orders each time: this store is for tests and demos. */
static struct eds_stored_order *find(const struct memory_ledger *memory, const char *device_id,
                                     uint64_t counter)
{
    for (size_t i = 0; i < memory->order_count; i++) {
        struct eds_order *order = &memory->orders[i]->order;

        if (order->counter == counter && strcmp(order->device_id, device_id) == 0)
            return memory->orders[i];
    }
    return NULL;
}

/* The counter of a device's last order, and how many are open. */
static uint64_t survey(const struct memory_ledger *memory, const char *device_id, uint64_t now_ms,
                       size_t *open_count)
{
    uint64_t last = 0;

    *open_count = 0;
    for (size_t i = 0; i < memory->order_count; i++) {
        const struct eds_stored_order *at = memory->orders[i];

        if (strcmp(at->order.device_id, device_id) != 0)
            continue;
        *open_count += eds_order_is_open(at, now_ms);
        last = at->order.counter > last ? at->order.counter : last;
    }
    return last;
}

static int32_t memory_give(struct eds_ledger *ledger, const struct eds_order_giving *giving,
                           struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    const struct eds_order *order = giving->order;
    struct eds_operation line = {EDS_DECISION_CHANGED, order->device_id,     0,
                                 giving->message,      order->operator_name, giving->why};
    struct eds_stored_order **list, *kept;
    size_t open_count;
    int32_t rc = eds_order_check_giving(giving, err);

    if (rc != EDS_OK)
        return rc;
    if (order->counter <= survey(memory, order->device_id, giving->now_ms, &open_count) ||
        !is_operator(memory, giving))
        return eds_order_moved(order, err);
    if (open_count >= EDS_ORDERS_OPEN_MAX)
        return eds_order_full(order, err);
    list = eds_memory_grown(memory->orders, &memory->order_capacity, memory->order_count,
                            sizeof(struct eds_stored_order *));
    kept = list != NULL ? malloc(sizeof *kept) : NULL;
    if (list != NULL)
        memory->orders = list;
    rc = kept != NULL ? eds_memory_add_operation(memory, &line, giving->now_ms, err)
                      : eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a command");
    if (rc != EDS_OK) {
        free(kept);
        return rc;
    }
    *kept = (struct eds_stored_order){.order = *order, .word = *giving->word};
    memory->orders[memory->order_count++] = kept;
    return EDS_OK;
}

static int32_t memory_last(struct eds_ledger *ledger, const char *device_id, uint64_t *counter,
                           struct eds_error *err)
{
    size_t open_count;

    (void)err;
    *counter = survey((struct memory_ledger *)ledger, device_id, 0, &open_count);
    return EDS_OK;
}

static int32_t memory_next(struct eds_ledger *ledger, const char *device_id, uint64_t after,
                           uint64_t open_ms, struct eds_stored_order *out, struct eds_error *err)
{
    const struct memory_ledger *memory = (struct memory_ledger *)ledger;
    const struct eds_stored_order *best = NULL;

    for (size_t i = 0; i < memory->order_count; i++) {
        const struct eds_stored_order *at = memory->orders[i];

        if (at->order.counter > after && strcmp(at->order.device_id, device_id) == 0 &&
            (open_ms == 0 || eds_order_is_open(at, open_ms)) &&
            (best == NULL || at->order.counter < best->order.counter))
            best = at;
    }
    if (best == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no more commands are here");
    *out = *best;
    return EDS_OK;
}

static int32_t memory_take(struct eds_ledger *ledger, const char *device_id, uint64_t counter,
                           uint64_t now_ms, struct eds_error *err)
{
    struct eds_stored_order *found = find((struct memory_ledger *)ledger, device_id, counter);

    if (found == NULL)
        return eds_order_missing(device_id, counter, err);
    if (found->taken_ms == 0)
        found->taken_ms = now_ms;
    return EDS_OK;
}

static int32_t memory_settle(struct eds_ledger *ledger, const struct eds_order_settling *settling,
                             struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    struct eds_stored_order *found = find(memory, settling->device_id, settling->counter);
    struct eds_operation line = {EDS_DECISION_CHANGED, settling->device_id, settling->sequence,
                                 settling->message,    settling->device_id, ""};
    int32_t rc;

    if (found == NULL)
        return eds_order_missing(settling->device_id, settling->counter, err);
    if (found->result != EDS_ORDER_UNANSWERED)
        return EDS_OK;
    rc = eds_memory_add_operation(memory, &line, settling->now_ms, err);
    if (rc != EDS_OK)
        return rc;
    found->result = settling->result;
    found->result_ms = settling->now_ms;
    found->result_sequence = settling->sequence;
    return EDS_OK;
}

void eds_memory_orders_free(struct memory_ledger *memory)
{
    for (size_t i = 0; i < memory->order_count; i++)
        free(memory->orders[i]);
    free(memory->orders);
}

const struct eds_order_ops eds_memory_order_ops = {
    .give = memory_give,
    .last = memory_last,
    .next = memory_next,
    .take = memory_take,
    .settle = memory_settle,
};
