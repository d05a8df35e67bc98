/* http_linger.h - so that an answer that comes before the end of its request arrives.
 *
 * A socket that is closed with bytes unread sends a reset, and a peer that is still
 * sending may see that instead of our 413 or 429.  So the connection stays open a little
 * longer, on a descriptor of its own, and what comes is dropped: a body of ordinary size
 * as a whole.  Few connections at a time, slowly, and not for long: others are closed as
 * they are.  The door's thread does it. */
#ifndef EDS_TRANSPORT_HTTP_LINGER_H
#define EDS_TRANSPORT_HTTP_LINGER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_LINGER_MAX     16u                /* connections */
#define HTTP_LINGER_MS      2000u              /* each */
#define HTTP_LINGER_SIZE    (3u * 1024 * 1024) /* bytes that are dropped, of each */
#define HTTP_LINGER_TICK_MS 10u
#define HTTP_LINGER_PIECE   32768u /* bytes that are dropped in a tick, of each */

struct http_linger {
    pthread_mutex_t lock;
    atomic_uint count;
    struct {
        int fd;
        uint64_t end_ms; /* monotonic */
        size_t left;     /* bytes */
    } peers[HTTP_LINGER_MAX];
};

void http_linger_init(struct http_linger *linger);

/* http_linger_take keeps the connection behind a descriptor, which stays the caller's,
 * open, if there is room.  Its sending side is or will be shut down by him.  1 if it is
 * the only one now: the door's thread has to be woken. */
unsigned http_linger_take(struct http_linger *linger, int fd, uint64_t now_ms);

/* http_linger_tick drops what has come, and closes what is done with; returns in how many
 * ms it should be called again, at most most_ms. */
unsigned http_linger_tick(struct http_linger *linger, uint64_t now_ms, unsigned most_ms);

/* http_linger_destroy closes all. */
void http_linger_destroy(struct http_linger *linger);

#endif
