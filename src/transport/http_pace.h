/* http_pace.h - bodies that come in no faster than their source may send.
 *
 * What is about to be read of a body is taken from its source's rate of bytes first.  A
 * connection for which the bytes are not there yet is suspended until they are, so that
 * TCP holds its peer back: that costs nobody anything, while a body that is refused
 * would have to be read all the same, or come again.  Only a source that has too much
 * waiting already is refused (429), before anything of the body is read.
 *
 * The door's thread is the clock.  A connection may also be held for another reason
 * (http_portion.h): it goes on when no reason is left. */
#ifndef EDS_TRANSPORT_HTTP_PACE_H
#define EDS_TRANSPORT_HTTP_PACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct http_connection;

/* A body up to this size is counted by its source's rate of requests alone: so ordinary
 * records do not stand behind a neighbour's large bodies, nor cost a look at the clock. */
#define HTTP_PACE_FREE 4096u /* bytes */

/* So much of a body of unknown size, or of more than one record, is taken at once. */
#define HTTP_PACE_PIECE (256u * 1024u) /* bytes */

/* A new body waits no longer than this; its peer could not tell us from a dead server. */
#define HTTP_PACE_PATIENCE_MS 5000u

/* Reasons to hold a connection. */
#define HTTP_HELD_BY_PACE  1u
#define HTTP_HELD_BY_BATCH 2u

/* Who waits, by when they go on: a wheel of lists, each for a tick. */
#define HTTP_PACE_TICK_MS    10u
#define HTTP_PACE_TICK_COUNT 1024u /* who waits longer is looked at again after a round */

struct http_pace {
    pthread_mutex_t lock;
    struct http_connection *waiting[HTTP_PACE_TICK_COUNT];
    uint64_t ticked; /* the last tick whose list was gone through */
    atomic_uint waiting_count;
    _Atomic uint64_t wait_count; /* since the start */
    bool is_over;                /* nobody waits any more */
};

void http_pace_init(struct http_pace *pace);
void http_pace_destroy(struct http_pace *pace);

/* http_pace_begin takes what is to be read of a body first, by what its head says.
 * False: its source has too much waiting, and retry_after_s is set.  To be called from
 * the handler, like the next two. */
bool http_pace_begin(struct http_connection *connection, bool is_whole);

/* http_pace_read says that size more bytes have been read. */
void http_pace_read(struct http_connection *connection, uint64_t size);

/* http_pace_hold suspends a connection for a reason, http_pace_release takes the reason
 * back, on any thread, and resumes it if it was the last one: the connection may be gone
 * then. */
void http_pace_hold(struct http_connection *connection, unsigned reason);
void http_pace_release(struct http_connection *connection, unsigned reason);

/* http_pace_forget is for a connection that closes. */
void http_pace_forget(struct http_connection *connection);

/* http_pace_tick lets those go on whose time has come; returns in how many ms it should
 * be called again, at most most_ms. */
unsigned http_pace_tick(struct http_pace *pace, uint64_t now_ms, unsigned most_ms);

/* http_pace_end lets all of them go on, and nobody wait any more. */
void http_pace_end(struct http_pace *pace);

#endif
