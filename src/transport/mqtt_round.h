/* mqtt_round.h - the messages that are taken together and acknowledged together.
 *
 * libmosquitto queues the acknowledgement of a message when it hands the message
 * over, and sends its queue in one go.  So messages are taken in rounds: some
 * are read, all of them are decided and durable, then acknowledgements and
 * answers go out, and only then the next are read.  A round that cannot be
 * decided is not acknowledged, and the broker keeps it.
 *
 * Threads: the subscriber's owns the round; ingest's gives slots back. */
#ifndef EDS_TRANSPORT_MQTT_ROUND_H
#define EDS_TRANSPORT_MQTT_ROUND_H

#include <pthread.h>
#include <stdatomic.h>

#include "transport/mqtt_slot.h"

struct mqtt_round_config {
    struct eds_ingest *ingest;
    size_t slot_max;
    size_t size_max;      /* bytes of all messages; the one that reaches it is the last */
    unsigned patience_ms; /* with a store that does not take records */
    unsigned gap_ms;      /* with a record before another server has stored the one before it */
    int wake_fd;          /* an eventfd; written to when the last slot is decided */
    const atomic_bool *stopping; /* shortens both */
};

struct mqtt_round {
    struct mqtt_round_config config;
    struct mqtt_slot *slots;
    size_t count;          /* slots in use */
    size_t size;           /* bytes of their messages */
    uint64_t begun_ms;     /* when the first was taken */
    bool waits_for_gaps;   /* a record before one of these may be at another server */
    uint64_t no_gap_until; /* ms: such a wait was in vain */
    pthread_mutex_t lock;
    size_t undecided; /* under lock: slots that ingest has */
};

/* EDS_OK or EDS_ERR_NO_MEMORY. */
int32_t mqtt_round_init(struct mqtt_round *round, const struct mqtt_round_config *config);
void mqtt_round_free(struct mqtt_round *round);

/* mqtt_round_is_full says whether there is no room for another message. */
bool mqtt_round_is_full(const struct mqtt_round *round);

/* mqtt_round_next gives the slot that the next message goes to; it is in use
 * from mqtt_round_submit on, which hands its record to ingest. */
struct mqtt_slot *mqtt_round_next(struct mqtt_round *round);
void mqtt_round_submit(struct mqtt_round *round, struct mqtt_slot *slot);

/* mqtt_round_is_decided says whether ingest has given all slots back. */
bool mqtt_round_is_decided(struct mqtt_round *round);

/* mqtt_round_finish waits until all is decided.  What the store did not take is
 * tried again, in order, and with it whatever the same device sent later.  True
 * if every slot has its verdict; else the open ones have is_open. */
bool mqtt_round_finish(struct mqtt_round *round);

/* mqtt_round_clear makes the round empty. */
void mqtt_round_clear(struct mqtt_round *round);

/* mqtt_now_ms tells the monotonic time. */
uint64_t mqtt_now_ms(void);

#endif
