/* http_spares.h - large pieces of memory that are used again.
 *
 * A batch takes some dozen pieces for a moment, each too large for malloc to keep: it
 * would get them from the system, page by page, and give them back, each time.  That
 * takes longer than to read the records in them.  So pieces of one size are kept here
 * for the next batch, and given back when a while has passed in which nobody wanted
 * them.  Any thread. */
#ifndef EDS_TRANSPORT_HTTP_SPARES_H
#define EDS_TRANSPORT_HTTP_SPARES_H

#include <pthread.h>
#include <stddef.h>

#define HTTP_SPARES_MAX 32u /* pieces kept */

struct http_spares {
    size_t piece_size; /* bytes */
    pthread_mutex_t lock;
    void *pieces[HTTP_SPARES_MAX];
    size_t count, least_count; /* kept now; the least since the last sweep */
};

void http_spares_init(struct http_spares *spares, size_t piece_size);
void http_spares_destroy(struct http_spares *spares);

/* http_spares_take gives size bytes for free (or http_spares_give_back, with the same
 * size); NULL without memory. */
void *http_spares_take(struct http_spares *spares, size_t size);
void http_spares_give_back(struct http_spares *spares, void *piece, size_t size);

/* http_spares_sweep frees what nobody has wanted since it was called before. */
void http_spares_sweep(struct http_spares *spares);

#endif
