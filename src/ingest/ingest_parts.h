/* ingest_parts.h - the parts of ingest, for its own files. */
#ifndef EDS_INGEST_INGEST_PARTS_H
#define EDS_INGEST_INGEST_PARTS_H

#include <pthread.h>

#include "ingest/batch.h"
#include "ingest/books.h"
#include "ingest/check.h"
#include "ingest/check_desks.h"
#include "ingest/limits.h"
#include "ingest/queue.h"
#include "ingest/uploads.h"

#define EDS_HELPERS_MAX 15u

/* One who checks when much waits. */
struct eds_helper {
    struct eds_ingest *ingest;
    struct eds_check_desk *desk;
    pthread_t thread;
};

struct eds_ingest {
    struct eds_checks checks;
    struct eds_objects *uploaded; /* NULL: no payload comes before its record */
    size_t batch_max, batch_size_max;
    uint64_t quick_ns;
    struct eds_queue queue;
    struct eds_uploads *uploads; /* NULL: payloads go into the ledger */
    struct eds_books books;
    struct eds_limits limits;
    bool queue_made, books_made, desks_made;
    struct eds_keeper *keeper; /* of whoever has the turn: the batch, or the caller's own */
    struct eds_batch batch;
    struct eds_submission **taken; /* the committer's; batch_max of them */
    struct eds_check_desk *desk;   /* the committer's */
    struct eds_check_desks desks;  /* of those who check what they bring */
    pthread_t committer;
    struct eds_helper helpers[EDS_HELPERS_MAX];
    unsigned helper_count; /* started */
};

/* ingest_admit.c: what is checked of a submission by whoever brings it; of those that are
 * good, whether their devices may send so many; and that, with what is left to be looked
 * for, after the checks of several. */
void eds_ingest_check_alone(struct eds_ingest *ingest, struct eds_submission *submission);
void eds_ingest_take_tokens(struct eds_ingest *ingest, struct eds_submission **submissions,
                            size_t count);
void eds_ingest_finish_checks(struct eds_ingest *ingest, struct eds_submission **submissions,
                              size_t count);

/* ingest_threads.c: starts the committer (EDS_ERR_IO if there is no thread), and helpers, so
 * many less one as threads are wanted or can be had. */
int32_t eds_ingest_start_threads(struct eds_ingest *ingest, size_t thread_count);

/* ingest_answer.c: whether a checked submission has a place in the commit; that it was
 * answered; and its answer, after which it is not ours. */
bool eds_ingest_is_for_commit(struct eds_ingest *ingest, const struct eds_submission *submission);
void eds_ingest_count_answer(struct eds_ingest *ingest, const struct eds_submission *submission);
void eds_ingest_answer(struct eds_ingest *ingest, struct eds_submission *submission);
void eds_ingest_answer_all(struct eds_ingest *ingest, struct eds_submission **submissions,
                           size_t count);

/* ingest_submit.c: the answer when there is no room; and submissions that wait, for the
 * store of payloads or the committer. */
void eds_ingest_refuse(struct eds_ingest *ingest, struct eds_submission *submission);
size_t eds_ingest_waiting(struct eds_ingest *ingest);

#endif
