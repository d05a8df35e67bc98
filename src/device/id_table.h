/* id_table.h - what is known of each device, found by its id. */
#ifndef EDS_DEVICE_ID_TABLE_H
#define EDS_DEVICE_ID_TABLE_H

#include <stddef.h>

/* Values in the byte order of their ids.  A value's first member is its id: a
 * const char *.  Zeroed memory is an empty table. */
struct eds_id_table {
    void **values;
    size_t count, room;
};

/* eds_id_table_find returns a device's value, or NULL. */
void *eds_id_table_find(const struct eds_id_table *table, const char *id);

/* eds_id_table_add makes a zeroed value of size bytes, with a copy of the id as
 * its first member, for an id that is not there yet.  NULL without memory. */
void *eds_id_table_add(struct eds_id_table *table, const char *id, size_t size);

/* eds_id_table_drop forgets and frees a value that is there. */
void eds_id_table_drop(struct eds_id_table *table, void *value);

/* eds_id_table_clear frees values, their ids, and the table's memory. */
void eds_id_table_clear(struct eds_id_table *table);

#endif
