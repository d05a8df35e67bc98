/* buffer.h - the offline buffer: signed records wait here until a server has
 * taken them.
 *
 * An item leaves the buffer when the server accepted it, or had it already.
 * What the server refuses goes to the dead-letter area with the reason, and
 * nothing else ever goes: a full buffer says so and takes no more, of the less
 * urgent classes first if part of it is reserved (limits).  Items of one device
 * are handed out in the order they came in.
 *
 *   memory:            gone when the process ends
 *   sqlite:PATH        one SQLite file (WAL, synchronous=FULL)
 *   log:PATH           a file of fixed size, written round and round: for flash
 *   log:PATH?size=N    the same with N bytes, if it has to be made; 16 MiB is the default,
 *                      256 KiB the least
 *
 * A file belongs to one process at a time (EDS_ERR_BUSY).  Threads: any number
 * may call at once, but for open and close. */
#ifndef EDGESENTRY_BUFFER_H
#define EDGESENTRY_BUFFER_H

#include "edgesentry/buffer_store.h"
#include "edgesentry/sender.h"

#ifdef __cplusplus
extern "C" {
#endif

struct eds_buffer;

/* Where the buffer says that it is full.  0: no limit but the store's own. */
struct eds_buffer_limits {
    uint64_t size_max;   /* bytes of records and payloads, dead letters included */
    uint64_t age_max_ms; /* no record is taken that is so much younger than the oldest waiting */
    /* Of the size (size_max, or the log's own) this much is kept free for each class
     * above: with 10, low fills 70 % of it, normal 80, high 90, alarm all.  At most
     * EDS_RESERVE_PERCENT_MAX; 0: whoever comes first. */
    unsigned reserve_percent;
};

#define EDS_RESERVE_PERCENT_MAX 30u

struct eds_buffer_counts {
    uint64_t waiting, dead; /* items */
    uint64_t size;          /* bytes of all of them: records and payloads */
    uint64_t device_count;  /* devices whose heads are known */
    uint64_t oldest_ms;     /* timestamp_ms of the item that waits longest; 0: none waits */
};

/* eds_buffer_open opens a store by its URL and makes it where it is missing.
 *
 *   limits  NULL: none
 *
 * EDS_OK and *out, which the caller closes; EDS_ERR_USAGE for an unknown URL or limit,
 * EDS_ERR_UNSUPPORTED for a store left out of this build or a newer format,
 * EDS_ERR_EXISTS for a file of another kind, EDS_ERR_BUSY, EDS_ERR_IO,
 * EDS_ERR_MALFORMED, EDS_ERR_NO_MEMORY. */
int32_t eds_buffer_open(struct eds_buffer **out, const char *url,
                        const struct eds_buffer_limits *limits, struct eds_error *err);

/* eds_buffer_open_store does the same with a store of the caller's.  The store
 * is the buffer's from then on, and closed if this fails. */
int32_t eds_buffer_open_store(struct eds_buffer **out, struct eds_buffer_store *store,
                              const struct eds_buffer_limits *limits, struct eds_error *err);

/* eds_buffer_close frees the buffer; NULL is fine.  What a durable store holds
 * stays. */
void eds_buffer_close(struct eds_buffer *buffer);

/* eds_buffer_set_limits puts other limits into effect.  EDS_OK, or EDS_ERR_USAGE. */
int32_t eds_buffer_set_limits(struct eds_buffer *buffer, const struct eds_buffer_limits *limits,
                              struct eds_error *err);

/* eds_buffer_push keeps a signed record with its payload.  EDS_OK: it is there,
 * and in a durable store it stays there whatever happens to the power.
 *
 * EDS_ERR_BUSY: a limit is reached, or the store is full; EDS_ERR_TOO_LARGE: it
 * could never fit; EDS_ERR_STRING_TOO_LONG, EDS_ERR_INVALID_UTF8: it is no
 * record; EDS_ERR_IO, EDS_ERR_NO_MEMORY.  After an error nothing is kept. */
int32_t eds_buffer_push(struct eds_buffer *buffer, const struct eds_entry *entry,
                        const void *payload, size_t payload_size, enum eds_priority priority,
                        struct eds_error *err);

/* eds_buffer_push_many keeps count items or none, with one write: one sync for
 * all of them.  Their ids are filled in.  Errors as above. */
int32_t eds_buffer_push_many(struct eds_buffer *buffer, struct eds_buffer_item *items, size_t count,
                             struct eds_error *err);

/* eds_buffer_len counts the items that wait; eds_buffer_is_empty tells that
 * there are none. */
uint64_t eds_buffer_len(struct eds_buffer *buffer);
bool eds_buffer_is_empty(struct eds_buffer *buffer);

/* eds_buffer_counts fills *out. */
void eds_buffer_counts(struct eds_buffer *buffer, struct eds_buffer_counts *out);

/* eds_buffer_is_durable tells whether what is pushed outlives a power cut. */
bool eds_buffer_is_durable(const struct eds_buffer *buffer);

/* eds_buffer_head fills *out with the last record ever pushed of a device, also
 * when it is delivered long since; all zero for a device never seen. */
void eds_buffer_head(struct eds_buffer *buffer, const char *device_id, struct eds_buffer_head *out);

/* What a flush does with a record that the server refuses. */
enum eds_refusal {
    EDS_REFUSAL_STOPS, /* it stays, and the flush ends: what edgesentry-rs does */
    EDS_REFUSAL_BURIES /* it goes to the dead-letter area, and the flush goes on */
};

struct eds_flush_report {
    uint64_t accepted;   /* delivered */
    uint64_t duplicates; /* of those, the server had so many already */
    uint64_t buried;     /* refused, with EDS_REFUSAL_BURIES */
    uint64_t remaining;  /* still waiting */
};

/* eds_buffer_flush hands out what waits, oldest first, one at a time, until
 * nothing is left or something keeps it from going on.
 *
 *   out  always filled; may be NULL
 *
 * EDS_OK: nothing waits.  EDS_ERR_REFUSED: the server refused one (*err has its
 * reason), and it is still there; EDS_ERR_BUSY: the server can't be reached or
 * takes nothing from this device now; the store's errors.  Must not run beside a
 * forwarder on the same buffer: a record could be sent twice. */
int32_t eds_buffer_flush(struct eds_buffer *buffer, struct eds_sender *sender,
                         enum eds_refusal refusal, struct eds_flush_report *out,
                         struct eds_error *err);

/* eds_buffer_next reads the item with the lowest id above after, waiting or
 * dead, of one device or (NULL) of any; the caller frees *out with free.
 * EDS_ERR_NOT_FOUND behind the last one. */
int32_t eds_buffer_next(struct eds_buffer *buffer, const char *device_id, uint64_t after, bool dead,
                        struct eds_buffer_item **out, struct eds_error *err);

/* eds_buffer_settle says what becomes of an item that eds_buffer_next gave:
 * delivered, refused, or (a dead one) to be sent again.  For senders of the
 * caller's own; flush and forwarder do it themselves. */
int32_t eds_buffer_settle(struct eds_buffer *buffer, const struct eds_buffer_item *item,
                          enum eds_settlement how, const char *reason, struct eds_error *err);

#ifdef __cplusplus
}
#endif

#endif
