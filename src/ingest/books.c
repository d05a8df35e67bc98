/* books.c - see books.h. */
#include "ingest/books.h"

#include "ingest/queue.h"

#define WINDOW_NS 1000000000u

bool eds_books_init(struct eds_books *books, unsigned listed_max)
{
    *books = (struct eds_books){.listed_max = listed_max};
    return pthread_mutex_init(&books->lock, NULL) == 0;
}

void eds_books_free(struct eds_books *books)
{
    pthread_mutex_destroy(&books->lock);
}

bool eds_books_list(struct eds_books *books)
{
    uint64_t now = eds_queue_now_ns();
    bool listed;

    pthread_mutex_lock(&books->lock);
    if (now - books->window_start >= WINDOW_NS) {
        books->window_start = now;
        books->listed = 0;
    }
    listed = books->listed < books->listed_max;
    if (listed) {
        books->listed++;
    } else {
        books->unlisted++;
        books->counts.unlisted++;
    }
    pthread_mutex_unlock(&books->lock);
    return listed;
}

uint64_t eds_books_sum(struct eds_books *books, bool at_once)
{
    uint64_t sum = 0, now = eds_queue_now_ns();

    pthread_mutex_lock(&books->lock);
    if (at_once || now - books->window_start >= WINDOW_NS) {
        sum = books->unlisted;
        books->unlisted = 0;
        books->listed = 0;
        books->window_start = now;
    }
    pthread_mutex_unlock(&books->lock);
    return sum;
}

void eds_books_unlisted(struct eds_books *books, uint64_t count)
{
    uint64_t now = eds_queue_now_ns();

    pthread_mutex_lock(&books->lock);
    books->unlisted += count;
    books->window_start = now; /* not at once again: the store has just failed */
    pthread_mutex_unlock(&books->lock);
}

/* A sum can only come about after a line of the same second, and that line is
 * a submission that wakes the committer.  So it is enough to look here before
 * going to sleep. */
uint64_t eds_books_deadline(struct eds_books *books)
{
    uint64_t deadline = 0;

    pthread_mutex_lock(&books->lock);
    if (books->listed > 0 || books->unlisted > 0)
        deadline = books->window_start + WINDOW_NS;
    pthread_mutex_unlock(&books->lock);
    return deadline;
}

void eds_books_count(struct eds_books *books, enum eds_verdict verdict)
{
    pthread_mutex_lock(&books->lock);
    books->counts.by_verdict[verdict]++;
    pthread_mutex_unlock(&books->lock);
}

void eds_books_committed(struct eds_books *books)
{
    pthread_mutex_lock(&books->lock);
    books->counts.commits++;
    pthread_mutex_unlock(&books->lock);
}

void eds_books_counts(struct eds_books *books, struct eds_ingest_counts *out)
{
    pthread_mutex_lock(&books->lock);
    *out = books->counts;
    pthread_mutex_unlock(&books->lock);
    out->accepted = out->by_verdict[EDS_VERDICT_ACCEPTED];
    out->duplicate = out->by_verdict[EDS_VERDICT_DUPLICATE];
    out->conflict = out->by_verdict[EDS_VERDICT_CONFLICT];
    out->store_failed = out->by_verdict[EDS_VERDICT_STORE];
    out->overloaded = out->by_verdict[EDS_VERDICT_OVERLOADED];
    out->rejected = 0;
    for (unsigned i = 0; i <= EDS_VERDICT_OVERLOADED; i++)
        out->rejected += out->by_verdict[i];
    out->rejected -=
        out->accepted + out->duplicate + out->conflict + out->store_failed + out->overloaded;
}
