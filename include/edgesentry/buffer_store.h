/* buffer_store.h - where an offline buffer keeps what waits, and what every such
 * store promises: for whoever brings a store of his own.
 *
 * A store keeps items and, for each device, its head: the last record that was
 * ever pushed.  Heads outlive their items; a device that continues its chain
 * after a power cut starts from there.  A new store is written from this page
 * alone and passes tests/device/store_conformance.c.
 *
 * Threads: one call at a time (the buffer sees to it).
 * Errors: EDS_ERR_IO, EDS_ERR_NO_MEMORY, EDS_ERR_MALFORMED when what is stored
 * is no item any more.  After any of them the store can be used again, and says
 * what is truly there: a push that failed has left nothing. */
#ifndef EDGESENTRY_BUFFER_STORE_H
#define EDGESENTRY_BUFFER_STORE_H

#include "edgesentry/record.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Who goes first, and who is spared, when not all can be kept. */
enum eds_priority {
    EDS_PRIORITY_LOW,
    EDS_PRIORITY_NORMAL,
    EDS_PRIORITY_HIGH,
    EDS_PRIORITY_ALARM,
    EDS_PRIORITY_COUNT
};

#define EDS_REASON_SIZE 256u /* bytes, NUL included; of why an item is dead */

/* One record that waits, or that was refused and lies in the dead-letter area. */
struct eds_buffer_item {
    uint64_t id; /* the store's: rises with every push, never used twice */
    struct eds_entry entry;
    const void *payload; /* never NULL where an item is read; may be NULL in a push of 0 bytes */
    size_t payload_size; /* bytes */
    enum eds_priority priority;
    bool is_dead;
    char reason[EDS_REASON_SIZE]; /* "" unless it is dead */
};

/* The last record ever pushed of a device, and the last order that one of them answers
 * (edgesentry/command.h). */
struct eds_buffer_head {
    uint64_t sequence; /* 0: none */
    uint64_t timestamp_ms;
    uint8_t record_hash[EDS_HASH_SIZE];
    uint64_t command_counter; /* 0: none */
};

/* What becomes of an item. */
enum eds_settlement {
    EDS_SETTLE_REMOVE, /* delivered: gone.  Need not outlive a power cut at once */
    EDS_SETTLE_BURY,   /* refused: to the dead-letter area, with the reason.  Likewise */
    EDS_SETTLE_REVIVE, /* a dead one waits again, in its old place; durable */
};

struct eds_buffer_store;

struct eds_buffer_store_ops {
    const char *name; /* "memory", "sqlite", "log" */
    bool is_durable;  /* what was pushed outlives the process and a power cut */

    /* Keeps count items and moves the heads of their devices, in ONE write: all
     * or nothing is durable on EDS_OK, and the ids are filled in.  head[i] is
     * the head of its device from item i on.  EDS_ERR_BUSY: the medium is full;
     * EDS_ERR_TOO_LARGE: the items would not fit into an empty one. */
    int32_t (*push)(struct eds_buffer_store *, struct eds_buffer_item *items,
                    const struct eds_buffer_head *heads, size_t count, struct eds_error *);

    /* Reads the item with the lowest id above after: a waiting one or a dead
     * one; of this device, or with NULL of any.  *out is one block of memory
     * with the payload in it, which the caller frees.  EDS_ERR_NOT_FOUND. */
    int32_t (*next)(struct eds_buffer_store *, const char *device_id, uint64_t after, bool dead,
                    struct eds_buffer_item **out, struct eds_error *);

    /* Settles an item that is there; reason is for EDS_SETTLE_BURY only. */
    int32_t (*settle)(struct eds_buffer_store *, uint64_t id, enum eds_settlement how,
                      const char *reason, struct eds_error *);

    /* Calls visit for every item there is, with payload NULL but its size
     * right; any order.  visit must not call the store. */
    int32_t (*items)(struct eds_buffer_store *,
                     int32_t (*visit)(void *context, const struct eds_buffer_item *), void *context,
                     struct eds_error *);

    /* Calls visit for every device's head; any order.  Likewise. */
    int32_t (*heads)(struct eds_buffer_store *,
                     int32_t (*visit)(void *context, const char *device_id,
                                      const struct eds_buffer_head *),
                     void *context, struct eds_error *);

    void (*close)(struct eds_buffer_store *); /* frees the store itself */

    /* Tells how many bytes items take and can take at most.  NULL: a store with no
     * bound of its own. */
    void (*usage)(struct eds_buffer_store *, uint64_t *used, uint64_t *size_max);

    /* Does EDS_SETTLE_REMOVE for count items that are there, all or none, for less
     * than one by one would cost.  NULL: they are settled one by one. */
    int32_t (*remove)(struct eds_buffer_store *, const uint64_t *ids, size_t count,
                      struct eds_error *);
};

/* A store embeds this as its first member. */
struct eds_buffer_store {
    const struct eds_buffer_store_ops *ops;
};

#ifdef __cplusplus
}
#endif

#endif
