/* table_slabs.c - see table_slabs.h. */
#include "registry/table_slabs.h"

#include <assert.h>
#include <stdlib.h>
#include <sys/mman.h>

#define TABLES_PER_SLAB (EDS_SLAB_SIZE / sizeof(struct eds_verifier_table))

/* Tables that nobody has form a list in their own memory. */
struct eds_unused_table {
    struct eds_unused_table *next;
};

bool eds_table_slabs_init(struct eds_table_slabs *slabs, size_t table_max)
{
    *slabs = (struct eds_table_slabs){.slab_max = table_max / TABLES_PER_SLAB +
                                                  (table_max % TABLES_PER_SLAB != 0)};
    slabs->slabs = calloc(slabs->slab_max, sizeof slabs->slabs[0]);
    if (slabs->slabs == NULL)
        return false;
    pthread_mutex_init(&slabs->lock, NULL);
    return true;
}

void eds_table_slabs_free(struct eds_table_slabs *slabs)
{
    for (size_t i = 0; i < slabs->slab_count; i++)
        free(slabs->slabs[i]);
    free(slabs->slabs);
    pthread_mutex_destroy(&slabs->lock);
}

static void push(struct eds_table_slabs *slabs, struct eds_verifier_table *table)
{
    struct eds_unused_table *unused = (struct eds_unused_table *)(void *)table;

    unused->next = slabs->unused;
    slabs->unused = unused;
}

/* One slab more, if there may be one and there is memory. */
static void grow(struct eds_table_slabs *slabs)
{
    struct eds_verifier_table *tables;

    if (slabs->slab_count == slabs->slab_max)
        return;
    tables = aligned_alloc(EDS_SLAB_SIZE, EDS_SLAB_SIZE);
    if (tables == NULL)
        return;
#if defined(MADV_HUGEPAGE)
    if (slabs->slab_count > 0) /* advice only: without it all is as right */
        (void)madvise(tables, EDS_SLAB_SIZE, MADV_HUGEPAGE);
#endif
    slabs->slabs[slabs->slab_count++] = tables;
    for (size_t i = TABLES_PER_SLAB; i-- > 0;)
        push(slabs, &tables[i]);
}

struct eds_verifier_table *eds_table_slabs_take(struct eds_table_slabs *slabs)
{
    struct eds_unused_table *taken;

    pthread_mutex_lock(&slabs->lock);
    if (slabs->unused == NULL)
        grow(slabs);
    taken = slabs->unused;
    if (taken != NULL)
        slabs->unused = taken->next;
    pthread_mutex_unlock(&slabs->lock);
    return (struct eds_verifier_table *)(void *)taken;
}

void eds_table_slabs_give(struct eds_table_slabs *slabs, struct eds_verifier_table *table)
{
    assert(table != NULL);
    pthread_mutex_lock(&slabs->lock);
    push(slabs, table);
    pthread_mutex_unlock(&slabs->lock);
}
