/* orders.h - what operators have ordered devices to do (edgesentry/command.h), in the
 * ledger's database: a queue for each device, and what became of each order.
 *
 * An order is open until the device has answered it or its time is over.  The store
 * keeps the operator's signature and does not look at it; nothing ever takes an order
 * out again.
 *
 * Threads and errors as in ledger.h. */
#ifndef EDS_STORE_ORDERS_H
#define EDS_STORE_ORDERS_H

#include "core/order.h"
#include "store/ledger.h"

#define EDS_ORDERS_OPEN_MAX 16u /* of one device at a time */

enum eds_order_result {
    EDS_ORDER_UNANSWERED,
    EDS_ORDER_DONE,   /* by a record of the device */
    EDS_ORDER_REFUSED /* likewise */
};

struct eds_stored_order {
    struct eds_order order;
    struct eds_order_word word; /* the operator's */
    uint64_t taken_ms;          /* when the device was first given it; 0: not yet */
    enum eds_order_result result;
    uint64_t result_ms, result_sequence; /* when the answer came, and of its record */
};

struct eds_order_giving {
    const struct eds_order *order;
    const struct eds_order_word *word;
    uint64_t operator_revision; /* of his enrolment when his key was found good */
    const char *message;        /* of the line in the operation log */
    const char *why;            /* likewise; may be empty */
    uint64_t now_ms;            /* its time */
};

struct eds_order_settling {
    const char *device_id;
    uint64_t counter;
    enum eds_order_result result; /* not EDS_ORDER_UNANSWERED */
    uint64_t sequence;            /* of the record that says so */
    const char *message;          /* of the line in the operation log */
    uint64_t now_ms;
};

struct eds_order_ops {
    /* The order and a line in the operation log (decision EDS_DECISION_CHANGED,
     * sequence 0, who is the operator) are durable on EDS_OK, or neither.
     * EDS_ERR_HEAD_MOVED: an order of the device has this counter or a higher one, or
     * the operator has another revision by now; look again and decide again.
     * EDS_ERR_BUSY: EDS_ORDERS_OPEN_MAX orders of the device are open at now_ms.
     * EDS_ERR_USAGE: what no command lets through (eds_order_check refuses it, or a
     * counter or time above INT64_MAX). */
    int32_t (*give)(struct eds_ledger *, const struct eds_order_giving *, struct eds_error *);

    /* The counter of a device's last order; 0: there is none. */
    int32_t (*last)(struct eds_ledger *, const char *device_id, uint64_t *counter,
                    struct eds_error *);

    /* Reads a device's order with the lowest counter above after; if open_ms is not 0,
     * of those that are unanswered and may still be done then.  EDS_ERR_NOT_FOUND
     * behind the last. */
    int32_t (*next)(struct eds_ledger *, const char *device_id, uint64_t after, uint64_t open_ms,
                    struct eds_stored_order *out, struct eds_error *);

    /* Notes that the device was given an order; the first time counts.
     * EDS_ERR_NOT_FOUND. */
    int32_t (*take)(struct eds_ledger *, const char *device_id, uint64_t counter, uint64_t now_ms,
                    struct eds_error *);

    /* The result, and a line in the operation log (EDS_DECISION_CHANGED, the record's
     * sequence, who is the device).  The first result counts, and only that has a line:
     * for a later one, EDS_OK and nothing changes.  EDS_ERR_NOT_FOUND. */
    int32_t (*settle)(struct eds_ledger *, const struct eds_order_settling *, struct eds_error *);
};

/* eds_order_is_open says whether an order is still to be done. */
static inline bool eds_order_is_open(const struct eds_stored_order *stored, uint64_t now_ms)
{
    return stored->result == EDS_ORDER_UNANSWERED && now_ms <= stored->order.not_after_ms;
}

/* eds_order_check_giving is what every store asks before it writes: EDS_OK or
 * EDS_ERR_USAGE.  eds_order_full and eds_order_moved are what it says of a device that
 * has too many orders, and of one that has other orders by now. */
int32_t eds_order_check_giving(const struct eds_order_giving *giving, struct eds_error *err);
int32_t eds_order_full(const struct eds_order *order, struct eds_error *err);
int32_t eds_order_moved(const struct eds_order *order, struct eds_error *err);
int32_t eds_order_missing(const char *device_id, uint64_t counter, struct eds_error *err);

#endif
