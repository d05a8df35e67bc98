/* store_memory.c - a buffer store that forgets everything at close. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "device/item.h"
#include "device/item_index.h"
#include "device/store.h"

struct memory_store {
    struct eds_buffer_store store;
    struct eds_item_index index; /* block: the struct eds_buffer_item */
    uint64_t id_last;
};

static struct memory_store *of(struct eds_buffer_store *store)
{
    return (struct memory_store *)store;
}

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
}

static bool add(struct memory_store *memory, struct eds_buffer_item *item)
{
    struct eds_item_device *device = eds_item_index_device(&memory->index, eds_item_device(item));
    struct eds_item_node *node;

    item->id = memory->id_last + 1;
    if (device == NULL || (node = eds_item_index_add(&memory->index, item->id, device)) == NULL)
        return false;
    node->block = eds_item_copy(item);
    if (node->block == NULL) {
        eds_item_index_remove(&memory->index, node);
        return false;
    }
    memory->id_last++;
    return true;
}

static void remove_node(struct memory_store *memory, struct eds_item_node *node)
{
    free(node->block);
    eds_item_index_remove(&memory->index, node);
}

static int32_t memory_push(struct eds_buffer_store *store, struct eds_buffer_item *items,
                           const struct eds_buffer_head *heads, size_t count, struct eds_error *err)
{
    struct memory_store *memory = of(store);

    for (size_t i = 0; i < count; i++)
        if (!add(memory, &items[i])) {
            while (i-- > 0)
                remove_node(memory, eds_item_index_find(&memory->index, items[i].id));
            return no_memory(err);
        }
    for (size_t i = 0; i < count; i++)
        eds_item_index_find(&memory->index, items[i].id)->device->head = heads[i];
    return EDS_OK;
}

static int32_t memory_next(struct eds_buffer_store *store, const char *device_id, uint64_t after,
                           bool dead, struct eds_buffer_item **out, struct eds_error *err)
{
    const struct eds_item_node *node =
        eds_item_index_next(&of(store)->index, device_id, after, dead);

    if (node == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no such item waits");
    *out = eds_item_copy(node->block);
    return *out != NULL ? EDS_OK : no_memory(err);
}

static int32_t memory_settle(struct eds_buffer_store *store, uint64_t id, enum eds_settlement how,
                             const char *reason, struct eds_error *err)
{
    struct memory_store *memory = of(store);
    struct eds_item_node *node = eds_item_index_find(&memory->index, id);
    struct eds_buffer_item *item;

    if (node == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no item %llu",
                             (unsigned long long)id);
    item = node->block;
    if (how == EDS_SETTLE_REMOVE) {
        remove_node(memory, node);
        return EDS_OK;
    }
    item->is_dead = how == EDS_SETTLE_BURY;
    item->reason[0] = '\0';
    if (item->is_dead)
        eds_item_set_reason(item, reason);
    eds_item_index_set_dead(&memory->index, node, item->is_dead);
    return EDS_OK;
}

static int32_t memory_items(struct eds_buffer_store *store,
                            int32_t (*visit)(void *context, const struct eds_buffer_item *),
                            void *context, struct eds_error *err)
{
    const struct eds_item_index *index = &of(store)->index;
    const struct eds_item_node *firsts[] = {index->waiting.first, index->dead.first};

    (void)err;
    for (size_t i = 0; i < 2; i++)
        for (const struct eds_item_node *node = firsts[i]; node != NULL; node = node->next) {
            struct eds_buffer_item item = *(const struct eds_buffer_item *)node->block;
            int32_t rc;

            item.payload = NULL;
            rc = visit(context, &item);
            if (rc != EDS_OK)
                return rc;
        }
    return EDS_OK;
}

static int32_t memory_heads(struct eds_buffer_store *store,
                            int32_t (*visit)(void *context, const char *device_id,
                                             const struct eds_buffer_head *),
                            void *context, struct eds_error *err)
{
    const struct eds_id_table *devices = &of(store)->index.devices;

    (void)err;
    for (size_t i = 0; i < devices->count; i++) {
        const struct eds_item_device *device = devices->values[i];
        int32_t rc = device->head.sequence > 0 || device->waiting.first != NULL
                         ? visit(context, device->id, &device->head)
                         : EDS_OK; /* only its name: a push failed */

        if (rc != EDS_OK)
            return rc;
    }
    return EDS_OK;
}

static void memory_close(struct eds_buffer_store *store)
{
    eds_item_index_clear(&of(store)->index, free);
    free(store);
}

static const struct eds_buffer_store_ops memory_ops = {
    .name = "memory",
    .push = memory_push,
    .next = memory_next,
    .settle = memory_settle,
    .items = memory_items,
    .heads = memory_heads,
    .close = memory_close,
};

int32_t eds_buffer_memory_open(struct eds_buffer_store **out, struct eds_error *err)
{
    struct memory_store *memory = calloc(1, sizeof *memory);

    if (memory == NULL)
        return no_memory(err);
    memory->store.ops = &memory_ops;
    eds_item_index_init(&memory->index);
    *out = &memory->store;
    return EDS_OK;
}
