/* buffer.c - see edgesentry/buffer.h.
 *
 * The store keeps the items; what is decided about them (limits, heads, whose
 * turn it is) is decided here, once for all stores.  One lock is around
 * everything: a store does one thing at a time anyhow. */
#include "edgesentry/buffer.h"

#include <stdlib.h>
#include <string.h>

#include "device/buffer_impl.h"
#include "device/item.h"
#include "edgesentry/command.h"

static void lock(struct eds_buffer *buffer)
{
    eds_lock_take(&buffer->lock);
}

static void unlock(struct eds_buffer *buffer)
{
    eds_lock_give(&buffer->lock);
}

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
}

static struct buffer_device *device_of(struct eds_buffer *buffer, const char *id)
{
    struct buffer_device *device = eds_id_table_find(&buffer->devices, id);

    return device != NULL ? device : eds_id_table_add(&buffer->devices, id, sizeof *device);
}

/* A limit or a store's slot for it; out of memory while loading. */
static int32_t load_item(void *context, const struct eds_buffer_item *item)
{
    struct eds_buffer *buffer = context;
    struct buffer_device *device = device_of(buffer, eds_item_device(item));

    if (device == NULL)
        return EDS_ERR_NO_MEMORY;
    buffer->size += eds_buffer_item_size(item);
    if (item->is_dead) {
        buffer->dead++;
    } else {
        buffer->waiting++;
        device->waiting[item->priority]++;
    }
    return EDS_OK;
}

static int32_t load_head(void *context, const char *device_id, const struct eds_buffer_head *head)
{
    struct buffer_device *device = device_of(context, device_id);

    if (device == NULL)
        return EDS_ERR_NO_MEMORY;
    device->head = *head;
    return EDS_OK;
}

static int32_t check(const struct eds_buffer_limits *limits, struct eds_error *err)
{
    if (limits->reserve_percent > EDS_RESERVE_PERCENT_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "%u %% of a buffer for each class: 0 to %u can be",
                             limits->reserve_percent, EDS_RESERVE_PERCENT_MAX);
    return EDS_OK;
}

int32_t eds_buffer_set_limits(struct eds_buffer *buffer, const struct eds_buffer_limits *limits,
                              struct eds_error *err)
{
    int32_t rc = check(limits, err);

    lock(buffer);
    if (rc == EDS_OK)
        buffer->limits = *limits;
    unlock(buffer);
    return rc;
}

int32_t eds_buffer_open_store(struct eds_buffer **out, struct eds_buffer_store *store,
                              const struct eds_buffer_limits *limits, struct eds_error *err)
{
    struct eds_buffer *buffer = calloc(1, sizeof *buffer);
    int32_t rc;

    if (buffer == NULL) {
        store->ops->close(store);
        return no_memory(err);
    }
    eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
    buffer->store = store;
    eds_lock_init(&buffer->lock);
    if (limits != NULL)
        buffer->limits = *limits;
    rc = check(&buffer->limits, err);
    if (rc == EDS_OK)
        rc = store->ops->heads(store, load_head, buffer, err);
    if (rc == EDS_OK)
        rc = store->ops->items(store, load_item, buffer, err);
    if (rc != EDS_OK)
        eds_buffer_close(buffer);
    else
        *out = buffer;
    return rc;
}

void eds_buffer_close(struct eds_buffer *buffer)
{
    if (buffer == NULL)
        return;
    buffer->store->ops->close(buffer->store);
    eds_id_table_clear(&buffer->devices);
    eds_lock_destroy(&buffer->lock);
    free(buffer);
}

/* The timestamp of what waits longest, read once and remembered. */
static int32_t find_oldest(struct eds_buffer *buffer, struct eds_error *err)
{
    struct eds_buffer_item *item = NULL;
    int32_t rc;

    if (buffer->oldest_known || buffer->waiting == 0)
        return EDS_OK;
    rc = buffer->store->ops->next(buffer->store, NULL, 0, false, &item, err);
    if (rc == EDS_OK) {
        buffer->oldest_ms = item->entry.record.timestamp_ms;
        buffer->oldest_known = true;
    }
    free(item);
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

/* Of so many bytes, those that a class may fill. */
static uint64_t share_of(const struct eds_buffer *buffer, uint64_t size_max,
                         enum eds_priority priority)
{
    unsigned above = EDS_PRIORITY_ALARM - priority;

    return size_max - size_max / 100 * buffer->limits.reserve_percent * above;
}

/* Does each item leave free what is reserved for more urgent ones? */
static int32_t check_reserves(struct eds_buffer *buffer, const struct eds_buffer_item *items,
                              size_t count, struct eds_error *err)
{
    static const char *const names[EDS_PRIORITY_COUNT] = {"low", "normal", "high", "alarm"};
    uint64_t used[2] = {buffer->size, 0}, size_max[2] = {buffer->limits.size_max, 0};

    if (buffer->limits.reserve_percent == 0)
        return EDS_OK;
    if (buffer->store->ops->usage != NULL)
        buffer->store->ops->usage(buffer->store, &used[1], &size_max[1]);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < 2; k++) {
            used[k] += eds_buffer_item_size(&items[i]);
            if (size_max[k] > 0 && used[k] > share_of(buffer, size_max[k], items[i].priority))
                return eds_error_set(err, EDS_ERR_BUSY,
                                     "the offline buffer is full for priority %s: what is left of "
                                     "%llu bytes is for more urgent records",
                                     names[items[i].priority], (unsigned long long)size_max[k]);
        }
    return EDS_OK;
}

static int32_t check_limits(struct eds_buffer *buffer, const struct eds_buffer_item *items,
                            size_t count, uint64_t size, struct eds_error *err)
{
    const struct eds_buffer_limits *limits = &buffer->limits;
    int32_t rc;

    if (limits->size_max > 0 && size > limits->size_max)
        return eds_error_set(err, EDS_ERR_TOO_LARGE,
                             "%llu bytes do not fit into an offline buffer of %llu",
                             (unsigned long long)size, (unsigned long long)limits->size_max);
    if (limits->size_max > 0 && buffer->size > limits->size_max - size)
        return eds_error_set(err, EDS_ERR_BUSY,
                             "the offline buffer is full: %llu of %llu bytes, %llu items wait and "
                             "%llu are dead letters",
                             (unsigned long long)buffer->size, (unsigned long long)limits->size_max,
                             (unsigned long long)buffer->waiting, (unsigned long long)buffer->dead);
    rc = check_reserves(buffer, items, count, err);
    if (rc != EDS_OK)
        return rc;
    if (limits->age_max_ms == 0 || buffer->waiting == 0)
        return EDS_OK;
    rc = find_oldest(buffer, err);
    for (size_t i = 0; rc == EDS_OK && i < count; i++) {
        uint64_t now_ms = items[i].entry.record.timestamp_ms;

        if (now_ms > buffer->oldest_ms && now_ms - buffer->oldest_ms > limits->age_max_ms)
            rc = eds_error_set(err, EDS_ERR_BUSY,
                               "the offline buffer takes no more: its oldest item has waited for "
                               "%llu s, and %llu are allowed",
                               (unsigned long long)(now_ms - buffer->oldest_ms) / 1000,
                               (unsigned long long)limits->age_max_ms / 1000);
    }
    return rc;
}

/* The head that an item makes: it only moves forward. */
static int32_t make_head(struct eds_buffer *buffer, const struct eds_buffer_item *item,
                         struct eds_buffer_head *out, struct eds_error *err)
{
    const EdsAuditRecord *record = &item->entry.record;
    uint8_t hash[EDS_HASH_SIZE];
    struct buffer_device *device;
    struct eds_order_answer answer;
    int32_t rc = eds_record_digest(hash, record);

    if (rc != EDS_OK)
        return eds_error_set(err, rc, "this is no record: its device_id or object_ref is %s",
                             rc == EDS_ERR_INVALID_UTF8 ? "not UTF-8" : "too long");
    if ((unsigned)item->priority >= EDS_PRIORITY_COUNT)
        return eds_error_set(err, EDS_ERR_USAGE, "there is no priority %d", (int)item->priority);
    device = eds_id_table_find(&buffer->devices, eds_item_device(item));
    if (device == NULL) {
        device = device_of(buffer, eds_item_device(item));
        if (device == NULL)
            return no_memory(err);
        device->first_push = buffer->push_count;
    }
    if (device->pending_push != buffer->push_count) {
        device->pending_push = buffer->push_count;
        device->pending = device->head;
    }
    if (record->sequence > device->pending.sequence) {
        device->pending.sequence = record->sequence;
        device->pending.timestamp_ms = record->timestamp_ms;
        memcpy(device->pending.record_hash, hash, sizeof hash);
        if (eds_order_answer_read(&answer, record) &&
            answer.counter > device->pending.command_counter)
            device->pending.command_counter = answer.counter;
    }
    *out = device->pending;
    return EDS_OK;
}

/* Forgets the devices that are known by a push that failed: whoever sends under ever new
 * names to a full buffer must not fill the memory. */
static void forget(struct eds_buffer *buffer, const struct eds_buffer_item *items, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer_device *device =
            eds_id_table_find(&buffer->devices, eds_item_device(&items[i]));

        if (device != NULL && device->first_push == buffer->push_count)
            eds_id_table_drop(&buffer->devices, device);
    }
}

/* The store has them: so have we. */
static void take_in(struct eds_buffer *buffer, const struct eds_buffer_item *items, size_t count,
                    uint64_t size)
{
    for (size_t i = 0; i < count; i++) {
        struct buffer_device *device =
            eds_id_table_find(&buffer->devices, eds_item_device(&items[i]));

        device->head = device->pending;
        device->waiting[items[i].priority]++;
    }
    buffer->waiting += count;
    buffer->size += size;
}

int32_t eds_buffer_push_many(struct eds_buffer *buffer, struct eds_buffer_item *items, size_t count,
                             struct eds_error *err)
{
    struct eds_buffer_head one = {.sequence = 0},
                           *heads = count == 1 ? &one : calloc(count, sizeof *heads);
    uint64_t size = 0;
    size_t good_count = 0;
    int32_t rc = EDS_OK;
    void (*pushed)(void *context);

    if (count == 0 || heads == NULL) {
        free(heads);
        return count == 0 ? EDS_OK : no_memory(err);
    }
    lock(buffer);
    buffer->push_count++;
    for (size_t i = 0; rc == EDS_OK && i < count; i++) {
        items[i].is_dead = false;
        items[i].reason[0] = '\0';
        rc = make_head(buffer, &items[i], &heads[i], err);
        if (rc == EDS_OK) {
            size += eds_buffer_item_size(&items[i]);
            good_count++;
        }
    }
    if (rc == EDS_OK)
        rc = check_limits(buffer, items, count, size, err);
    if (rc == EDS_OK)
        rc = buffer->store->ops->push(buffer->store, items, heads, count, err);
    if (rc == EDS_OK)
        take_in(buffer, items, count, size);
    else
        forget(buffer, items, good_count);
    pushed = buffer->pushed;
    unlock(buffer);
    if (heads != &one)
        free(heads);
    if (rc == EDS_OK && pushed != NULL)
        pushed(buffer->pushed_context);
    return rc;
}

int32_t eds_buffer_push(struct eds_buffer *buffer, const struct eds_entry *entry,
                        const void *payload, size_t payload_size, enum eds_priority priority,
                        struct eds_error *err)
{
    struct eds_buffer_item item = {
        .entry = *entry, .payload = payload, .payload_size = payload_size, .priority = priority};

    return eds_buffer_push_many(buffer, &item, 1, err);
}

uint64_t eds_buffer_len(struct eds_buffer *buffer)
{
    uint64_t waiting;

    lock(buffer);
    waiting = buffer->waiting;
    unlock(buffer);
    return waiting;
}

bool eds_buffer_is_empty(struct eds_buffer *buffer)
{
    return eds_buffer_len(buffer) == 0;
}

bool eds_buffer_is_durable(const struct eds_buffer *buffer)
{
    return buffer->store->ops->is_durable;
}

void eds_buffer_counts(struct eds_buffer *buffer, struct eds_buffer_counts *out)
{
    *out = (struct eds_buffer_counts){.waiting = 0};
    lock(buffer);
    out->waiting = buffer->waiting;
    out->dead = buffer->dead;
    out->size = buffer->size;
    for (size_t i = 0; i < buffer->devices.count; i++) {
        const struct buffer_device *device = buffer->devices.values[i];

        out->device_count += device->head.sequence > 0 ? 1 : 0;
    }
    if (buffer->waiting > 0 && find_oldest(buffer, NULL) == EDS_OK)
        out->oldest_ms = buffer->oldest_ms;
    unlock(buffer);
}

void eds_buffer_head(struct eds_buffer *buffer, const char *device_id, struct eds_buffer_head *out)
{
    const struct buffer_device *device;

    *out = (struct eds_buffer_head){.sequence = 0};
    lock(buffer);
    device = eds_id_table_find(&buffer->devices, device_id);
    if (device != NULL)
        *out = device->head;
    unlock(buffer);
}

int32_t eds_buffer_next(struct eds_buffer *buffer, const char *device_id, uint64_t after, bool dead,
                        struct eds_buffer_item **out, struct eds_error *err)
{
    int32_t rc;

    *out = NULL;
    lock(buffer);
    rc = buffer->store->ops->next(buffer->store, device_id, after, dead, out, err);
    unlock(buffer);
    return rc;
}
