/* http_spares.c - see http_spares.h. */
#include "transport/http_spares.h"

#include <stdlib.h>

void http_spares_init(struct http_spares *spares, size_t piece_size)
{
    *spares = (struct http_spares){.piece_size = piece_size};
    pthread_mutex_init(&spares->lock, NULL);
}

void http_spares_destroy(struct http_spares *spares)
{
    for (size_t i = 0; i < spares->count; i++)
        free(spares->pieces[i]);
    pthread_mutex_destroy(&spares->lock);
}

void *http_spares_take(struct http_spares *spares, size_t size)
{
    void *piece = NULL;

    if (size == spares->piece_size) {
        pthread_mutex_lock(&spares->lock);
        if (spares->count > 0)
            piece = spares->pieces[--spares->count];
        if (spares->count < spares->least_count)
            spares->least_count = spares->count;
        pthread_mutex_unlock(&spares->lock);
    }
    return piece != NULL ? piece : malloc(size);
}

void http_spares_give_back(struct http_spares *spares, void *piece, size_t size)
{
    if (piece != NULL && size == spares->piece_size) {
        pthread_mutex_lock(&spares->lock);
        if (spares->count < HTTP_SPARES_MAX) {
            spares->pieces[spares->count++] = piece;
            piece = NULL;
        }
        pthread_mutex_unlock(&spares->lock);
    }
    free(piece);
}

void http_spares_sweep(struct http_spares *spares)
{
    void *unwanted[HTTP_SPARES_MAX];
    size_t count = 0;

    pthread_mutex_lock(&spares->lock);
    for (; count < spares->least_count; count++)
        unwanted[count] = spares->pieces[--spares->count];
    spares->least_count = spares->count;
    pthread_mutex_unlock(&spares->lock);
    while (count > 0)
        free(unwanted[--count]);
}
