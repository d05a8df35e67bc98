/* forwarder.h - bringing what waits in a buffer to a server, in the background.
 *
 * Records of one device go one after the other, in their order; different devices
 * side by side, over as many senders as there are.  A sender that takes many at once
 * gets what waits just then; nothing waits for others to come.  What the server
 * accepted or had already leaves the buffer; what it refuses goes to the dead-letter
 * area with the reason; a device that it takes nothing from for now waits.  Where the
 * server is away one sender asks again after a pause with jitter, longer each time,
 * and never before the server said; the others wait until it is back.
 *
 * Pushes may run at any time but while a forwarder starts or stops.
 *
 * Whatever ends the process, the next one goes on where this one was: at worst a
 * record is sent again, and the server knows it. */
#ifndef EDGESENTRY_FORWARDER_H
#define EDGESENTRY_FORWARDER_H

#include "edgesentry/buffer.h"

#ifdef __cplusplus
extern "C" {
#endif

struct eds_forwarder;

struct eds_forwarder_config {
    struct eds_buffer *buffer;   /* outlives the forwarder; nothing else sends from it */
    struct eds_sender **senders; /* sender_count of them, a thread each; they outlive it, too */
    size_t sender_count;         /* 1 to 64 */
    unsigned backoff_ms_first;   /* 0: 500 */
    unsigned backoff_ms_max;     /* 0: 60000 */
    unsigned hold_ms;            /* how long a device waits that nothing is taken from; 0: 60000 */
    /* Called for each reply, also for those that leave the record waiting; one at
     * a time; NULL: nobody listens.  Must neither push nor call the forwarder. */
    void (*replied)(void *context, const struct eds_buffer_item *item,
                    const struct eds_reply *reply);
    void *context;
};

struct eds_forwarder_counts {
    uint64_t accepted, duplicates, buried, held, away; /* replies */
    bool server_away;                                  /* now */
};

/* eds_forwarder_start starts the threads.  EDS_OK, EDS_ERR_USAGE, EDS_ERR_NO_MEMORY,
 * EDS_ERR_IO (no thread). */
int32_t eds_forwarder_start(struct eds_forwarder **out, const struct eds_forwarder_config *config,
                            struct eds_error *err);

/* eds_forwarder_wait returns true when nothing waits and nothing is on its way,
 * false after timeout_ms. */
bool eds_forwarder_wait(struct eds_forwarder *forwarder, unsigned timeout_ms);

/* eds_forwarder_counts fills *out. */
void eds_forwarder_counts(struct eds_forwarder *forwarder, struct eds_forwarder_counts *out);

/* eds_forwarder_stop lets what is on its way come to its end, and frees all;
 * NULL is fine. */
void eds_forwarder_stop(struct eds_forwarder *forwarder);

#ifdef __cplusplus
}
#endif

#endif
