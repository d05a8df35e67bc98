/* buffer_keeper.h - a gateway's keeper: what devices bring goes into a buffer, from
 * which a forwarder sends it on.
 *
 * Whether a record follows its device's last one is for the server to say, which
 * alone knows the chain: a gateway does not alter, judge or reorder.  It sees to it
 * that records go on in the order in which devices were told that they are kept, and
 * once each as far as it can know. */
#ifndef EDS_GATEWAY_BUFFER_KEEPER_H
#define EDS_GATEWAY_BUFFER_KEEPER_H

#include "edgesentry/buffer.h"
#include "ingest/keeper.h"

struct eds_buffer_keeper;

struct eds_buffer_keeper_config {
    struct eds_buffer *buffer; /* outlives the keeper */
    size_t device_max;         /* whose records are kept; 0: 10000 */
    size_t batch_max;          /* that of ingest; 0: 1024 */
    unsigned owed_ms;          /* how long a refused record keeps back those behind it; 0: 60 s */
};

struct eds_buffer_keeper_counts {
    uint64_t kept;     /* records that are in the buffer, or were */
    uint64_t repeated; /* of those, sent again by the device although they were there */
    uint64_t full;     /* refused for now: the buffer is full */
    uint64_t behind;   /* refused for now: one before was, and is not here yet */
    uint64_t too_many; /* refused for now: of a device too many */
    uint64_t device_count;
};

/* eds_buffer_keeper_create makes one.  EDS_OK; EDS_ERR_NO_MEMORY. */
int32_t eds_buffer_keeper_create(struct eds_buffer_keeper **out,
                                 const struct eds_buffer_keeper_config *config,
                                 struct eds_error *err);

/* eds_buffer_keeper_of gives what eds_ingest_config.keeper wants. */
struct eds_keeper *eds_buffer_keeper_of(struct eds_buffer_keeper *keeper);

/* eds_buffer_keeper_counts fills *out.  Any thread. */
void eds_buffer_keeper_counts(const struct eds_buffer_keeper *keeper,
                              struct eds_buffer_keeper_counts *out);

/* eds_buffer_keeper_free frees it, after the ingest that it kept for; NULL is fine. */
void eds_buffer_keeper_free(struct eds_buffer_keeper *keeper);

#endif
