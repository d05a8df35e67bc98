/* item_index.h - which items there are, in memory: for stores that have no
 * index of their own.
 *
 * Found by id; walked in the order of ids, over all items or over one device's,
 * the waiting ones and the dead ones apart. */
#ifndef EDS_DEVICE_ITEM_INDEX_H
#define EDS_DEVICE_ITEM_INDEX_H

#include "device/id_table.h"
#include "edgesentry/buffer_store.h"

struct eds_item_node;

struct eds_item_list {
    struct eds_item_node *first, *last;
};

/* What is known of a device: its head, and its items. */
struct eds_item_device {
    const char *id; /* first: see id_table.h */
    struct eds_buffer_head head;
    /* The store's own: where the head stands, and its command_counter. */
    uint64_t head_place, command_place;
    uint32_t head_home, command_home;
    /* What a replay takes back to if the last push turns out to have failed. */
    struct {
        struct eds_buffer_head head;
        uint64_t head_place, command_place, first_id, push;
        uint32_t head_home, command_home;
    } before;
    struct eds_item_list waiting, dead;
};

struct eds_item_node {
    uint64_t id;
    struct eds_item_device *device;
    struct eds_item_node *next, *previous;             /* of all, waiting or dead */
    struct eds_item_node *device_next, *device_before; /* of the device's */
    struct eds_item_node *chain;                       /* in the hash table */
    bool is_dead;
    /* The store's own: where the item is, and what it says of it. */
    void *block;
    uint64_t place;
    uint32_t home;
    uint32_t size, payload_size; /* bytes */
    uint64_t sequence;
    enum eds_priority priority;
};

struct eds_item_index {
    struct eds_id_table devices;
    struct eds_item_list waiting, dead;
    struct eds_item_node **slots; /* a power of two of them */
    size_t slot_count, count;
};

void eds_item_index_init(struct eds_item_index *index);

/* eds_item_index_clear frees all nodes and devices, calling free_block for each
 * node's block (NULL: nothing is called). */
void eds_item_index_clear(struct eds_item_index *index, void (*free_block)(void *block));

/* eds_item_index_device finds or makes a device.  NULL without memory. */
struct eds_item_device *eds_item_index_device(struct eds_item_index *index, const char *id);

/* eds_item_index_find returns the node with this id, or NULL. */
struct eds_item_node *eds_item_index_find(const struct eds_item_index *index, uint64_t id);

/* eds_item_index_add makes a waiting node, for an id that is not there yet.
 * NULL without memory. */
struct eds_item_node *eds_item_index_add(struct eds_item_index *index, uint64_t id,
                                         struct eds_item_device *device);

/* eds_item_index_set_dead moves a node between the waiting and the dead. */
void eds_item_index_set_dead(struct eds_item_index *index, struct eds_item_node *node, bool dead);

/* eds_item_index_remove frees a node, not its block. */
void eds_item_index_remove(struct eds_item_index *index, struct eds_item_node *node);

/* eds_item_index_next gives the node with the lowest id above after; device_id
 * NULL: of all devices.  NULL if there is none. */
struct eds_item_node *eds_item_index_next(const struct eds_item_index *index, const char *device_id,
                                          uint64_t after, bool dead);

#endif
