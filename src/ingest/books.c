/* books.c - see books.h. */
#include "ingest/books.h"

#include <stdio.h>
#include <string.h>

#include "ingest/queue.h"

#define WINDOW_NS 1000000000u

bool eds_books_init(struct eds_books *books, unsigned listed_max, unsigned listed_max_each,
                    bool limiting)
{
    *books = (struct eds_books){
        .listed_max = listed_max,
        .listed_max_each = listed_max_each,
        .is_limiting = limiting,
        .flood_count = 1,
    };
    return pthread_mutex_init(&books->lock, NULL) == 0;
}

void eds_books_free(struct eds_books *books)
{
    pthread_mutex_destroy(&books->lock);
}

/* The source's part of the books, begun here if there is room. */
static struct eds_flood *flood_of(struct eds_books *books, const char *source)
{
    char name[EDS_FLOOD_SOURCE_SIZE] = "";

    if (source != NULL)
        snprintf(name, sizeof name, "%.*s", (int)sizeof name - 1, source);
    for (unsigned i = 0; i < books->flood_count; i++)
        if (strcmp(books->floods[i].source, name) == 0)
            return &books->floods[i];
    if (books->flood_count == EDS_FLOODS_MAX)
        return &books->floods[0];
    books->floods[books->flood_count] = (struct eds_flood){.listed = 0};
    memcpy(books->floods[books->flood_count].source, name, sizeof name);
    return &books->floods[books->flood_count++];
}

/* A new second: lines may be written again; sums stay until they are told. */
static void begin_window(struct eds_books *books, uint64_t now)
{
    unsigned kept = 1;

    books->window_start = now;
    books->listed = 0;
    for (unsigned i = 0; i < books->flood_count; i++) {
        struct eds_flood *flood = &books->floods[i];

        flood->listed = 0;
        if (i > 0 && (flood->unlisted > 0 || flood->limited > 0))
            books->floods[kept++] = *flood;
    }
    books->flood_count = kept;
}

bool eds_books_list(struct eds_books *books, const char *source)
{
    uint64_t now = eds_queue_now_ns();
    struct eds_flood *flood;
    bool listed;

    pthread_mutex_lock(&books->lock);
    if (now - books->window_start >= WINDOW_NS)
        begin_window(books, now);
    flood = flood_of(books, source);
    listed = books->listed < books->listed_max &&
             (flood == &books->floods[0] || flood->listed < books->listed_max_each);
    if (listed) {
        books->listed++;
        flood->listed++;
    } else {
        flood->unlisted++;
        books->has_sum = true;
        books->counts.unlisted++;
    }
    pthread_mutex_unlock(&books->lock);
    return listed;
}

void eds_books_limited(struct eds_books *books, const char *source)
{
    pthread_mutex_lock(&books->lock);
    flood_of(books, source)->limited++;
    books->has_sum = true;
    pthread_mutex_unlock(&books->lock);
}

size_t eds_books_sums(struct eds_books *books, struct eds_flood out[EDS_FLOODS_MAX], bool at_once)
{
    uint64_t now = eds_queue_now_ns();
    size_t count = 0;

    pthread_mutex_lock(&books->lock);
    if (at_once || now - books->window_start >= WINDOW_NS) {
        for (unsigned i = 0; i < books->flood_count; i++) {
            struct eds_flood *flood = &books->floods[i];

            if (flood->unlisted > 0 || flood->limited > 0)
                out[count++] = *flood;
            flood->unlisted = flood->limited = 0;
        }
        books->has_sum = false;
        begin_window(books, now);
    }
    pthread_mutex_unlock(&books->lock);
    return count;
}

void eds_books_unlisted(struct eds_books *books, const struct eds_flood *flood)
{
    uint64_t now = eds_queue_now_ns();
    struct eds_flood *own;

    if (flood->unlisted == 0 && flood->limited == 0)
        return;
    pthread_mutex_lock(&books->lock);
    own = flood_of(books, flood->source);
    own->unlisted += flood->unlisted;
    own->limited += flood->limited;
    books->has_sum = true;
    books->window_start = now; /* not at once again: the store has just failed */
    pthread_mutex_unlock(&books->lock);
}

/* A sum of rejections can only come about after a line of the same second, and
 * that line is a submission that wakes the committer: so it is enough to look
 * here before going to sleep.  Requests over a rate wake nobody; where there
 * are rates, somebody looks once a second. */
uint64_t eds_books_deadline(struct eds_books *books)
{
    uint64_t deadline = 0;

    pthread_mutex_lock(&books->lock);
    if (books->listed > 0 || books->has_sum)
        deadline = books->window_start + WINDOW_NS;
    else if (books->is_limiting)
        deadline = eds_queue_now_ns() + WINDOW_NS;
    pthread_mutex_unlock(&books->lock);
    return deadline;
}

void eds_books_begin_limiting(struct eds_books *books)
{
    pthread_mutex_lock(&books->lock);
    books->is_limiting = true;
    pthread_mutex_unlock(&books->lock);
}

void eds_books_count(struct eds_books *books, enum eds_verdict verdict)
{
    pthread_mutex_lock(&books->lock);
    books->counts.by_verdict[verdict]++;
    pthread_mutex_unlock(&books->lock);
}

void eds_books_count_many(struct eds_books *books, const size_t counts[EDS_VERDICT_OVERLOADED + 1])
{
    pthread_mutex_lock(&books->lock);
    for (unsigned i = 0; i <= EDS_VERDICT_OVERLOADED; i++)
        books->counts.by_verdict[i] += counts[i];
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
    out->quarantined = out->by_verdict[EDS_VERDICT_QUARANTINED];
    out->duplicate = out->by_verdict[EDS_VERDICT_DUPLICATE];
    out->conflict = out->by_verdict[EDS_VERDICT_CONFLICT];
    out->store_failed = out->by_verdict[EDS_VERDICT_STORE];
    out->overloaded = out->by_verdict[EDS_VERDICT_OVERLOADED];
    out->rate_limited = out->by_verdict[EDS_VERDICT_RATE_LIMITED];
    out->rejected = 0;
    for (unsigned i = 0; i <= EDS_VERDICT_OVERLOADED; i++)
        out->rejected += out->by_verdict[i];
    out->rejected -= out->accepted + out->duplicate + out->conflict + out->store_failed +
                     out->overloaded + out->rate_limited + out->quarantined;
}
