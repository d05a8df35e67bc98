/* sender.h - how records get to a server: the caller's way, or eds's own over HTTP
 * and MQTT. */
#ifndef EDGESENTRY_SENDER_H
#define EDGESENTRY_SENDER_H

#include "edgesentry/buffer_store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a server said of a record, or that it said nothing. */
enum eds_outcome {
    EDS_OUTCOME_ACCEPTED,  /* it is durable there */
    EDS_OUTCOME_DUPLICATE, /* this very record was there already: delivered */
    EDS_OUTCOME_CONFLICT,  /* another record has its sequence: never to be taken */
    EDS_OUTCOME_REJECTED,  /* never to be taken */
    EDS_OUTCOME_HELD,      /* nothing is taken of this device now: unknown, quarantined, revoked */
    EDS_OUTCOME_AWAY,      /* no verdict: not reachable, busy, an answer that is none */
    EDS_OUTCOME_LATER,     /* no verdict on this one, but the server is there: soon again */
};

struct eds_reply {
    enum eds_outcome outcome;
    uint32_t retry_after_ms;        /* held, away, later: not before; 0: the server did not say */
    char text[EDS_ERROR_TEXT_SIZE]; /* why; "" if delivered.  From outside: may hold anything */
};

/* A way to a server.  Embed it as the first member.  One call at a time. */
struct eds_sender {
    /* Sends one item and waits for the verdict.  Always fills *out.  Whatever
     * leaves it open whether the server has the record is EDS_OUTCOME_AWAY: it
     * is sent again, and the server knows it then. */
    void (*send)(struct eds_sender *sender, const struct eds_buffer_item *item,
                 struct eds_reply *out);
    /* Optional: sends several items at once, of one device or of many; those of one
     * device stand together, in their order.  Fills out[0] to out[n-1] and returns n,
     * 1 to count: the items behind count as not sent.  Called only for two or more. */
    size_t (*send_many)(struct eds_sender *sender, const struct eds_buffer_item *const *items,
                        size_t count, struct eds_reply *out);
    /* How many items send_many takes at once; below 2 they come one by one, and above
     * EDS_SEND_MANY_MAX no more come.  The sender may change it during a call. */
    size_t batch_max;
};

#define EDS_SEND_MANY_MAX 1024u

#ifdef __cplusplus
}
#endif

#endif
