/* books.h - what has happened, counted, and which rejections get a line of
 * their own in the operation log.
 *
 * Anyone who reaches the port can cause rejections.  So only so many a second
 * are listed, of one source and of all; the others are counted for each source
 * and summed up in one line when the second is over.  So many sources have a sum
 * of their own; those beyond share one.  Any thread. */
#ifndef EDS_INGEST_BOOKS_H
#define EDS_INGEST_BOOKS_H

#include <pthread.h>

#include "ingest/ingest.h"

#define EDS_FLOOD_SOURCE_SIZE 48u /* bytes, NUL included; a longer name is cut */
#define EDS_FLOODS_MAX        32u /* sources with a sum of their own, and the rest */

/* What one source caused in a second. */
struct eds_flood {
    char source[EDS_FLOOD_SOURCE_SIZE]; /* "": not known, or one of too many */
    unsigned listed;                    /* lines in this second */
    uint64_t unlisted;                  /* rejections to be summed up */
    uint64_t limited;                   /* requests over a rate, likewise */
};

struct eds_books {
    pthread_mutex_t lock;
    unsigned listed_max, listed_max_each;    /* lines a second, of all and of a known source */
    bool is_limiting;                        /* sums may come about without a submission */
    unsigned listed;                         /* lines in this second */
    uint64_t window_start;                   /* ns: when this second began */
    struct eds_flood floods[EDS_FLOODS_MAX]; /* the first one is of the rest */
    unsigned flood_count;
    bool has_sum; /* one of them has something to tell */
    struct eds_ingest_counts counts;
    struct eds_meters meters; /* without the lock */
};

/* eds_books_init opens the books; false if the system has no lock to give.
 *
 *   limiting  whether eds_books_limited will be called */
bool eds_books_init(struct eds_books *books, unsigned listed_max, unsigned listed_max_each,
                    bool limiting);
void eds_books_free(struct eds_books *books);

/* eds_books_begin_limiting says that it may be called from now on. */
void eds_books_begin_limiting(struct eds_books *books);

/* eds_books_list says whether one more rejection of a source (NULL: not known)
 * gets a line; if not it has been added to the source's sum. */
bool eds_books_list(struct eds_books *books, const char *source);

/* eds_books_limited adds a request that was over a rate to its source's sum. */
void eds_books_limited(struct eds_books *books, const char *source);

/* eds_books_sums takes the sums out when their second is over, or at_once, and
 * returns how many there are to be told. */
size_t eds_books_sums(struct eds_books *books, struct eds_flood out[EDS_FLOODS_MAX], bool at_once);

/* eds_books_unlisted adds to the sums what got no line after all (a failed
 * commit); it will be told in a second. */
void eds_books_unlisted(struct eds_books *books, const struct eds_flood *flood);

/* eds_books_deadline tells when eds_books_sums may have something to say
 * (eds_queue_now_ns), 0 if it will not. */
uint64_t eds_books_deadline(struct eds_books *books);

/* eds_books_count counts one answer, eds_books_count_many as many as counts has of each
 * verdict, eds_books_committed one commit. */
void eds_books_count(struct eds_books *books, enum eds_verdict verdict);
void eds_books_count_many(struct eds_books *books, const size_t counts[EDS_VERDICT_OVERLOADED + 1]);
void eds_books_committed(struct eds_books *books);

/* eds_books_counts copies the counts out, all of one moment (but for queued). */
void eds_books_counts(struct eds_books *books, struct eds_ingest_counts *out);

#endif
