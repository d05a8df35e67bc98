/* http_pace.c - see http_pace.h. */
#include "transport/http_pace.h"

#include "transport/http_loop.h"

void http_pace_init(struct http_pace *pace)
{
    *pace = (struct http_pace){.is_over = false};
    pthread_mutex_init(&pace->lock, NULL);
}

void http_pace_destroy(struct http_pace *pace)
{
    pthread_mutex_destroy(&pace->lock);
}

/* Both with the lock. */
static void list_add(struct http_pace *pace, struct http_connection *connection)
{
    uint64_t tick = connection->go_on_ms / HTTP_PACE_TICK_MS + 1; /* not before its time */
    struct http_connection **list;

    if (tick <= pace->ticked)
        tick = pace->ticked + 1;
    if (tick >= pace->ticked + HTTP_PACE_TICK_COUNT)
        tick = pace->ticked + HTTP_PACE_TICK_COUNT - 1;
    list = &pace->waiting[tick % HTTP_PACE_TICK_COUNT];
    connection->pace_list = list;
    connection->pace_previous = NULL;
    connection->pace_next = *list;
    if (*list != NULL)
        (*list)->pace_previous = connection;
    *list = connection;
}

static void list_remove(struct http_connection *connection)
{
    if (connection->pace_next != NULL)
        connection->pace_next->pace_previous = connection->pace_previous;
    if (connection->pace_previous != NULL)
        connection->pace_previous->pace_next = connection->pace_next;
    else
        *connection->pace_list = connection->pace_next;
    connection->pace_list = NULL;
}

/* The rest of these are called with the lock as well. */
static void hold(struct http_connection *connection, unsigned reason)
{
    if (connection->held_by == 0) {
        connection->held_ms = http_now_ms();
        atomic_store(&connection->deadline_ms, 0); /* now it waits for us */
        MHD_suspend_connection(connection->mhd);
    }
    connection->held_by |= reason;
}

static void release(struct http_connection *connection, unsigned reason)
{
    if ((connection->held_by & reason) == 0)
        return;
    connection->held_by &= ~reason;
    if (connection->held_by != 0)
        return;
    atomic_fetch_add(&connection->begun_ms,
                     http_now_ms() - connection->held_ms); /* not its fault */
    http_connection_rest(connection);
    http_loop_resume(connection);
}

/* Holds it until then; wakes the door's thread if nobody's time was running so far.
 * False if nobody waits any more. */
static bool wait_until(struct http_connection *connection, uint64_t go_on_ms)
{
    struct eds_http_server *server = connection->server;
    struct http_pace *pace = &server->pace;
    uint64_t now_ms = http_now_ms();
    bool may_wait;

    pthread_mutex_lock(&pace->lock);
    may_wait = !pace->is_over;
    if (may_wait) {
        bool is_first = atomic_load(&pace->waiting_count) == 0;

        if (is_first)
            pace->ticked = now_ms / HTTP_PACE_TICK_MS;
        if (connection->pace_list != NULL)
            list_remove(connection);
        else
            atomic_fetch_add(&pace->waiting_count, 1);
        atomic_fetch_add(&pace->wait_count, 1);
        connection->go_on_ms = go_on_ms;
        list_add(pace, connection);
        hold(connection, HTTP_HELD_BY_PACE);
        if (is_first)
            http_door_wake(server);
    }
    pthread_mutex_unlock(&pace->lock);
    return may_wait;
}

/* Takes more of the source's bytes; false if that would take too long. */
static bool take(struct http_connection *connection, uint64_t size, unsigned patience_ms,
                 bool *is_held)
{
    unsigned wait_ms = 0;

    *is_held = false;
    if (!eds_ingest_admit_bytes(connection->server->config.ingest, connection->source, size,
                                patience_ms, &wait_ms, &connection->retry_after_s))
        return false;
    connection->pace_credit += size;
    if (wait_ms > 0)
        *is_held = wait_until(connection, http_now_ms() + wait_ms);
    return true;
}

bool http_pace_begin(struct http_connection *connection, bool is_whole)
{
    uint64_t size = connection->body_announced;

    connection->pace_credit = HTTP_PACE_FREE;
    connection->pace_left = 0;
    connection->awaits_body = false;
    if (size <= HTTP_PACE_FREE)
        return true;
    connection->pace_credit = 0;
    if (!is_whole && size > HTTP_PACE_PIECE)
        size = HTTP_PACE_PIECE;
    connection->pace_left = connection->body_announced - size;
    return take(connection, size, HTTP_PACE_PATIENCE_MS, &connection->awaits_body);
}

void http_pace_read(struct http_connection *connection, uint64_t size)
{
    uint64_t missing, piece = HTTP_PACE_PIECE;
    bool is_held;

    if (size > connection->pace_credit) {
        missing = size - connection->pace_credit;
        if (connection->pace_left > 0 && connection->pace_left < piece)
            piece = connection->pace_left;
        if (piece < missing)
            piece = missing;
        connection->pace_left -= piece < connection->pace_left ? piece : connection->pace_left;
        /* What has been read is taken in any case, however long that is. */
        (void)take(connection, piece, UINT32_MAX, &is_held);
    }
    connection->pace_credit -= size;
}

void http_pace_hold(struct http_connection *connection, unsigned reason)
{
    pthread_mutex_lock(&connection->server->pace.lock);
    hold(connection, reason);
    pthread_mutex_unlock(&connection->server->pace.lock);
}

void http_pace_release(struct http_connection *connection, unsigned reason)
{
    struct http_pace *pace = &connection->server->pace;

    pthread_mutex_lock(&pace->lock);
    release(connection, reason);
    pthread_mutex_unlock(&pace->lock);
}

/* Of one that is in its list. */
static void go_on(struct http_pace *pace, struct http_connection *connection)
{
    list_remove(connection);
    atomic_fetch_sub(&pace->waiting_count, 1);
    release(connection, HTTP_HELD_BY_PACE);
}

void http_pace_forget(struct http_connection *connection)
{
    struct http_pace *pace = &connection->server->pace;

    pthread_mutex_lock(&pace->lock);
    if (connection->pace_list != NULL) {
        list_remove(connection);
        atomic_fetch_sub(&pace->waiting_count, 1);
    }
    pthread_mutex_unlock(&pace->lock);
}

unsigned http_pace_tick(struct http_pace *pace, uint64_t now_ms, unsigned most_ms)
{
    uint64_t now = now_ms / HTTP_PACE_TICK_MS;

    if (atomic_load(&pace->waiting_count) == 0)
        return most_ms;
    pthread_mutex_lock(&pace->lock);
    if (now > pace->ticked + HTTP_PACE_TICK_COUNT) /* all of them once is enough */
        pace->ticked = now - HTTP_PACE_TICK_COUNT;
    while (pace->ticked < now && atomic_load(&pace->waiting_count) > 0) {
        struct http_connection *at = pace->waiting[++pace->ticked % HTTP_PACE_TICK_COUNT];

        while (at != NULL) {
            struct http_connection *next = at->pace_next;

            if (at->go_on_ms <= now_ms) {
                go_on(pace, at);
            } else { /* it waits for more than a round */
                list_remove(at);
                list_add(pace, at);
            }
            at = next;
        }
    }
    pthread_mutex_unlock(&pace->lock);
    return HTTP_PACE_TICK_MS < most_ms ? HTTP_PACE_TICK_MS : most_ms;
}

void http_pace_end(struct http_pace *pace)
{
    pthread_mutex_lock(&pace->lock);
    pace->is_over = true;
    for (unsigned i = 0; i < HTTP_PACE_TICK_COUNT; i++)
        while (pace->waiting[i] != NULL)
            go_on(pace, pace->waiting[i]);
    pthread_mutex_unlock(&pace->lock);
}
