/* http_door.c - the listening socket and the thread that takes connections in.
 *
 * libmicrohttpd could listen by itself.  It does not here, because then the
 * network policy would be asked too late for a limit on strangers, stopping
 * (MHD_quiesce_daemon) would race with a full server and abort, and a lack of
 * file descriptors could not be waited out.  Twice a second the same thread
 * looks for connections that have had their time; it is the clock of those that
 * wait for their source's rate, and sees off those that were refused early. */
#include "transport/http_loop.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"

#define BACKLOG         1024
#define ACCEPT_BURST    16u /* connections taken before the limits are looked at again */
#define STARTING_MS     20u /* at most, for their threads to count them */
#define PAUSE_MS        50u /* when there is no room for one more */
#define SWEEP_PERIOD_MS 500u

static int32_t os_error(struct eds_error *err)
{
    int error = errno;

    return eds_error_set(err, EDS_ERR_IO, "%s (os error %d)", strerror(error), error);
}

/* The original's words for what stops a server from starting. */
static int32_t fail(const struct eds_http_server *server, const char *reason, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_IO, "%sserver error: %s",
                         server->config.tls != NULL ? "TLS " : "", reason);
}

int32_t eds_http_listen(int *fd, const char *text, struct eds_error *err)
{
    struct eds_socket_address address;
    int32_t rc = eds_socket_address_parse(&address, text, err);
    int on = 1, off = 0, family = address.storage.ss_family;
    int made;

    if (rc != EDS_OK)
        return rc;
    made = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    /* [::] takes IPv4 as well, whatever the system's default. */
    if (made < 0 || setsockopt(made, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (family == AF_INET6 &&
         setsockopt(made, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) != 0) ||
        bind(made, (struct sockaddr *)&address.storage, address.size) != 0 ||
        listen(made, BACKLOG) != 0) {
        rc = os_error(err);
        if (made >= 0)
            close(made);
        return rc;
    }
    *fd = made;
    return EDS_OK;
}

int32_t http_door_bind(struct eds_http_server *server, struct eds_error *err)
{
    struct eds_error why;
    int32_t rc = EDS_OK;

    if (server->config.listen_fd > 0)
        server->listen_fd = server->config.listen_fd;
    else
        rc = eds_http_listen(&server->listen_fd, server->config.address, &why);
    if (rc == EDS_ERR_USAGE)
        return eds_error_set(err, rc, "%s", why.text);
    if (rc == EDS_OK) {
        server->address.size = sizeof server->address.storage;
        server->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (server->wake_fd < 0 ||
            getsockname(server->listen_fd, (struct sockaddr *)&server->address.storage,
                        &server->address.size) != 0)
            rc = os_error(&why);
    }
    return rc == EDS_OK ? EDS_OK : fail(server, why.text, err);
}

/* Says whether a peer may come in at all.  A stranger over TLS is dropped
 * before the handshake; over plain HTTP he is told why, if there are not too
 * many of his kind already. */
static bool is_welcome(struct eds_http_server *server, const struct sockaddr *peer)
{
    struct eds_address address;
    char text[EDS_ADDRESS_TEXT_SIZE];
    uint64_t suppressed;

    if (eds_socket_address_peer(&address, peer) &&
        (http_is_proxy(server, &address) || http_check_source(server, &address, NULL) == EDS_OK))
        return true;
    if (server->config.tls == NULL && atomic_load(&server->denied_count) < HTTP_DENIED_MAX)
        return true;
    eds_address_text(text, &address);
    if (eds_log_throttle_pass(&server->verdict_log.rejected, http_now_ms(), &suppressed))
        EDS_LOG(EDS_LOG_WARN, "connection_refused", EDS_LOG_STRING("source", text),
                EDS_LOG_NUMBER("suppressed", suppressed));
    return false;
}

/* Waits until the loops have counted as many connections as were handed to them, so
 * that limits hold; not for ever, for one that could not be started is never counted. */
static void await_started(const struct eds_http_server *server, unsigned target)
{
    struct timespec moment = {.tv_nsec = 100000};
    uint64_t give_up_ms = http_now_ms() + STARTING_MS;

    while ((int)(target - atomic_load(&server->started_count)) > 0 && http_now_ms() < give_up_ms)
        nanosleep(&moment, NULL);
}

/* Takes waiting connections in.  False if the system has no room for more. */
static bool accept_some(struct eds_http_server *server)
{
    struct sockaddr_storage peer;
    socklen_t peer_size;
    unsigned target = atomic_load(&server->started_count);
    int fd;

    for (unsigned i = 0; i < ACCEPT_BURST; i++) {
        peer_size = sizeof peer;
        fd = accept4(server->listen_fd, (struct sockaddr *)&peer, &peer_size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
            return false;
        if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            break;
        if (fd < 0) /* that one broke before we took it; the next may be well */
            continue;
        if (!is_welcome(server, (struct sockaddr *)&peer))
            close(fd);
        else if (http_loops_add(server, fd, (struct sockaddr *)&peer, peer_size))
            target++;
    }
    await_started(server, target);
    return true;
}

static void *run_door(void *context)
{
    struct eds_http_server *server = context;
    struct pollfd fds[2] = {{.fd = server->wake_fd, .events = POLLIN},
                            {.fd = server->listen_fd, .events = POLLIN}};
    uint64_t swept_ms = http_now_ms(), suppressed, woken;
    bool has_room = true;

    while (!atomic_load(&server->closing)) {
        bool is_open =
            has_room && atomic_load(&server->connection_count) < server->config.connection_max;
        unsigned pause_ms =
            http_pace_tick(&server->pace, http_now_ms(), is_open ? SWEEP_PERIOD_MS : PAUSE_MS);

        pause_ms = http_linger_tick(&server->linger, http_now_ms(), pause_ms);

        /* Who comes to a full server waits in the backlog. */
        poll(fds, is_open ? 2 : 1, (int)pause_ms);
        if ((fds[0].revents & POLLIN) != 0)
            (void)!read(server->wake_fd, &woken, sizeof woken);
        has_room = true;
        if (is_open && (fds[1].revents & POLLIN) != 0)
            has_room = accept_some(server);
        if (!has_room &&
            eds_log_throttle_pass(&server->verdict_log.deferred, http_now_ms(), &suppressed))
            EDS_LOG(EDS_LOG_ERROR, "accept_failed", EDS_LOG_STRING("reason", strerror(errno)),
                    EDS_LOG_NUMBER("suppressed", suppressed));
        if (http_now_ms() - swept_ms >= SWEEP_PERIOD_MS) {
            http_connection_sweep(server);
            http_spares_sweep(&server->texts);
            http_spares_sweep(&server->blocks);
            swept_ms = http_now_ms();
        }
    }
    return NULL;
}

int32_t http_door_start(struct eds_http_server *server, struct eds_error *err)
{
    if (pthread_create(&server->door, NULL, run_door, server) != 0)
        return fail(server, "no thread to be had", err);
    server->has_door = true;
    return EDS_OK;
}

void http_door_wake(struct eds_http_server *server)
{
    uint64_t one = 1;

    (void)!write(server->wake_fd, &one, sizeof one); /* an eventfd takes it */
}

void http_door_stop(struct eds_http_server *server)
{
    atomic_store(&server->closing, true);
    if (server->has_door) {
        http_door_wake(server);
        pthread_join(server->door, NULL);
        server->has_door = false;
    }
    if (server->listen_fd >= 0)
        close(server->listen_fd);
    server->listen_fd = -1;
}
