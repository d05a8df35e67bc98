/* http_loop.c - see http_loop.h.
 *
 * libmicrohttpd asks its handler for the answer of a whole request again at each run
 * until there is one; that is what this is built on.  The run after that sends it. */
#include "transport/http_loop.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/features.h"
#include "transport/tls_options.h"

/* Of a connection: a head of HTTP_HEAD_SIZE_MAX, and its fields.  Bytes; the library
 * clears them for each request. */
#define HEAD_MEMORY_SIZE (16u * 1024u)

#define CONNECTION_SLACK 64u  /* above connection_max, which the door keeps */
#define RUNS_MAX         4u   /* before what they have brought goes to ingest */
#define WAIT_MS          500u /* at most; nothing depends on it */

/* A connection on its way from the door to its thread. */
struct http_arrival {
    struct http_arrival *next;
    int fd;
    struct sockaddr_storage peer;
    socklen_t peer_size;
};

/* Paths are compared as they came: "%2f" is not "/", and "%00" ends nothing. */
static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

/* Fills options with what only some servers have. */
static int32_t choose_options(const struct eds_http_config *config, unsigned *flags,
                              struct MHD_OptionItem options[TLS_OPTION_COUNT + 1],
                              struct eds_error *err)
{
    unsigned count = 0;
    int32_t rc = EDS_OK;

    (void)flags;
    (void)err;
    if (config->tls != NULL) {
#if EDS_TRANSPORT_TLS
        tls_options(options);
        count = TLS_OPTION_COUNT;
        *flags |= MHD_USE_TLS;
#else
        rc = eds_error_set(err, EDS_ERR_UNSUPPORTED,
                           "TLS server error: this build has no TLS (EDS_TRANSPORT_TLS)");
#endif
    }
    options[count] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
    return rc;
}

static int32_t start_daemon(struct http_loop *loop, struct eds_error *err)
{
    const struct eds_http_config *config = &loop->server->config;
    struct MHD_OptionItem options[TLS_OPTION_COUNT + 1];
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_NO_LISTEN_SOCKET;
    int32_t rc = choose_options(config, &flags, options, err);

    if (rc != EDS_OK)
        return rc;
    /* Its own strictness is off: it sends the head of its answer to a missing Host
     * twice (0.9.75), and http_filter.h has looked at more. */
    loop->daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, http_handle, loop->server, MHD_OPTION_ARRAY, options,
        MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_NOTIFY_COMPLETED, http_completed, loop->server,
        MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify, loop, MHD_OPTION_UNESCAPE_CALLBACK,
        keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT, config->connection_max + CONNECTION_SLACK,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HEAD_MEMORY_SIZE, MHD_OPTION_END);
    if (loop->daemon == NULL)
        return eds_error_set(err, EDS_ERR_IO, "%s",
                             config->tls != NULL ? "TLS server error: cannot start the HTTPS daemon"
                                                 : "server error: cannot start the HTTP daemon");
    loop->poll_fd = MHD_get_daemon_info(loop->daemon, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    return EDS_OK;
}

static void wake(struct http_loop *loop)
{
    uint64_t one = 1;

    if (!atomic_exchange(&loop->is_called, true))
        (void)!write(loop->wake_fd, &one, sizeof one); /* an eventfd takes it */
}

void http_loop_resume(struct http_connection *connection)
{
    struct http_loop *loop = connection->loop; /* afterwards the connection may be gone */

    MHD_resume_connection(connection->mhd);
    wake(loop); /* which the library does for threads of its own only */
}

/* Waits until there is something to do: somebody calls us, or something has come.
 *
 * The library wants to ask at once and again for an answer that is not there yet.  It
 * need not, as long as whatever else it does is followed by another run. */
static void await_work(struct http_loop *loop)
{
    struct pollfd fds[2] = {{.fd = loop->wake_fd, .events = POLLIN},
                            {.fd = loop->poll_fd, .events = POLLIN}};
    struct timespec most = {.tv_nsec = WAIT_MS * 1000000u};
    MHD_UNSIGNED_LONG_LONG wanted_ms;
    uint64_t calls;

    if (loop->is_active)
        return;
    if (atomic_load(&loop->undecided_count) == 0 &&
        MHD_get_timeout(loop->daemon, &wanted_ms) == MHD_YES && wanted_ms < WAIT_MS)
        most.tv_nsec = (long)wanted_ms * 1000000;
    (void)ppoll(fds, 2, &most, NULL);
    if ((fds[0].revents & POLLIN) != 0)
        (void)!read(loop->wake_fd, &calls, sizeof calls); /* back to 0, whatever it was */
}

static struct http_arrival *take_arrivals(struct http_loop *loop)
{
    struct http_arrival *first;

    pthread_mutex_lock(&loop->arrivals_mutex);
    first = loop->arrivals;
    loop->arrivals = NULL;
    pthread_mutex_unlock(&loop->arrivals_mutex);
    return first;
}

static void let_in(struct http_loop *loop)
{
    struct http_arrival *next;

    for (struct http_arrival *at = take_arrivals(loop); at != NULL; at = next) {
        next = at->next;
        /* If it fails, it has closed the descriptor. */
        (void)MHD_add_connection(loop->daemon, at->fd, (struct sockaddr *)&at->peer, at->peer_size);
        free(at);
    }
}

bool http_loop_has_room(const struct http_loop *loop)
{
    return loop->gathered_count < HTTP_GATHERED_MAX;
}

void http_loop_gather(struct http_loop *loop, struct http_connection *connection)
{
    assert(http_loop_has_room(loop));
    connection->state = HTTP_GATHERED;
    loop->gathered[loop->gathered_count++] = connection;
}

void http_loop_forget(struct http_loop *loop, const struct http_connection *connection)
{
    for (size_t i = 0; i < loop->gathered_count; i++)
        if (loop->gathered[i] == connection)
            loop->gathered[i] = loop->gathered[--loop->gathered_count];
}

/* Called by ingest, on its thread or on ours. */
static void decided(struct eds_submission *submission)
{
    struct http_connection *connection = submission->context;
    struct http_loop *loop = connection->loop;
    struct eds_http_server *server = loop->server;

    atomic_store(&connection->is_decided, true); /* from here on its loop may answer, */
    http_connection_let_go(connection);          /* and it may be gone */
    atomic_fetch_sub(&loop->undecided_count, 1);
    wake(loop);
    atomic_fetch_sub(&server->submission_count, 1); /* the server, too */
}

/* Decides a lone record here: waking the committer, and being waken, would take as long
 * as the commit's work. */
static bool decide_alone(struct http_loop *loop)
{
    struct eds_http_server *server = loop->server;
    struct http_connection *connection = loop->gathered[0];

    if (loop->gathered_count != 1 || atomic_load(&server->request_count) != 1 ||
        !eds_ingest_submit_here(server->config.ingest, &connection->submission))
        return false;
    connection->state = HTTP_DECIDING;
    atomic_store(&connection->is_decided, true);
    atomic_fetch_sub(&server->submission_count, 1);
    loop->gathered_count = 0;
    loop->is_active = true; /* there is an answer to be sent */
    return true;
}

/* Hands what has been gathered to ingest. */
static void submit(struct http_loop *loop)
{
    struct eds_submission *submissions[HTTP_GATHERED_MAX];
    size_t count = loop->gathered_count;

    if (count == 0 || decide_alone(loop))
        return;
    for (size_t i = 0; i < count; i++) {
        struct http_connection *connection = loop->gathered[i];

        connection->state = HTTP_DECIDING;
        connection->submission.done = decided;
        connection->submission.context = connection;
        atomic_fetch_add(&connection->holder_count, 1);
        submissions[i] = &connection->submission;
    }
    loop->gathered_count = 0;
    atomic_fetch_add(&loop->undecided_count, (unsigned)count);
    eds_ingest_submit_all(loop->server->config.ingest, submissions, count);
}

/* Reads and sends what can be, for some rounds: what many peers have sent one after the
 * other goes to ingest at once. */
static void run(struct http_loop *loop)
{
    for (unsigned i = 0; i < RUNS_MAX; i++) {
        loop->is_active = false;
        MHD_run(loop->daemon);
        if (!loop->is_active || !http_loop_has_room(loop))
            return;
    }
}

static void *run_loop(void *context)
{
    struct http_loop *loop = context;

    while (!atomic_load(&loop->ended)) {
        await_work(loop);
        atomic_store(&loop->is_called, false); /* who calls from here on wakes us again */
        let_in(loop);
        run(loop);
        submit(loop);
    }
    return NULL;
}

static int32_t start(struct http_loop *loop, struct eds_error *err)
{
    int32_t rc = start_daemon(loop, err);

    if (rc != EDS_OK)
        return rc;
    loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    loop->has_thread =
        loop->wake_fd >= 0 && pthread_create(&loop->thread, NULL, run_loop, loop) == 0;
    return loop->has_thread ? EDS_OK
                            : eds_error_set(err, EDS_ERR_IO, "%sserver error: no thread to be had",
                                            loop->server->config.tls != NULL ? "TLS " : "");
}

int32_t http_loops_start(struct eds_http_server *server, struct eds_error *err)
{
    unsigned count = server->config.thread_count;
    int32_t rc = EDS_OK;

    server->loops = calloc(count, sizeof *server->loops);
    if (server->loops == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP server");
    for (unsigned i = 0; i < count && rc == EDS_OK; i++) {
        struct http_loop *loop = &server->loops[i];

        loop->server = server;
        loop->wake_fd = -1;
        pthread_mutex_init(&loop->arrivals_mutex, NULL);
        server->loop_count = i + 1;
        rc = start(loop, err);
    }
    return rc;
}

static void stop(struct http_loop *loop)
{
    struct http_arrival *next;

    atomic_store(&loop->ended, true);
    if (loop->has_thread) {
        wake(loop);
        pthread_join(loop->thread, NULL);
    }
    for (struct http_arrival *at = take_arrivals(loop); at != NULL; at = next) {
        next = at->next;
        close(at->fd);
        free(at);
    }
    if (loop->daemon != NULL)
        MHD_stop_daemon(loop->daemon);
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    pthread_mutex_destroy(&loop->arrivals_mutex);
}

void http_loops_stop(struct eds_http_server *server)
{
    for (unsigned i = 0; i < server->loop_count; i++)
        stop(&server->loops[i]);
    free(server->loops);
    server->loops = NULL;
    server->loop_count = 0;
}

bool http_loops_add(struct eds_http_server *server, int fd, const struct sockaddr *peer,
                    socklen_t peer_size)
{
    struct http_loop *loop = &server->loops[server->next_loop++ % server->loop_count];
    struct http_arrival *arrival = malloc(sizeof *arrival);

    if (arrival == NULL) {
        close(fd);
        return false;
    }
    arrival->fd = fd;
    arrival->peer_size = peer_size;
    memcpy(&arrival->peer, peer, peer_size);
    pthread_mutex_lock(&loop->arrivals_mutex);
    arrival->next = loop->arrivals;
    loop->arrivals = arrival;
    pthread_mutex_unlock(&loop->arrivals_mutex);
    wake(loop);
    return true;
}
