/* http_connection.c - a connection's state, its time limits, its body. */
#include "transport/http_loop.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "base/log.h"

#define BODY_ROOM_FIRST 4096u /* bytes */

uint64_t http_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* What of a body's room counts in its source's share: as little as is kept anyway costs
 * nothing, so that ordinary records never stand behind a neighbour who hoards. */
static size_t shared_size(size_t room)
{
    return room > HTTP_BODY_KEPT_MAX ? room : 0;
}

static void list_add(struct eds_http_server *server, struct http_connection *connection)
{
    pthread_mutex_lock(&server->connections_mutex);
    connection->next = server->connections;
    if (connection->next != NULL)
        connection->next->previous = connection;
    server->connections = connection;
    pthread_mutex_unlock(&server->connections_mutex);
}

static void list_remove(struct eds_http_server *server, struct http_connection *connection)
{
    pthread_mutex_lock(&server->connections_mutex);
    if (connection->next != NULL)
        connection->next->previous = connection->previous;
    if (connection->previous != NULL)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    pthread_mutex_unlock(&server->connections_mutex);
}

static bool is_allowed(struct eds_http_server *server, const struct eds_address *address)
{
    return http_check_source(server, address, NULL) == EDS_OK;
}

/* Counts a source that is not allowed, and says whether it may stay for its answer: over
 * TLS there is none. */
static bool deny(struct http_connection *connection)
{
    struct eds_http_server *server = connection->server;
    uint64_t suppressed;

    connection->denied = true;
    if (atomic_fetch_add(&server->denied_count, 1) < HTTP_DENIED_MAX && server->config.tls == NULL)
        return true;
    if (eds_log_throttle_pass(&server->verdict_log.rejected, http_now_ms(), &suppressed))
        EDS_LOG(EDS_LOG_WARN, "connection_refused", EDS_LOG_STRING("source", connection->source),
                EDS_LOG_NUMBER("suppressed", suppressed));
    return false;
}

/* The header of a trusted proxy has come, before anything else. */
static bool take_source(void *context, const struct eds_address *source)
{
    struct http_connection *connection = context;

    connection->address = *source;
    eds_address_text(connection->source, source);
    return is_allowed(connection->server, source) || http_is_proxy(connection->server, source) ||
           deny(connection);
}

static struct http_connection *open_connection(struct http_loop *loop, struct MHD_Connection *mhd)
{
    struct eds_http_server *server = loop->server;
    struct http_connection *connection = calloc(1, sizeof *connection);
    const union MHD_ConnectionInfo *peer =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const union MHD_ConnectionInfo *fd =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD);

    if (connection == NULL)
        return NULL;
    connection->server = server;
    connection->loop = loop;
    atomic_store(&connection->holder_count, 1);
    connection->mhd = mhd;
    if (server->config.tls != NULL) {
        connection->tls_peer = tls_peer_create(server->config.tls);
        if (connection->tls_peer == NULL) {
            free(connection);
            return NULL;
        }
    }
    connection->fd = fd->connect_fd;
    connection->denied = !eds_socket_address_peer(&connection->address, peer->client_addr);
    connection->wire = (struct http_wire){.fd = connection->fd,
                                          .is_tls = server->config.tls != NULL,
                                          .take_source = take_source,
                                          .context = connection};
    if (!connection->denied) {
        connection->wire.awaits_header = http_is_proxy(server, &connection->address);
        connection->denied =
            !connection->wire.awaits_header && !is_allowed(server, &connection->address);
    }
    if (!http_wire_attach(&connection->wire)) {
        tls_peer_destroy(connection->tls_peer);
        free(connection);
        return NULL;
    }
    eds_address_text(connection->source, &connection->address);
    http_connection_rest(connection);
    if (connection->denied)
        atomic_fetch_add(&server->denied_count, 1);
    list_add(server, connection);
    return connection;
}

void http_connection_let_go(struct http_connection *connection)
{
    if (atomic_fetch_sub(&connection->holder_count, 1) > 1)
        return;
    atomic_fetch_sub(&connection->server->body_memory, connection->body_room);
    eds_shares_give_back(connection->share, shared_size(connection->body_room));
    http_spares_give_back(&connection->server->texts, connection->body, connection->body_room);
    tls_peer_destroy(connection->tls_peer);
    free(connection);
}

static void close_connection(struct http_connection *connection)
{
    struct eds_http_server *server = connection->server;

    list_remove(server, connection); /* before the descriptor is closed */
    http_pace_forget(connection);
    if (connection->must_linger && !connection->denied &&
        http_linger_take(&server->linger, connection->fd, http_now_ms()) == 1)
        http_door_wake(server);
    http_wire_detach(&connection->wire);
    if (connection->denied)
        atomic_fetch_sub(&server->denied_count, 1);
    http_connection_let_go(connection);
}

void http_connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code)
{
    struct http_loop *loop = context;
    struct eds_http_server *server = loop->server;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        atomic_fetch_add(&server->connection_count, 1);
        *socket_context = open_connection(loop, mhd); /* NULL: http_handle closes it */
        atomic_fetch_add(&server->started_count, 1);
    } else {
        atomic_fetch_sub(&server->connection_count, 1);
        if (*socket_context != NULL)
            close_connection(*socket_context);
        *socket_context = NULL;
    }
}

void http_connection_rest(struct http_connection *connection)
{
    uint64_t seconds = connection->server->config.idle_timeout_s;

    if (connection->denied && seconds > HTTP_DENIED_TIMEOUT_S)
        seconds = HTTP_DENIED_TIMEOUT_S;
    atomic_store(&connection->deadline_ms, http_now_ms() + seconds * 1000);
}

/* Says whether the peer has closed its side and all it sent has been read. */
static bool has_hung_up(const struct http_connection *connection)
{
    struct pollfd fd = {.fd = connection->fd, .events = POLLRDHUP};
    int unread = 0;

    return poll(&fd, 1, 0) == 1 && ioctl(connection->fd, FIONREAD, &unread) == 0 && unread == 0;
}

/* libmicrohttpd does not see the end of a connection that came together with
 * its last bytes, if they were not a whole request (0.9.75, with epoll).  It
 * would stay until its deadline, and so would the memory of its body. */
static bool is_dead(struct http_connection *connection, uint64_t now_ms)
{
    if (!has_hung_up(connection)) {
        connection->hung_up_ms = 0;
        return false;
    }
    if (connection->hung_up_ms == 0)
        connection->hung_up_ms = now_ms;
    return now_ms - connection->hung_up_ms >= HTTP_HUNG_UP_MS; /* its thread had time to answer */
}

void http_connection_sweep(struct eds_http_server *server)
{
    uint64_t now_ms = http_now_ms();

    pthread_mutex_lock(&server->connections_mutex);
    for (struct http_connection *at = server->connections; at != NULL; at = at->next) {
        uint64_t deadline_ms = atomic_load(&at->deadline_ms);

        if (deadline_ms != 0 && (now_ms >= deadline_ms || is_dead(at, now_ms)))
            shutdown(at->fd, SHUT_RDWR);
    }
    pthread_mutex_unlock(&server->connections_mutex);
}

/* Takes size more bytes from the budget of all bodies. */
bool http_memory_reserve(struct eds_http_server *server, size_t size)
{
    size_t before = atomic_fetch_add(&server->body_memory, size);

    if (before + size <= server->config.body_memory_max)
        return true;
    atomic_fetch_sub(&server->body_memory, size);
    return false;
}

/* Takes what is missing to so much room from the memory of all, and of its source. */
static bool reserve(struct http_connection *connection, size_t room)
{
    struct eds_http_server *server = connection->server;
    size_t more = shared_size(room) - shared_size(connection->body_room);

    if (shared_size(connection->body_room) == 0 && more > 0)
        connection->share = eds_shares_of(&server->shares, connection->source);
    if (more > 0 && !eds_shares_reserve(&server->shares, connection->share, more))
        return false;
    if (http_memory_reserve(server, room - connection->body_room))
        return true;
    eds_shares_give_back(connection->share, more);
    return false;
}

/* How much room the body gets that needs so much. */
static size_t room_for(const struct http_connection *connection, size_t needed)
{
    size_t room = connection->body_room > 0 ? connection->body_room : BODY_ROOM_FIRST;

    while (room < needed)
        room *= 2;
    if (connection->body_announced >= needed && connection->body_announced < room)
        room = (size_t)connection->body_announced; /* the last step need not double */
    /* A batch that has filled one buffer, or half of it, will need the whole. */
    if (connection->batch != NULL && needed <= HTTP_BATCH_ROOM &&
        (needed > HTTP_BATCH_ROOM / 2 || connection->handed_over > 0))
        room = HTTP_BATCH_ROOM;
    return room;
}

/* As realloc, with what other batches have left. */
static char *move_body(struct http_connection *connection, size_t room)
{
    struct http_spares *texts = &connection->server->texts;
    char *body;

    if (room != HTTP_BATCH_ROOM && connection->body_room != HTTP_BATCH_ROOM)
        return realloc(connection->body, room);
    body = http_spares_take(texts, room);
    if (body == NULL)
        return NULL;
    if (connection->body_size > 0)
        memcpy(body, connection->body, connection->body_size);
    http_spares_give_back(texts, connection->body, connection->body_room);
    return body;
}

static int32_t grow(struct http_connection *connection, size_t needed)
{
    size_t room = room_for(connection, needed);
    char *body;

    if (!reserve(connection, room))
        return EDS_ERR_BUSY;
    body = move_body(connection, room);
    if (body == NULL) {
        atomic_fetch_sub(&connection->server->body_memory, room - connection->body_room);
        eds_shares_give_back(connection->share,
                             shared_size(room) - shared_size(connection->body_room));
        return EDS_ERR_NO_MEMORY;
    }
    connection->body = body;
    connection->body_room = room;
    return EDS_OK;
}

/* While bytes come, the connection may stay: idle_timeout_s after the last
 * ones, but not below HTTP_BODY_RATE_MIN over all. */
static void extend_deadline(struct http_connection *connection)
{
    uint64_t grace_ms = (uint64_t)connection->server->config.idle_timeout_s * 1000;
    uint64_t received = connection->body_size + connection->discarded + connection->handed_over;
    uint64_t begun_ms = atomic_load(&connection->begun_ms);
    uint64_t by_rate_ms = begun_ms + grace_ms + received * 1000 / HTTP_BODY_RATE_MIN;
    uint64_t by_silence_ms = http_now_ms() + grace_ms;

    if (atomic_load(&connection->held_by) != 0)
        return; /* bytes that the library had already: it waits for us, not we for it */
    atomic_store(&connection->deadline_ms, by_rate_ms < by_silence_ms ? by_rate_ms : by_silence_ms);
}

int32_t http_body_append(struct http_connection *connection, const char *bytes, size_t size)
{
    int32_t rc = EDS_OK;

    if (size > connection->server->config.body_size_max - connection->body_size)
        return EDS_ERR_TOO_LARGE;
    if (size > connection->body_room - connection->body_size)
        rc = grow(connection, connection->body_size + size);
    if (rc != EDS_OK)
        return rc;
    memcpy(connection->body + connection->body_size, bytes, size);
    connection->body_size += size;
    extend_deadline(connection);
    return EDS_OK;
}

void http_body_passed(struct http_connection *connection, size_t size)
{
    connection->handed_over += size;
    extend_deadline(connection);
}

int32_t http_body_hand_over(struct http_connection *connection, size_t used, char **text,
                            size_t *room)
{
    size_t left = connection->body_size - used;
    int32_t rc = EDS_OK;

    connection->handed_over += used;
    *text = connection->body;
    *room = connection->body_room;
    eds_shares_give_back(connection->share, shared_size(connection->body_room));
    connection->body = NULL;
    connection->body_room = connection->body_size = 0;
    if (left > 0)
        rc = grow(connection, left);
    if (rc != EDS_OK)
        return rc;
    if (left > 0)
        memcpy(connection->body, *text + used, left);
    connection->body_size = left;
    return EDS_OK;
}

bool http_body_discard(struct http_connection *connection, size_t size)
{
    /* A body of known size ends by itself; one in chunks needs an end. */
    connection->discarded += size;
    extend_deadline(connection);
    return connection->body_announced > 0 ||
           connection->discarded <= connection->server->config.body_size_max;
}

void http_body_clear(struct http_connection *connection)
{
    connection->body_size = 0;
    if (connection->body_room <= HTTP_BODY_KEPT_MAX)
        return;
    http_spares_give_back(&connection->server->texts, connection->body, connection->body_room);
    connection->body = NULL;
    atomic_fetch_sub(&connection->server->body_memory, connection->body_room);
    eds_shares_give_back(connection->share, shared_size(connection->body_room));
    connection->body_room = 0;
}
