/* item_index.c - see item_index.h.
 *
 * Items come with rising ids and go from the front, so lists are searched from
 * the end that is near: a new one goes in at the back, the next one is found at
 * the front. */
#include "device/item_index.h"

#include <assert.h>
#include <stdlib.h>

#define SLOTS_FIRST 64u

void eds_item_index_init(struct eds_item_index *index)
{
    *index = (struct eds_item_index){.count = 0};
}

static struct eds_item_node **slot_of(const struct eds_item_index *index, uint64_t id)
{
    /* Ids are counted up by us: their low bits spread by themselves. */
    return &index->slots[id & (index->slot_count - 1)];
}

struct eds_item_device *eds_item_index_device(struct eds_item_index *index, const char *id)
{
    struct eds_item_device *device = eds_id_table_find(&index->devices, id);

    return device != NULL ? device : eds_id_table_add(&index->devices, id, sizeof *device);
}

struct eds_item_node *eds_item_index_find(const struct eds_item_index *index, uint64_t id)
{
    struct eds_item_node *node = index->slot_count > 0 ? *slot_of(index, id) : NULL;

    while (node != NULL && node->id != id)
        node = node->chain;
    return node;
}

static bool grow(struct eds_item_index *index)
{
    size_t slot_count = index->slot_count > 0 ? 2 * index->slot_count : SLOTS_FIRST;
    struct eds_item_index larger = *index;

    if (index->count < index->slot_count)
        return true;
    larger.slots = calloc(slot_count, sizeof(struct eds_item_node *));
    if (larger.slots == NULL)
        return false;
    larger.slot_count = slot_count;
    for (size_t i = 0; i < index->slot_count; i++) {
        struct eds_item_node *next;

        for (struct eds_item_node *node = index->slots[i]; node != NULL; node = next) {
            struct eds_item_node **slot = slot_of(&larger, node->id);

            next = node->chain;
            node->chain = *slot;
            *slot = node;
        }
    }
    free(index->slots);
    *index = larger;
    return true;
}

/* Both lists are kept in the order of ids; at is the node to stand before. */
static void link_node(struct eds_item_index *index, struct eds_item_node *node)
{
    struct eds_item_list *all = node->is_dead ? &index->dead : &index->waiting;
    struct eds_item_list *own = node->is_dead ? &node->device->dead : &node->device->waiting;
    struct eds_item_node *before = all->last;

    while (before != NULL && before->id > node->id)
        before = before->previous;
    node->previous = before;
    node->next = before != NULL ? before->next : all->first;
    *(before != NULL ? &before->next : &all->first) = node;
    *(node->next != NULL ? &node->next->previous : &all->last) = node;

    before = own->last;
    while (before != NULL && before->id > node->id)
        before = before->device_before;
    node->device_before = before;
    node->device_next = before != NULL ? before->device_next : own->first;
    *(before != NULL ? &before->device_next : &own->first) = node;
    *(node->device_next != NULL ? &node->device_next->device_before : &own->last) = node;
}

static void unlink_node(struct eds_item_index *index, struct eds_item_node *node)
{
    struct eds_item_list *all = node->is_dead ? &index->dead : &index->waiting;
    struct eds_item_list *own = node->is_dead ? &node->device->dead : &node->device->waiting;

    *(node->previous != NULL ? &node->previous->next : &all->first) = node->next;
    *(node->next != NULL ? &node->next->previous : &all->last) = node->previous;
    *(node->device_before != NULL ? &node->device_before->device_next : &own->first) =
        node->device_next;
    *(node->device_next != NULL ? &node->device_next->device_before : &own->last) =
        node->device_before;
}

struct eds_item_node *eds_item_index_add(struct eds_item_index *index, uint64_t id,
                                         struct eds_item_device *device)
{
    struct eds_item_node *node;
    struct eds_item_node **slot;

    assert(eds_item_index_find(index, id) == NULL);
    if (!grow(index) || (node = calloc(1, sizeof *node)) == NULL)
        return NULL;
    node->id = id;
    node->device = device;
    slot = slot_of(index, id);
    node->chain = *slot;
    *slot = node;
    index->count++;
    link_node(index, node);
    return node;
}

void eds_item_index_set_dead(struct eds_item_index *index, struct eds_item_node *node, bool dead)
{
    unlink_node(index, node);
    node->is_dead = dead;
    link_node(index, node);
}

void eds_item_index_remove(struct eds_item_index *index, struct eds_item_node *node)
{
    struct eds_item_node **slot = slot_of(index, node->id);

    unlink_node(index, node);
    while (*slot != node)
        slot = &(*slot)->chain;
    *slot = node->chain;
    index->count--;
    free(node);
}

struct eds_item_node *eds_item_index_next(const struct eds_item_index *index, const char *device_id,
                                          uint64_t after, bool dead)
{
    const struct eds_item_device *device;
    struct eds_item_node *node = eds_item_index_find(index, after);
    bool known = node != NULL && node->is_dead == dead;

    if (device_id == NULL) {
        node = known ? node->next : dead ? index->dead.first : index->waiting.first;
        while (node != NULL && node->id <= after)
            node = node->next;
        return node;
    }
    device = eds_id_table_find(&index->devices, device_id);
    if (device == NULL)
        return NULL;
    if (known && node->device == device)
        node = node->device_next;
    else
        node = dead ? device->dead.first : device->waiting.first;
    while (node != NULL && node->id <= after)
        node = node->device_next;
    return node;
}

void eds_item_index_clear(struct eds_item_index *index, void (*free_block)(void *block))
{
    struct eds_item_list *lists[] = {&index->waiting, &index->dead};

    for (size_t i = 0; i < 2; i++) {
        struct eds_item_node *next;

        for (struct eds_item_node *node = lists[i]->first; node != NULL; node = next) {
            next = node->next;
            if (free_block != NULL)
                free_block(node->block);
            free(node);
        }
    }
    free(index->slots);
    eds_id_table_clear(&index->devices);
    eds_item_index_init(index);
}
