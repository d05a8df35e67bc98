/* table_slabs.h - memory for tables of keys, by slabs that huge pages can back.
 *
 * A batch of many keys reads a line here and a line there of tables that no cache
 * holds; with pages of 4 KiB each of these reads costs a walk of the page tables,
 * too.  So tables stand in slabs of 2 MiB, and the kernel is asked to back them by
 * one page each.  The first slab has small pages, so that a gateway with two
 * devices does not pay 2 MiB for them. */
#ifndef EDS_REGISTRY_TABLE_SLABS_H
#define EDS_REGISTRY_TABLE_SLABS_H

#include <pthread.h>
#include <stdbool.h>

#include "edgesentry/verifier.h"

#define EDS_SLAB_SIZE (2u << 20) /* bytes: a huge page of x86-64 and of most ARM */

struct eds_unused_table;

struct eds_table_slabs {
    pthread_mutex_t lock;
    struct eds_unused_table *unused; /* given back, or not taken yet; see the .c file */
    void **slabs;                    /* slab_max of them, slab_count are there */
    size_t slab_count, slab_max;
};

/* eds_table_slabs_init makes room for table_max tables, without memory for them
 * yet.  False without memory. */
bool eds_table_slabs_init(struct eds_table_slabs *slabs, size_t table_max);
void eds_table_slabs_free(struct eds_table_slabs *slabs);

/* eds_table_slabs_take gives a table of any content, or NULL without memory or when
 * all are taken; eds_table_slabs_give takes one back.  Any thread. */
struct eds_verifier_table *eds_table_slabs_take(struct eds_table_slabs *slabs);
void eds_table_slabs_give(struct eds_table_slabs *slabs, struct eds_verifier_table *table);

#endif
