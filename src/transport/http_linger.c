/* http_linger.c - see http_linger.h. */
#include "transport/http_linger.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <unistd.h>

void http_linger_init(struct http_linger *linger)
{
    *linger = (struct http_linger){.count = 0};
    pthread_mutex_init(&linger->lock, NULL);
}

unsigned http_linger_take(struct http_linger *linger, int fd, uint64_t now_ms)
{
    unsigned count = 0;
    int own;

    pthread_mutex_lock(&linger->lock);
    count = atomic_load(&linger->count);
    own = count < HTTP_LINGER_MAX ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (own >= 0) {
        linger->peers[count].fd = own;
        linger->peers[count].end_ms = now_ms + HTTP_LINGER_MS;
        linger->peers[count].left = HTTP_LINGER_SIZE;
        atomic_store(&linger->count, ++count);
    } else {
        count = 0;
    }
    pthread_mutex_unlock(&linger->lock);
    return count;
}

/* Drops what has come; false if nothing more will, or enough has. */
static bool drop(struct http_linger *linger, unsigned at, uint64_t now_ms)
{
    char bytes[HTTP_LINGER_PIECE];
    ssize_t got = recvfrom(linger->peers[at].fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_TRUNC,
                           NULL, NULL); /* which copies nothing, over TCP */

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        return false;
    if (got > 0 && (size_t)got >= linger->peers[at].left)
        return false;
    if (got > 0)
        linger->peers[at].left -= (size_t)got;
    return now_ms < linger->peers[at].end_ms;
}

unsigned http_linger_tick(struct http_linger *linger, uint64_t now_ms, unsigned most_ms)
{
    unsigned count = atomic_load(&linger->count);

    if (count == 0)
        return most_ms;
    pthread_mutex_lock(&linger->lock);
    count = atomic_load(&linger->count);
    for (unsigned i = 0; i < count;) {
        if (drop(linger, i, now_ms)) {
            i++;
            continue;
        }
        close(linger->peers[i].fd);
        linger->peers[i] = linger->peers[--count];
    }
    atomic_store(&linger->count, count);
    pthread_mutex_unlock(&linger->lock);
    return HTTP_LINGER_TICK_MS < most_ms ? HTTP_LINGER_TICK_MS : most_ms;
}

void http_linger_destroy(struct http_linger *linger)
{
    for (unsigned i = 0; i < atomic_load(&linger->count); i++)
        close(linger->peers[i].fd);
    pthread_mutex_destroy(&linger->lock);
}
