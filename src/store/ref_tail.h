/* ref_tail.h - references with their row's number, the newest of a store: those
 * that its index does not have yet.
 *
 * Found by hash, taken back in the reverse order of adding (a commit that
 * failed), and given out sorted, so that an index takes them in order.  Copies
 * the references into blocks that it keeps: once it has grown nothing is
 * allocated. */
#ifndef EDS_STORE_REF_TAIL_H
#define EDS_STORE_REF_TAIL_H

#include <stdbool.h>

#include "store/key_table.h"

struct eds_ref_tail_item {
    const char *ref;
    int64_t id;
    size_t block, used; /* where the blocks ended before it */
};

/* An item and the first of its bytes that not all have in common, as a number. */
struct eds_ref_tail_sorted {
    uint64_t order;
    const struct eds_ref_tail_item *item;
};

struct eds_ref_tail {
    struct eds_key_table refs;
    struct eds_ref_tail_item *items; /* by index in refs */
    struct eds_ref_tail_sorted *sorted;
    size_t capacity; /* of both */
    char **blocks;
    size_t block_count;
    size_t block, used; /* the next reference goes to blocks[block], after that many bytes */
};

/* eds_ref_tail_init makes an empty tail.  EDS_OK, or as eds_key_table_init. */
int32_t eds_ref_tail_init(struct eds_ref_tail *tail, struct eds_error *err);
void eds_ref_tail_free(struct eds_ref_tail *tail); /* a zeroed one, too */

/* eds_ref_tail_hash is what find and add are given with a reference. */
uint64_t eds_ref_tail_hash(const struct eds_ref_tail *tail, const char *ref);

/* eds_ref_tail_find gives a reference's number, if it is here. */
bool eds_ref_tail_find(const struct eds_ref_tail *tail, const char *ref, uint64_t hash,
                       int64_t *id);

/* eds_ref_tail_add adds a reference that is absent.  EDS_OK, or
 * EDS_ERR_NO_MEMORY with nothing changed. */
int32_t eds_ref_tail_add(struct eds_ref_tail *tail, const char *ref, uint64_t hash, int64_t id);

/* eds_ref_tail_cut takes back all but the first count. */
void eds_ref_tail_cut(struct eds_ref_tail *tail, size_t count);

/* eds_ref_tail_sort gives all of them, refs.count, in byte order of the
 * reference; good until the next change. */
const struct eds_ref_tail_sorted *eds_ref_tail_sort(struct eds_ref_tail *tail);

#endif
