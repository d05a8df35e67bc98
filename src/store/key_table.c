/* key_table.c - see key_table.h.
 *
 * Taking back is the reverse of adding, in reverse order: the last key added
 * is the last of its probe chain, so freeing its slot breaks no other chain.
 * Growing keeps that true because it adds all keys again in index order. */
#include "store/key_table.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"

#define SLOTS_AT_FIRST 64u

uint64_t eds_key_hash(const uint8_t secret[16], const void *bytes, size_t size)
{
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t number;

    _Static_assert(crypto_shorthash_KEYBYTES == 16, "the key of SipHash");
    _Static_assert(sizeof hash == sizeof number, "SipHash gives 64 bits");
    crypto_shorthash(hash, bytes, size, secret);
    memcpy(&number, hash, sizeof number);
    return number;
}

uint64_t eds_key_table_hash(const struct eds_key_table *table, const char *key)
{
    return eds_key_hash(table->secret, key, strlen(key));
}

/* What of a hash is kept in its slot; the lower bits say which slot that is. */
static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static void occupy(struct eds_key_table *table, size_t index)
{
    uint64_t hash = table->items[index].hash;
    size_t slot = hash & table->slot_mask;

    while (table->slots[slot].number != 0)
        slot = (slot + 1) & table->slot_mask;
    table->slots[slot] = (struct eds_key_table_slot){(uint32_t)index + 1, tag_of(hash)};
}

int32_t eds_key_table_init(struct eds_key_table *table, struct eds_error *err)
{
    memset(table, 0, sizeof *table);
    if (eds_port_random(table->secret, sizeof table->secret) != 0)
        return eds_error_set(err, EDS_ERR_IO, "the system has no random bytes");
    table->slots = calloc(SLOTS_AT_FIRST, sizeof *table->slots);
    if (table->slots == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a table of keys");
    table->slot_mask = SLOTS_AT_FIRST - 1;
    return EDS_OK;
}

void eds_key_table_free(struct eds_key_table *table)
{
    free(table->items);
    free(table->slots);
    memset(table, 0, sizeof *table);
}

size_t eds_key_table_find_hashed(const struct eds_key_table *table, const char *key, uint64_t hash)
{
    for (size_t slot = hash & table->slot_mask; table->slots[slot].number != 0;
         slot = (slot + 1) & table->slot_mask) {
        size_t index = table->slots[slot].number - 1;

        if (table->slots[slot].tag == tag_of(hash) && table->items[index].hash == hash &&
            strcmp(table->items[index].key, key) == 0)
            return index;
    }
    return EDS_KEY_ABSENT;
}

size_t eds_key_table_find(const struct eds_key_table *table, const char *key)
{
    return eds_key_table_find_hashed(table, key, eds_key_table_hash(table, key));
}

/* Makes room for one more item. */
static int32_t grow_items(struct eds_key_table *table)
{
    size_t capacity = table->capacity == 0 ? SLOTS_AT_FIRST / 2 : 2 * table->capacity;
    void *items;

    if (table->count < table->capacity)
        return EDS_OK;
    if (table->count >= UINT32_MAX - 1) /* a slot holds index + 1 in 32 bits */
        return EDS_ERR_NO_MEMORY;
    items = realloc(table->items, capacity * sizeof *table->items);
    if (items == NULL)
        return EDS_ERR_NO_MEMORY;
    table->items = items;
    table->capacity = capacity;
    return EDS_OK;
}

/* Keeps at least half of the slots free, so that probe chains stay short. */
static int32_t grow_slots(struct eds_key_table *table)
{
    size_t slot_count = 2 * (table->slot_mask + 1);
    struct eds_key_table_slot *slots;

    if (2 * (table->count + 1) <= table->slot_mask + 1)
        return EDS_OK;
    slots = calloc(slot_count, sizeof *slots);
    if (slots == NULL)
        return EDS_ERR_NO_MEMORY;
    free(table->slots);
    table->slots = slots;
    table->slot_mask = slot_count - 1;
    for (size_t index = 0; index < table->count; index++)
        occupy(table, index);
    return EDS_OK;
}

int32_t eds_key_table_add_hashed(struct eds_key_table *table, const char *key, uint64_t hash)
{
    assert(eds_key_table_find_hashed(table, key, hash) == EDS_KEY_ABSENT);
    if (grow_items(table) != EDS_OK || grow_slots(table) != EDS_OK)
        return EDS_ERR_NO_MEMORY;
    table->items[table->count] = (struct eds_key_table_item){key, hash};
    occupy(table, table->count++);
    return EDS_OK;
}

int32_t eds_key_table_add(struct eds_key_table *table, const char *key)
{
    return eds_key_table_add_hashed(table, key, eds_key_table_hash(table, key));
}

void eds_key_table_pop(struct eds_key_table *table)
{
    size_t slot;

    assert(table->count > 0);
    slot = table->items[table->count - 1].hash & table->slot_mask;
    while (table->slots[slot].number != table->count)
        slot = (slot + 1) & table->slot_mask;
    table->slots[slot].number = 0;
    table->count--;
}

void eds_key_table_clear(struct eds_key_table *table)
{
    while (table->count > 0)
        eds_key_table_pop(table);
}
