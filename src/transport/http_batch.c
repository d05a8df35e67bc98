/* http_batch.c - see http_batch.h.
 *
 * The batch is shared: by the connection's thread, and by ingest's as long as a
 * block is with it.  The lock is over what both touch; whoever is the last to
 * let go frees it.  The connection is suspended and resumed only with the lock
 * held or after it was told so under the lock. */
#include "transport/http_batch.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/http_results.h"

#define PORTIONS_MAX 2u /* with ingest at once */

struct item {
    struct eds_envelope envelope;
    struct eds_submission submission;
    bool is_record; /* else no more than the words of a fault */
};

struct http_block {
    struct http_batch *batch;
    struct http_block *next;
    char *text; /* what the items point into */
    size_t text_room;
    size_t count, room;
    bool is_done; /* of the batch's lock */
    /* Of the first one of a portion: */
    struct http_block *portion_last;
    atomic_size_t undecided;
    struct item items[];
};

struct http_batch {
    struct eds_http_server *server;
    struct http_connection *connection;
    char source[EDS_ADDRESS_TEXT_SIZE]; /* outlives the connection, as the name does */
    char peer_name[EDS_DEVICE_ID_SIZE]; /* of its certificate; "": it has none */
    struct eds_batch_reader reader;
    struct http_results results;
    size_t record_count;
    bool is_over; /* what follows is not looked at */
    struct http_block *first, *last;
    size_t wanted_size;   /* bytes of body that the next block is worth looking for in */
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

struct http_batch *http_batch_begin(struct http_connection *connection,
                                    enum eds_batch_format format)
{
    struct http_batch *batch = calloc(1, sizeof *batch);
    const char *peer_name;

    if (batch == NULL)
        return NULL;
    batch->server = connection->server;
    batch->results.server = connection->server;
    batch->connection = connection;
    batch->holders = 1;
    batch->is_admitted = true;
    batch->wanted_size = HTTP_BLOCK_SIZE;
    memcpy(batch->source, connection->source, sizeof batch->source);
    peer_name = tls_peer_route_identity(connection->tls_peer, "");
    if (peer_name != NULL)
        memcpy(batch->peer_name, peer_name, strlen(peer_name) + 1);
    eds_batch_reader_init(&batch->reader, format);
    pthread_mutex_init(&batch->lock, NULL);
    return batch;
}

static size_t block_size(size_t room)
{
    return sizeof(struct http_block) + room * sizeof(struct item);
}

size_t http_batch_block_size(void)
{
    return block_size(HTTP_BLOCK_RECORDS_MAX);
}

static void free_block(struct http_block *block)
{
    struct eds_http_server *server = block->batch->server;

    atomic_fetch_sub(&server->body_memory, block->text_room + block_size(block->count));
    http_spares_give_back(&server->texts, block->text, block->text_room);
    http_spares_give_back(&server->blocks, block, block_size(block->room));
}

/* Lets go of the batch; called with the lock. */
static void let_go(struct http_batch *batch)
{
    bool was_last = --batch->holders == 0;

    pthread_mutex_unlock(&batch->lock);
    if (!was_last)
        return;
    while (batch->first != NULL) {
        struct http_block *next = batch->first->next;

        free_block(batch->first);
        batch->first = next;
    }
    http_results_free(&batch->results);
    pthread_mutex_destroy(&batch->lock);
    free(batch);
}

/* The last of a portion's records is decided. */
static void portion_done(struct http_block *first)
{
    struct http_block *block = first, *last = first->portion_last;
    struct http_batch *batch = first->batch;
    struct eds_http_server *server = batch->server;

    pthread_mutex_lock(&batch->lock);
    for (; block != last; block = block->next)
        block->is_done = true;
    last->is_done = true; /* its next one is of another portion, and may be added just now */
    batch->submitted_count--;
    if (batch->is_parked && batch->submitted_count <= batch->wanted_count) {
        batch->is_parked = false;
        http_pace_release(batch->connection, HTTP_HELD_BY_BATCH);
    }
    let_go(batch);
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
        atomic_store(&first->batch->deferred, true);
    count_off(first);
}

/* A record that ingest is not asked about. */
static void defer(struct http_batch *batch, struct eds_submission *submission)
{
    submission->verdict = EDS_VERDICT_OVERLOADED;
    snprintf(submission->message, sizeof submission->message, "%s",
             atomic_load(&batch->server->ended) ? "the server is stopping: send the record again"
                                                : "the server is busy: send the record again");
}

/* One that ingest is not asked about because the source sends too much. */
static void limit(struct http_batch *batch, struct eds_submission *submission)
{
    submission->verdict = EDS_VERDICT_OVERLOADED;
    snprintf(submission->message, sizeof submission->message, "rate limit exceeded for source=%s",
             batch->source);
}

/* Whether the source may send one more. */
static bool is_admitted(struct http_batch *batch)
{
    unsigned retry_after_s;

    if (batch->is_admitted) {
        batch->is_admitted = false;
        return true;
    }
    batch->is_limited =
        !eds_ingest_admit(batch->server->config.ingest, batch->source, 1, &retry_after_s);
    return !batch->is_limited;
}

/* Has a block's records checked, and gathers them. */
static void gather(struct http_batch *batch, struct http_block *block)
{
    struct eds_submission **ready = batch->ready + batch->ready_count;
    size_t count = 0;

    for (size_t i = 0; i < block->count; i++) {
        struct eds_submission *submission = &block->items[i].submission;

        if (!block->items[i].is_record)
            continue;
        submission->context = batch->portion;
        if (atomic_load(&batch->deferred))
            defer(batch, submission);
        else if (batch->is_limited || !is_admitted(batch))
            limit(batch, submission);
        else
            ready[count++] = submission;
    }
    if (count > 0)
        eds_ingest_check_ahead(batch->server->config.ingest, ready, count);
    batch->ready_count += count;
}

/* Adds a block, made of size bytes of the body, to the portion. */
static void add_block(struct http_batch *batch, struct http_block *block, size_t size)
{
    if (batch->first == NULL)
        batch->first = block;
    else
        batch->last->next = block;
    batch->last = block;
    if (batch->portion == NULL)
        batch->portion = block;
    batch->portion->portion_last = block;
    batch->portion_size += size;
    gather(batch, block);
}

/* Gives the portion, if there is one, to ingest: its records go into one commit, if it
 * has room for them. */
static void submit_portion(struct http_batch *batch)
{
    struct eds_http_server *server = batch->server;
    struct http_block *first = batch->portion;
    size_t count = batch->ready_count;

    if (first == NULL)
        return;
    batch->portion = NULL;
    batch->portion_size = batch->ready_count = 0;
    atomic_fetch_add(&server->submission_count, 1);
    if (atomic_load(&server->ended))
        atomic_store(&batch->deferred, true);
    if (atomic_load(&batch->deferred)) { /* since some of them were gathered */
        for (size_t i = 0; i < count; i++)
            defer(batch, batch->ready[i]);
        count = 0;
    }
    atomic_store(&first->undecided, count + 1); /* one is ours, until all are submitted */
    pthread_mutex_lock(&batch->lock);
    batch->holders++;
    batch->submitted_count++;
    pthread_mutex_unlock(&batch->lock);
    if (count > 0)
        eds_ingest_submit_ahead(server->config.ingest, batch->ready, count);
    count_off(first);
}

static struct http_block *make_block(struct http_batch *batch, size_t room)
{
    size_t size = block_size(room);
    struct http_block *block;

    if (!http_memory_reserve(batch->server, size))
        return NULL;
    block = http_spares_take(&batch->server->blocks, size);
    if (block == NULL) {
        atomic_fetch_sub(&batch->server->body_memory, size);
        return NULL;
    }
    *block = (struct http_block){.batch = batch, .room = room};
    return block;
}

/* The room that is left over does not count. */
static void end_block(struct http_block *block)
{
    atomic_fetch_sub(&block->batch->server->body_memory,
                     (block->room - block->count) * sizeof(struct item));
}

/* As tls_peer_route_identity, in memory that outlives the connection. */
static const char *route_identity(const struct http_batch *batch, const char *device_id)
{
    const char *name = tls_peer_route_identity(batch->connection->tls_peer, device_id);

    return name == NULL || name == device_id ? name : batch->peer_name;
}

static void fill_item(struct http_block *block, struct item *item, int32_t rc,
                      const struct eds_error *err)
{
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
                             .route_identity = route_identity(block->batch, device_id),
                             .source = block->batch->source};
    item->submission.done = decided;
    item->submission.retry_after_s = 0;
}

/* Reads what is there of the body into a block.  Returns the bytes used. */
static size_t fill_block(struct http_batch *batch, struct http_block *block, char *text,
                         size_t size, bool at_end)
{
    size_t start = 0;

    while (block->count < block->room && !batch->is_over) {
        struct item *item = &block->items[block->count];
        struct eds_error err;
        size_t used;
        int32_t rc = eds_batch_reader_next(&batch->reader, text + start, size - start, at_end,
                                           &used, &item->envelope, &err);

        start += used;
        if (rc == EDS_ERR_TRUNCATED || rc == EDS_ERR_NOT_FOUND)
            break;
        if (++batch->record_count > HTTP_BATCH_RECORDS_MAX) {
            batch->is_over = true;
            rc = eds_error_set(&err, EDS_ERR_TOO_LARGE,
                               "more than %u records: send this one and what follows again",
                               HTTP_BATCH_RECORDS_MAX);
        }
        fill_item(block, item, rc, &err);
        block->count++;
    }
    return batch->is_over ? size : start;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many records size bytes may hold; if there are more, another block does. */
static size_t room_for(const struct http_batch *batch, size_t size)
{
    size_t small = batch->reader.format == EDS_BATCH_LINES ? 500 : 160;

    return smaller(smaller(size / small + 1, HTTP_BLOCK_RECORDS_MAX),
                   HTTP_PORTION_RECORDS_MAX - batch->ready_count);
}

/* Makes blocks of what is there of the body; all of it, at_end. */
static int32_t make_blocks(struct http_batch *batch, bool at_end)
{
    struct http_connection *connection = batch->connection;
    bool is_full = true;

    while (is_full && connection->body_size > 0) {
        struct http_block *block = make_block(batch, room_for(batch, connection->body_size));
        size_t used;
        int32_t rc;

        if (block == NULL)
            return EDS_ERR_BUSY;
        used = fill_block(batch, block, connection->body, connection->body_size, at_end);
        is_full = block->count == block->room;
        end_block(block);
        if (used == 0) { /* no more than the beginning of a record */
            free_block(block);
            batch->wanted_size = 2 * connection->body_size; /* not to look at it byte by byte */
            return EDS_OK;
        }
        batch->wanted_size = HTTP_BLOCK_SIZE;
        rc = http_body_hand_over(connection, used, &block->text, &block->text_room);
        if (rc != EDS_OK) {
            free_block(block);
            return rc;
        }
        add_block(batch, block, used);
        if (batch->portion_size >= HTTP_PORTION_SIZE ||
            batch->ready_count == HTTP_PORTION_RECORDS_MAX)
            submit_portion(batch);
    }
    return EDS_OK;
}

/* One record alone is more than a body may be. */
static int32_t end_too_large(struct http_batch *batch)
{
    struct http_block *block = make_block(batch, 1);
    struct eds_error err;

    if (block == NULL)
        return EDS_ERR_BUSY;
    eds_error_set(&err, EDS_ERR_TOO_LARGE,
                  "record %" PRIu64 " is larger than %zu bytes: what follows was not read",
                  batch->reader.count + 1, batch->server->config.body_size_max);
    fill_item(block, &block->items[0], EDS_ERR_TOO_LARGE, &err);
    block->count = 1;
    batch->is_over = true;
    http_body_clear(batch->connection);
    add_block(batch, block, 0);
    return EDS_OK;
}

/* Suspends the connection until at most count portions are with ingest; false if
 * that is so already.  libmicrohttpd hands on the chunks that it has read all the
 * same (0.9.75), so it may be suspended already. */
static bool park(struct http_batch *batch, unsigned count)
{
    bool parked;

    pthread_mutex_lock(&batch->lock);
    parked = batch->submitted_count > count;
    if (parked) {
        batch->wanted_count = count;
        http_pace_hold(batch->connection, HTTP_HELD_BY_BATCH);
        batch->is_parked = true;
    }
    pthread_mutex_unlock(&batch->lock);
    return parked;
}

/* Writes the results of the blocks that are done, in their order. */
static bool collect(struct http_batch *batch)
{
    uint64_t now_ms = http_now_ms();
    bool well = true;

    for (;;) {
        struct http_block *block = batch->first;
        bool is_done;

        pthread_mutex_lock(&batch->lock);
        is_done = block != NULL && block->is_done;
        pthread_mutex_unlock(&batch->lock);
        if (!is_done)
            return well;
        for (size_t i = 0; i < block->count && well; i++) {
            struct item *item = &block->items[i];

            if (item->is_record)
                eds_verdict_log_write(&batch->server->verdict_log, &item->submission, "source",
                                      batch->connection->source, &batch->connection->trace, now_ms);
            else
                http_log_refusal(batch->connection, MHD_HTTP_BAD_REQUEST, item->submission.message);
            well = http_results_add(&batch->results, &item->submission, item->is_record);
        }
        batch->first = block->next;
        free_block(block);
    }
}

int32_t http_batch_take(struct http_batch *batch, const char *bytes, size_t size)
{
    struct http_connection *connection = batch->connection;
    int32_t rc;

    if (batch->is_over)
        return http_body_discard(connection, size) ? EDS_OK : EDS_ERR_TOO_LARGE;
    rc = http_body_append(connection, bytes, size);
    if (rc == EDS_ERR_TOO_LARGE) { /* of all that waits; perhaps not of one record */
        rc = make_blocks(batch, false);
        if (rc == EDS_OK)
            rc = http_body_append(connection, bytes, size);
    }
    if (rc == EDS_ERR_TOO_LARGE)
        rc = end_too_large(batch);
    else if (rc == EDS_OK && connection->body_size >= batch->wanted_size)
        rc = make_blocks(batch, false);
    if (rc == EDS_OK && !collect(batch))
        rc = EDS_ERR_NO_MEMORY;
    if (rc == EDS_OK)
        (void)park(batch, PORTIONS_MAX - 1);
    return rc;
}

bool http_batch_finish(struct http_batch *batch)
{
    if (make_blocks(batch, true) != EDS_OK) /* what is left over is not read, and so not answered */
        batch->results.is_cut = true;
    submit_portion(batch);
    return !park(batch, 0);
}

enum MHD_Result http_batch_answer(struct http_batch *batch)
{
    if (!collect(batch))
        return MHD_NO;
    return http_results_answer(&batch->results, batch->connection);
}

void http_batch_abandon(struct http_batch *batch)
{
    pthread_mutex_lock(&batch->lock);
    let_go(batch);
}
