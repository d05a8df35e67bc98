/* http_portion.c - see http_portion.h.
 *
 * The portions are shared: by the connection's thread, and by ingest's as long as a
 * block is with it.  The lock is over what both touch; whoever is the last to
 * let go frees them.  The connection is suspended and resumed only with the lock
 * held or after it was told so under the lock. */
#include "transport/http_portion.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct http_portions {
    struct eds_http_server *server;
    struct http_connection *connection;
    char source[EDS_ADDRESS_TEXT_SIZE]; /* outlives the connection, as the name does */
    char peer_name[EDS_DEVICE_ID_SIZE]; /* of its certificate; "": it has none */
    struct http_block *first, *last;
    atomic_bool deferred; /* nothing is submitted any more */
    bool is_limited;      /* nor is what follows: the source sends too much */
    bool is_admitted;     /* the next record: its token was taken with the head */

    /* The portion that is being gathered. */
    struct http_block *portion; /* its first block; NULL: it has none */
    size_t portion_size;        /* bytes of body */
    size_t ready_count;
    struct eds_submission *ready[HTTP_PORTION_RECORDS_MAX]; /* its records, checked */

    pthread_mutex_t lock;
    unsigned holders;         /* the connection, and each portion with ingest */
    unsigned submitted_count; /* portions with ingest */
    unsigned wanted_count;    /* resume when no more than so many are */
    bool is_parked;           /* the connection waits for that */
};

struct http_portions *http_portions_create(struct http_connection *connection)
{
    struct http_portions *portions = calloc(1, sizeof *portions);
    const char *peer_name;

    if (portions == NULL)
        return NULL;
    portions->server = connection->server;
    portions->connection = connection;
    portions->holders = 1;
    portions->is_admitted = true;
    memcpy(portions->source, connection->source, sizeof portions->source);
    peer_name = tls_peer_route_identity(connection->tls_peer, "");
    if (peer_name != NULL)
        memcpy(portions->peer_name, peer_name, strlen(peer_name) + 1);
    pthread_mutex_init(&portions->lock, NULL);
    return portions;
}

static size_t block_size(size_t room)
{
    return sizeof(struct http_block) + room * sizeof(struct http_item);
}

size_t http_block_size(void)
{
    return block_size(HTTP_BLOCK_RECORDS_MAX);
}

struct http_block *http_block_make(struct http_portions *portions, size_t room)
{
    size_t size = block_size(room);
    struct http_block *block;

    if (!http_memory_reserve(portions->server, size))
        return NULL;
    block = http_spares_take(&portions->server->blocks, size);
    if (block == NULL) {
        atomic_fetch_sub(&portions->server->body_memory, size);
        return NULL;
    }
    *block = (struct http_block){.portions = portions, .room = room};
    return block;
}

void http_block_free(struct http_block *block)
{
    struct eds_http_server *server = block->portions->server;

    atomic_fetch_sub(&server->body_memory, block->text_room + block_size(block->count));
    http_spares_give_back(&server->texts, block->text, block->text_room);
    http_spares_give_back(&server->blocks, block, block_size(block->room));
}

void http_block_end(struct http_block *block)
{
    atomic_fetch_sub(&block->portions->server->body_memory,
                     (block->room - block->count) * sizeof(struct http_item));
}

/* Lets go of the portions; called with the lock. */
static void let_go(struct http_portions *portions)
{
    bool was_last = --portions->holders == 0;

    pthread_mutex_unlock(&portions->lock);
    if (!was_last)
        return;
    while (portions->first != NULL) {
        struct http_block *next = portions->first->next;

        http_block_free(portions->first);
        portions->first = next;
    }
    pthread_mutex_destroy(&portions->lock);
    free(portions);
}

void http_portions_let_go(struct http_portions *portions)
{
    pthread_mutex_lock(&portions->lock);
    let_go(portions);
}

size_t http_portions_room(const struct http_portions *portions)
{
    return HTTP_PORTION_RECORDS_MAX - portions->ready_count;
}

/* The last of a portion's records is decided. */
static void portion_done(struct http_block *first)
{
    struct http_block *block = first, *last = first->portion_last;
    struct http_portions *portions = first->portions;
    struct eds_http_server *server = portions->server;

    pthread_mutex_lock(&portions->lock);
    for (; block != last; block = block->next)
        block->is_done = true;
    last->is_done = true; /* its next one is of another portion, and may be added just now */
    portions->submitted_count--;
    if (portions->is_parked && portions->submitted_count <= portions->wanted_count) {
        portions->is_parked = false;
        http_pace_release(portions->connection, HTTP_HELD_BY_BATCH);
    }
    let_go(portions);
    atomic_fetch_sub(&server->submission_count, 1); /* from here on it may be gone */
}

static void count_off(struct http_block *first)
{
    if (atomic_fetch_sub(&first->undecided, 1) == 1)
        portion_done(first);
}

static void decided(struct eds_submission *submission)
{
    struct http_block *first = submission->context;

    if (submission->verdict == EDS_VERDICT_OVERLOADED)
        atomic_store(&first->portions->deferred, true);
    count_off(first);
}

/* As tls_peer_route_identity, in memory that outlives the connection. */
static const char *route_identity(const struct http_portions *portions, const char *device_id)
{
    const char *name = tls_peer_route_identity(portions->connection->tls_peer, device_id);

    return name == NULL || name == device_id ? name : portions->peer_name;
}

void http_block_add(struct http_block *block, int32_t rc, const struct eds_error *err)
{
    struct http_item *item = &block->items[block->count++];
    const char *device_id = (const char *)item->envelope.entry.record.device_id;

    item->is_record = rc == EDS_OK;
    if (rc != EDS_OK) {
        memcpy(item->submission.message, err->text, sizeof item->submission.message);
        return;
    }
    item->submission.request =
        (struct eds_request){.entry = &item->envelope.entry,
                             .payload = item->envelope.payload,
                             .payload_size = item->envelope.payload_size,
                             .payload_absent = item->envelope.payload_absent,
                             .route_identity = route_identity(block->portions, device_id),
                             .source = block->portions->source};
    item->submission.done = decided;
    item->submission.retry_after_s = 0;
}

/* A record that ingest is not asked about. */
static void defer(struct http_portions *portions, struct eds_submission *submission)
{
    submission->verdict = EDS_VERDICT_OVERLOADED;
    snprintf(submission->message, sizeof submission->message, "%s",
             atomic_load(&portions->server->ended) ? "the server is stopping: send the record again"
                                                   : "the server is busy: send the record again");
}

/* One that ingest is not asked about because the source sends too much. */
static void limit(struct http_portions *portions, struct eds_submission *submission)
{
    submission->verdict = EDS_VERDICT_OVERLOADED;
    snprintf(submission->message, sizeof submission->message, "rate limit exceeded for source=%s",
             portions->source);
}

/* Whether the source may send one more. */
static bool is_admitted(struct http_portions *portions)
{
    unsigned retry_after_s;

    if (portions->is_admitted) {
        portions->is_admitted = false;
        return true;
    }
    portions->is_limited =
        !eds_ingest_admit(portions->server->config.ingest, portions->source, 1, &retry_after_s);
    return !portions->is_limited;
}

/* Has a block's records checked, and gathers them. */
static void gather(struct http_portions *portions, struct http_block *block)
{
    struct eds_submission **ready = portions->ready + portions->ready_count;
    size_t count = 0;

    for (size_t i = 0; i < block->count; i++) {
        struct eds_submission *submission = &block->items[i].submission;

        if (!block->items[i].is_record)
            continue;
        submission->context = portions->portion;
        if (atomic_load(&portions->deferred))
            defer(portions, submission);
        else if (portions->is_limited || !is_admitted(portions))
            limit(portions, submission);
        else
            ready[count++] = submission;
    }
    if (count > 0)
        eds_ingest_check_ahead(portions->server->config.ingest, ready, count);
    portions->ready_count += count;
}

void http_portions_add(struct http_portions *portions, struct http_block *block, size_t size)
{
    if (portions->first == NULL)
        portions->first = block;
    else
        portions->last->next = block;
    portions->last = block;
    if (portions->portion == NULL)
        portions->portion = block;
    portions->portion->portion_last = block;
    portions->portion_size += size;
    gather(portions, block);
    if (portions->portion_size >= HTTP_PORTION_SIZE ||
        portions->ready_count == HTTP_PORTION_RECORDS_MAX)
        http_portions_submit(portions);
}

void http_portions_submit(struct http_portions *portions)
{
    struct eds_http_server *server = portions->server;
    struct http_block *first = portions->portion;
    size_t count = portions->ready_count;

    if (first == NULL)
        return;
    portions->portion = NULL;
    portions->portion_size = portions->ready_count = 0;
    atomic_fetch_add(&server->submission_count, 1);
    if (atomic_load(&server->ended))
        atomic_store(&portions->deferred, true);
    if (atomic_load(&portions->deferred)) { /* since some of them were gathered */
        for (size_t i = 0; i < count; i++)
            defer(portions, portions->ready[i]);
        count = 0;
    }
    atomic_store(&first->undecided, count + 1); /* one is ours, until all are submitted */
    pthread_mutex_lock(&portions->lock);
    portions->holders++;
    portions->submitted_count++;
    pthread_mutex_unlock(&portions->lock);
    if (count > 0)
        eds_ingest_submit_ahead(server->config.ingest, portions->ready, count);
    count_off(first);
}

/* libmicrohttpd hands on the chunks that it has read all the same (0.9.75), so the
 * connection may be suspended already. */
bool http_portions_park(struct http_portions *portions, unsigned count)
{
    bool parked;

    pthread_mutex_lock(&portions->lock);
    parked = portions->submitted_count > count;
    if (parked) {
        portions->wanted_count = count;
        http_pace_hold(portions->connection, HTTP_HELD_BY_BATCH);
        portions->is_parked = true;
    }
    pthread_mutex_unlock(&portions->lock);
    return parked;
}

struct http_block *http_portions_take(struct http_portions *portions)
{
    struct http_block *block = portions->first;
    bool is_done;

    pthread_mutex_lock(&portions->lock);
    is_done = block != NULL && block->is_done;
    pthread_mutex_unlock(&portions->lock);
    if (!is_done)
        return NULL;
    portions->first = block->next;
    return block;
}
