/* http_loop.h - a thread that serves connections.
 *
 * Each has a libmicrohttpd of its own that runs in it (MHD_run): it reads what has come
 * of all its connections, then hands the whole records among that to ingest at once,
 * and sends the answers of a commit together.  Such a connection is not suspended
 * meanwhile: suspending and resuming one by one cost as much as everything else. */
#ifndef EDS_TRANSPORT_HTTP_LOOP_H
#define EDS_TRANSPORT_HTTP_LOOP_H

#include "transport/http_connection.h"

#define HTTP_GATHERED_MAX 256u /* records that are handed over at once; more come next */

struct http_arrival;

struct http_loop {
    struct eds_http_server *server;
    struct MHD_Daemon *daemon;
    int poll_fd; /* the daemon's */
    int wake_fd;
    atomic_bool is_called; /* by wake_fd, and not yet awake */
    pthread_t thread;
    bool has_thread;
    atomic_bool ended;
    atomic_uint undecided_count; /* records that ingest has */

    pthread_mutex_t arrivals_mutex;
    struct http_arrival *arrivals; /* connections that the door has let in */

    /* The thread's own. */
    bool is_active;                                      /* the last run has done something */
    struct http_connection *gathered[HTTP_GATHERED_MAX]; /* in that state */
    size_t gathered_count;
};

/* http_loops_start starts config.thread_count of them.  EDS_ERR_IO, EDS_ERR_NO_MEMORY,
 * EDS_ERR_UNSUPPORTED (TLS in a build without). */
int32_t http_loops_start(struct eds_http_server *server, struct eds_error *err);

/* http_loops_stop ends the threads and closes every connection; nothing may be with
 * ingest any more. */
void http_loops_stop(struct eds_http_server *server);

/* http_loops_add gives a new connection to one of the threads, which owns fd from here
 * on; false, and fd closed, without memory.  The door's thread. */
bool http_loops_add(struct eds_http_server *server, int fd, const struct sockaddr *peer,
                    socklen_t peer_size);

/* http_loop_gather puts a connection whose submission is filled in among those that are
 * handed to ingest next, if http_loop_has_room; http_loop_forget takes it out again.
 * The library asks for the answer until is_decided. */
bool http_loop_has_room(const struct http_loop *loop);
void http_loop_gather(struct http_loop *loop, struct http_connection *connection);
void http_loop_forget(struct http_loop *loop, const struct http_connection *connection);

/* http_loop_resume resumes a suspended connection, which may be gone then; any thread. */
void http_loop_resume(struct http_connection *connection);

#endif
