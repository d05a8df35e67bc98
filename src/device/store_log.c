/* store_log.c - the offline buffer in a log: a file of fixed size, written round
 * and round, for flash memory.
 *
 *   log_format.c   the bytes
 *   log_io_file.c  the file
 *   log_write.c    transactions at the end
 *   log_clean.c    room at the beginning
 *   log_replay.c   what is there, at the start
 *
 * The index is in memory: about 150 bytes an item. */
#include "device/store_log.h"

#include <stdlib.h>

#include "device/item.h"
#include "edgesentry/command.h"

static struct log_store *of(struct eds_buffer_store *store)
{
    return (struct log_store *)store;
}

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
}

bool eds_ring_set_reason(struct log_store *log, struct eds_item_node *node, const char *reason)
{
    struct eds_buffer_item clean = {.is_dead = true};
    char *copy = NULL;

    if (reason != NULL) {
        eds_item_set_reason(&clean, reason);
        copy = malloc(strlen(clean.reason) + 1);
        if (copy == NULL)
            return false;
        strcpy(copy, clean.reason);
    }
    free(node->block);
    node->block = copy;
    if (node->is_dead != (reason != NULL))
        eds_item_index_set_dead(&log->index, node, reason != NULL);
    return true;
}

static void remove_node(struct log_store *log, struct eds_item_node *node)
{
    free(node->block);
    eds_item_index_remove(&log->index, node);
}

/* What a push does, from its plan to its end. */
struct push {
    struct log_store *log;
    struct log_txn txn;
    struct log_frames frames;
    struct pushed {
        struct eds_item_node *node;
        size_t offset, size;      /* of the entry in the transaction */
        bool moves_head, answers; /* answers an order, the last one */
    } * list;
    uint64_t head_size; /* of heads and counters of orders that were not there yet */
};

static int32_t plan_item(struct push *push, size_t i, struct eds_buffer_item *item,
                         const struct eds_buffer_head *head, struct eds_error *err)
{
    struct log_store *log = push->log;
    struct pushed *pushed = &push->list[i];
    struct eds_item_device *device = eds_item_index_device(&log->index, eds_item_device(item));
    size_t size = eds_ring_item_size(item);
    struct eds_order_answer answer;
    uint8_t hash[EDS_HASH_SIZE];
    uint8_t *body;
    int32_t rc;

    if (device == NULL)
        return no_memory(err);
    item->id = log->id_last + 1;
    pushed->node = eds_item_index_add(&log->index, item->id, device);
    if (pushed->node == NULL)
        return no_memory(err);
    log->id_last++;
    if (device->head_place == 0)
        push->head_size += log_head_size(device);
    (void)eds_record_digest(hash, &item->entry.record); /* it was encoded */
    pushed->moves_head = memcmp(hash, head->record_hash, sizeof hash) == 0;
    pushed->answers = pushed->moves_head && eds_order_answer_read(&answer, &item->entry.record) &&
                      answer.counter == head->command_counter;
    if (pushed->answers && device->command_place == 0)
        push->head_size += log_command_size(device);
    pushed->offset = push->txn.size;
    pushed->size = LOG_ENTRY_HEADER_SIZE + size;
    body =
        eds_ring_txn_add(&push->txn, LOG_ITEM, pushed->moves_head ? LOG_ITEM_MOVES_HEAD : 0, size);
    if (body == NULL)
        return no_memory(err);
    rc = eds_ring_item_encode(body, item, err);
    if (rc == EDS_OK)
        eds_ring_txn_seal(&push->txn, body, size);
    pushed->node->size = (uint32_t)pushed->size;
    pushed->node->payload_size = (uint32_t)item->payload_size;
    pushed->node->sequence = item->entry.record.sequence;
    pushed->node->priority = item->priority;
    return rc;
}

static int32_t check_size(const struct push *push, size_t items_size, struct eds_error *err)
{
    const struct log_store *log = push->log;

    if (items_size > log_txn_max(log))
        return eds_error_set(err, EDS_ERR_TOO_LARGE,
                             "%zu bytes do not go at once into the offline buffer %s, which takes "
                             "%zu",
                             items_size, log->io->name, log_txn_max(log));
    if (log->live_size + items_size + push->head_size > log_live_max(log))
        return eds_error_set(err, EDS_ERR_BUSY,
                             "the offline buffer %s is full: %llu of %llu bytes are in use",
                             log->io->name, (unsigned long long)log->live_size,
                             (unsigned long long)log_live_max(log));
    return EDS_OK;
}

/* The log has them: so has the index. */
static void take_in(struct push *push, const struct eds_buffer_head *heads, size_t count)
{
    struct log_store *log = push->log;

    log->pending_count = 0;
    for (size_t i = 0; i < count; i++) {
        const struct pushed *pushed = &push->list[i];
        struct eds_item_device *device = pushed->node->device;

        pushed->node->place =
            log_place(eds_ring_frames_find(&push->frames, pushed->offset), pushed->offset);
        pushed->node->home = log_home(log, &push->frames);
        log->live_size += pushed->size;
        if (device->head_place == 0)
            log->live_size += log_head_size(device);
        device->head = heads[i];
        if (pushed->moves_head) {
            device->head_place = pushed->node->place;
            device->head_home = pushed->node->home;
        }
        if (pushed->answers) {
            if (device->command_place == 0)
                log->live_size += log_command_size(device);
            device->command_place = pushed->node->place;
            device->command_home = pushed->node->home;
        }
    }
}

static int32_t log_push(struct eds_buffer_store *store, struct eds_buffer_item *items,
                        const struct eds_buffer_head *heads, size_t count, struct eds_error *err)
{
    struct log_store *log = of(store);
    struct push push = {.log = log, .list = calloc(count, sizeof *push.list)};
    uint64_t first = log->id_last + 1;
    size_t items_size = 0;
    bool tried = false;
    int32_t rc = EDS_OK;

    if (push.list == NULL)
        return no_memory(err);
    if (log->pending_count == LOG_PENDING_MAX)
        rc = eds_ring_write_pending(log, err); /* room for what this push may leave behind */
    if (rc == EDS_OK && !eds_ring_txn_gone(log, &push.txn))
        rc = no_memory(err);
    for (size_t i = 0; rc == EDS_OK && i < count; i++) {
        rc = plan_item(&push, i, &items[i], &heads[i], err);
        items_size += push.list[i].size;
        if (rc == EDS_OK)
            rc = check_size(&push, items_size, err);
    }
    if (rc == EDS_OK) {
        tried = true;
        rc = eds_ring_write(log, &push.txn, true, &push.frames, err);
    }
    if (rc == EDS_OK)
        take_in(&push, heads, count);
    for (size_t i = 0; rc != EDS_OK && i < count; i++)
        if (push.list[i].node != NULL)
            remove_node(log, push.list[i].node);
    if (rc != EDS_OK && tried) /* it may be there all the same, and must never count */
        log->pending[log->pending_count++] = (struct log_gone){first, (uint32_t)count};
    eds_ring_txn_free(&push.txn);
    free(push.frames.list);
    free(push.list);
    return rc;
}

static int32_t log_next(struct eds_buffer_store *store, const char *device_id, uint64_t after,
                        bool dead, struct eds_buffer_item **out, struct eds_error *err)
{
    struct log_store *log = of(store);
    const struct eds_item_node *node = eds_item_index_next(&log->index, device_id, after, dead);

    if (node == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no such item waits");
    return eds_ring_item_read(log, node, out, err);
}

/* Says in the log what became of an item that stays. */
static int32_t write_fate(struct log_store *log, uint64_t id, const char *reason,
                          struct eds_error *err)
{
    struct eds_buffer_item clean = {.is_dead = true};
    struct log_txn txn = {.bytes = NULL};
    struct log_frames frames = {.list = NULL};
    size_t reason_size;
    uint8_t *body;
    int32_t rc = EDS_ERR_NO_MEMORY;

    if (reason != NULL)
        eds_item_set_reason(&clean, reason);
    reason_size = strlen(clean.reason);
    if (!eds_ring_txn_gone(log, &txn))
        goto out;
    body = eds_ring_txn_add(&txn, reason != NULL ? LOG_BURIED : LOG_REVIVED, 0, 8 + reason_size);
    if (body == NULL)
        goto out;
    log_put(body, id, 8);
    memcpy(body + 8, clean.reason, reason_size);
    eds_ring_txn_seal(&txn, body, 8 + reason_size);
    rc = eds_ring_write(log, &txn, reason == NULL, &frames, err);
    if (rc == EDS_OK)
        log->pending_count = 0;
out:
    eds_ring_txn_free(&txn);
    free(frames.list);
    return rc;
}

static int32_t log_settle(struct eds_buffer_store *store, uint64_t id, enum eds_settlement how,
                          const char *reason, struct eds_error *err)
{
    struct log_store *log = of(store);
    struct eds_item_node *node = eds_item_index_find(&log->index, id);
    const char *why = how == EDS_SETTLE_BURY ? (reason != NULL ? reason : "") : NULL;
    int32_t rc = EDS_OK;

    if (node == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no item %llu",
                             (unsigned long long)id);
    if (how == EDS_SETTLE_REMOVE) {
        if (log->pending_count >= LOG_PENDING_MAX / 2)
            rc = eds_ring_write_pending(log, err);
        /* One that is not written down yet is at worst sent again. */
        if (rc != EDS_OK && log->pending_count == LOG_PENDING_MAX)
            return rc;
        log->pending[log->pending_count++] = (struct log_gone){id, 0};
        log->live_size -= node->size;
        remove_node(log, node);
        return EDS_OK;
    }
    rc = write_fate(log, id, why, err);
    if (rc == EDS_ERR_NO_MEMORY)
        return no_memory(err);
    node = eds_item_index_find(&log->index, id); /* the cleaner may have lost it */
    if (rc == EDS_OK && node != NULL && !eds_ring_set_reason(log, node, why))
        rc = no_memory(err);
    return rc;
}

static int32_t log_items(struct eds_buffer_store *store,
                         int32_t (*visit)(void *context, const struct eds_buffer_item *),
                         void *context, struct eds_error *err)
{
    struct log_store *log = of(store);
    struct eds_item_node *firsts[] = {log->index.waiting.first, log->index.dead.first};
    int32_t rc = EDS_OK;

    for (size_t i = 0; i < 2; i++)
        for (struct eds_item_node *node = firsts[i]; node != NULL && rc == EDS_OK;
             node = node->next) {
            struct eds_buffer_item *item = NULL;

            rc = eds_ring_item_read(log, node, &item, err);
            if (rc != EDS_OK)
                break;
            item->payload = NULL;
            rc = visit(context, item);
            free(item);
        }
    return rc;
}

static int32_t log_heads(struct eds_buffer_store *store,
                         int32_t (*visit)(void *context, const char *device_id,
                                          const struct eds_buffer_head *),
                         void *context, struct eds_error *err)
{
    const struct eds_id_table *devices = &of(store)->index.devices;
    int32_t rc = EDS_OK;

    (void)err;
    for (size_t i = 0; i < devices->count && rc == EDS_OK; i++) {
        const struct eds_item_device *device = devices->values[i];

        if (device->head_place != 0)
            rc = visit(context, device->id, &device->head);
    }
    return rc;
}

static void log_usage(struct eds_buffer_store *store, uint64_t *used, uint64_t *size_max)
{
    *used = of(store)->live_size;
    *size_max = log_live_max(of(store));
}

static void log_close(struct eds_buffer_store *store)
{
    struct log_store *log = of(store);

    (void)eds_ring_write_pending(log, NULL); /* else some are sent again */
    eds_item_index_clear(&log->index, free);
    log->io->close(log->io);
    free(log->sector);
    free(log);
}

static const struct eds_buffer_store_ops log_ops = {
    .name = "log",
    .is_durable = true,
    .push = log_push,
    .next = log_next,
    .settle = log_settle,
    .items = log_items,
    .heads = log_heads,
    .close = log_close,
    .usage = log_usage,
};

int32_t eds_buffer_log_open_io(struct eds_buffer_store **out, struct eds_log_io *io,
                               struct eds_error *err)
{
    struct log_store *log = calloc(1, sizeof *log);
    int32_t rc;

    if (log == NULL) {
        io->close(io);
        return no_memory(err);
    }
    log->store.ops = &log_ops;
    log->io = io;
    log->sector_size = eds_ring_sector_size(io->size);
    log->sector_count = (uint32_t)(io->size / log->sector_size);
    eds_item_index_init(&log->index);
    log->sector = malloc(log->sector_size);
    rc = log->sector != NULL ? eds_ring_replay(log, err) : no_memory(err);
    if (rc != EDS_OK)
        log_close(&log->store);
    else
        *out = &log->store;
    return rc;
}
