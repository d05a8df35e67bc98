/* id_table.c - see id_table.h.
 *
 * A sorted array: devices are added once and looked up for ever, and no choice
 * of ids makes it slow. */
#include "device/id_table.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const char *id_of(const void *value)
{
    return *(const char *const *)value;
}

/* Where the id stands, or belongs. */
static size_t place_of(const struct eds_id_table *table, const char *id, bool *found)
{
    size_t low = 0, high = table->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(id_of(table->values[middle]), id);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void *eds_id_table_find(const struct eds_id_table *table, const char *id)
{
    bool found;
    size_t place = place_of(table, id, &found);

    return found ? table->values[place] : NULL;
}

static bool grow(struct eds_id_table *table)
{
    size_t room = table->room > 0 ? 2 * table->room : 8;
    void **values;

    if (table->count < table->room)
        return true;
    values = realloc(table->values, room * sizeof *values);
    if (values == NULL)
        return false;
    table->values = values;
    table->room = room;
    return true;
}

void *eds_id_table_add(struct eds_id_table *table, const char *id, size_t size)
{
    bool found;
    size_t place = place_of(table, id, &found);
    size_t id_size = strlen(id) + 1;
    void *value;
    char *copy;

    assert(!found && size >= sizeof copy);
    if (!grow(table))
        return NULL;
    value = calloc(1, size + id_size); /* the id behind the value: one block */
    if (value == NULL)
        return NULL;
    copy = (char *)value + size;
    memcpy(copy, id, id_size);
    memcpy(value, &copy, sizeof copy);
    memmove(table->values + place + 1, table->values + place,
            (table->count - place) * sizeof *table->values);
    table->values[place] = value;
    table->count++;
    return value;
}

void eds_id_table_drop(struct eds_id_table *table, void *value)
{
    bool found;
    size_t place = place_of(table, id_of(value), &found);

    assert(found && table->values[place] == value);
    table->count--;
    memmove(table->values + place, table->values + place + 1,
            (table->count - place) * sizeof *table->values);
    free(value);
}

void eds_id_table_clear(struct eds_id_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        free(table->values[i]);
    free(table->values);
    *table = (struct eds_id_table){.count = 0};
}
