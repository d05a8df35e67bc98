/* books.h - what has happened, counted, and which rejections get a line of
 * their own in the operation log.
 *
 * Anyone who reaches the port can cause rejections.  So only so many a second
 * are listed; the others are counted and summed up in one line when the second
 * is over.  Any thread. */
#ifndef EDS_INGEST_BOOKS_H
#define EDS_INGEST_BOOKS_H

#include <pthread.h>

#include "ingest/ingest.h"

struct eds_books {
    pthread_mutex_t lock;
    unsigned listed_max;   /* lines a second */
    unsigned listed;       /* lines in this second */
    uint64_t unlisted;     /* rejections to be summed up */
    uint64_t window_start; /* ns: when this second began */
    struct eds_ingest_counts counts;
};

/* eds_books_init opens the books; false if the system has no lock to give. */
bool eds_books_init(struct eds_books *books, unsigned listed_max);
void eds_books_free(struct eds_books *books);

/* eds_books_list says whether one more rejection gets a line; if not it has
 * been added to the sum. */
bool eds_books_list(struct eds_books *books);

/* eds_books_sum takes the sum out when its second is over, or at_once; 0 if
 * there is nothing to tell yet. */
uint64_t eds_books_sum(struct eds_books *books, bool at_once);

/* eds_books_unlisted adds to the sum what got no line after all (a failed
 * commit); it will be told in a second. */
void eds_books_unlisted(struct eds_books *books, uint64_t count);

/* eds_books_deadline tells when eds_books_sum may have something to say
 * (eds_queue_now_ns), 0 if it will not. */
uint64_t eds_books_deadline(struct eds_books *books);

/* eds_books_count counts one answer, eds_books_committed one commit. */
void eds_books_count(struct eds_books *books, enum eds_verdict verdict);
void eds_books_committed(struct eds_books *books);

/* eds_books_counts copies the counts out, all of one moment (but for queued). */
void eds_books_counts(struct eds_books *books, struct eds_ingest_counts *out);

#endif
