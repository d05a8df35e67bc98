/* http_batch.c - see http_batch.h. */
#include "transport/http_batch.h"

#include <inttypes.h>
#include <stdlib.h>

#include "transport/http_portion.h"
#include "transport/http_results.h"

#define PORTIONS_MAX 2u /* with ingest at once */

struct http_batch {
    struct eds_http_server *server;
    struct http_connection *connection;
    struct eds_batch_reader reader;
    struct http_portions *portions;
    struct http_results results;
    size_t record_count;
    bool is_over;       /* what follows is not looked at */
    size_t wanted_size; /* bytes of body that the next block is worth looking for in */
};

struct http_batch *http_batch_begin(struct http_connection *connection,
                                    enum eds_batch_format format)
{
    struct http_batch *batch = calloc(1, sizeof *batch);

    if (batch == NULL)
        return NULL;
    batch->portions = http_portions_create(connection);
    if (batch->portions == NULL) {
        free(batch);
        return NULL;
    }
    batch->server = connection->server;
    batch->results.server = connection->server;
    batch->connection = connection;
    batch->wanted_size = HTTP_BLOCK_SIZE;
    eds_batch_reader_init(&batch->reader, format);
    return batch;
}

/* Reads what is there of the body into a block.  Returns the bytes used. */
static size_t fill_block(struct http_batch *batch, struct http_block *block, char *text,
                         size_t size, bool at_end)
{
    size_t start = 0;

    while (block->count < block->room && !batch->is_over) {
        struct http_item *item = &block->items[block->count];
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
        http_block_add(block, rc, &err);
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
                   http_portions_room(batch->portions));
}

/* Makes blocks of what is there of the body; all of it, at_end. */
static int32_t make_blocks(struct http_batch *batch, bool at_end)
{
    struct http_connection *connection = batch->connection;
    bool is_full = true;

    while (is_full && connection->body_size > 0) {
        struct http_block *block =
            http_block_make(batch->portions, room_for(batch, connection->body_size));
        size_t used;
        int32_t rc;

        if (block == NULL)
            return EDS_ERR_BUSY;
        used = fill_block(batch, block, connection->body, connection->body_size, at_end);
        is_full = block->count == block->room;
        http_block_end(block);
        if (used == 0) { /* no more than the beginning of a record */
            http_block_free(block);
            batch->wanted_size = 2 * connection->body_size; /* not to look at it byte by byte */
            return EDS_OK;
        }
        batch->wanted_size = HTTP_BLOCK_SIZE;
        rc = http_body_hand_over(connection, used, &block->text, &block->text_room);
        if (rc != EDS_OK) {
            http_block_free(block);
            return rc;
        }
        http_portions_add(batch->portions, block, used);
    }
    return EDS_OK;
}

/* One record alone is more than a body may be. */
static int32_t end_too_large(struct http_batch *batch)
{
    struct http_block *block = http_block_make(batch->portions, 1);
    struct eds_error err;

    if (block == NULL)
        return EDS_ERR_BUSY;
    eds_error_set(&err, EDS_ERR_TOO_LARGE,
                  "record %" PRIu64 " is larger than %zu bytes: what follows was not read",
                  batch->reader.count + 1, batch->server->config.body_size_max);
    http_block_add(block, EDS_ERR_TOO_LARGE, &err);
    http_block_end(block);
    batch->is_over = true;
    http_body_clear(batch->connection);
    http_portions_add(batch->portions, block, 0);
    return EDS_OK;
}

/* Writes the results of the blocks that are done, in their order. */
static bool collect(struct http_batch *batch)
{
    uint64_t now_ms = http_now_ms();
    bool well = true;
    struct http_block *block;

    while ((block = http_portions_take(batch->portions)) != NULL) {
        for (size_t i = 0; i < block->count && well; i++) {
            struct http_item *item = &block->items[i];

            if (item->is_record)
                eds_verdict_log_write(&batch->server->verdict_log, &item->submission, "source",
                                      batch->connection->source, &batch->connection->trace, now_ms);
            else
                http_log_refusal(batch->connection, MHD_HTTP_BAD_REQUEST, item->submission.message);
            well = http_results_add(&batch->results, &item->submission, item->is_record);
        }
        http_block_free(block);
    }
    return well;
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
        (void)http_portions_park(batch->portions, PORTIONS_MAX - 1);
    return rc;
}

bool http_batch_finish(struct http_batch *batch)
{
    if (make_blocks(batch, true) != EDS_OK) /* what is left over is not read, and so not answered */
        batch->results.is_cut = true;
    http_portions_submit(batch->portions);
    return !http_portions_park(batch->portions, 0);
}

enum MHD_Result http_batch_answer(struct http_batch *batch)
{
    if (!collect(batch))
        return MHD_NO;
    return http_results_answer(&batch->results, batch->connection);
}

void http_batch_abandon(struct http_batch *batch)
{
    http_portions_let_go(batch->portions);
    http_results_free(&batch->results);
    free(batch);
}
