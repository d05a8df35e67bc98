/* keeper.h - where checked records go: who decides about them in their order, and
 * makes them durable.
 *
 * A server's keeper is the batch (batch.h): chain heads, and a ledger.  A gateway's
 * is a buffer from which they are sent on.  Everything before it, from sockets to
 * signatures, is the same for both and knows neither. */
#ifndef EDS_INGEST_KEEPER_H
#define EDS_INGEST_KEEPER_H

#include "ingest/ingest.h"

struct eds_books;

/* A keeper embeds this as its first member. */
struct eds_keeper {
    /* Decides count submissions in their order, makes durable what is kept of them,
     * and leaves verdict and message in each; done is the caller's to call.  One call
     * at a time; count may be 0.  What is taken of the books' sums must be told.
     *
     *   submissions  whose verdict is that of the checks: those that are not kept by
     *                it have an answer already, and are here to be listed
     *   at_once      also tell the sum of unlisted rejections of this very second */
    void (*keep)(struct eds_keeper *keeper, struct eds_submission **submissions, size_t count,
                 bool at_once);
    struct eds_books *books; /* of the ingest that it keeps for, which fills this in */

    /* Of the last call: whether a thread of a transport's may wait for the next one. */
    size_t count;
    uint64_t commit_ns; /* how long the write took */
};

#endif
