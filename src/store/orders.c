/* orders.c - what is the same in every store of orders. */
#include "store/orders.h"

#include <inttypes.h>

int32_t eds_order_check_giving(const struct eds_order_giving *giving, struct eds_error *err)
{
    const struct eds_order *order = giving->order;

    if (eds_order_check(order, err) != EDS_OK)
        return EDS_ERR_USAGE;
    if (order->counter > INT64_MAX || order->not_after_ms > INT64_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "a counter or time of an order is above 2^63 - 1");
    return EDS_OK;
}

int32_t eds_order_full(const struct eds_order *order, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_BUSY,
                         "%u commands wait for device %s already: it has to answer one of them, "
                         "or their time to end",
                         EDS_ORDERS_OPEN_MAX, order->device_id);
}

int32_t eds_order_moved(const struct eds_order *order, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_HEAD_MOVED,
                         "device %s has a command %" PRIu64 " or a later one by now, or operator "
                         "%s was changed",
                         order->device_id, order->counter, order->operator_name);
}

int32_t eds_order_missing(const char *device_id, uint64_t counter, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NOT_FOUND, "device %s has no command %" PRIu64, device_id,
                         counter);
}
