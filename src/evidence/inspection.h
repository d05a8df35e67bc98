/* inspection.h - inspecting the entries of a chain on several threads.
 *
 * One thread gives the entries in order; they are handed on in batches, and
 * where no batch is free that thread takes one and inspects it itself.  So the
 * memory is bounded, all cores are busy, and one thread alone does as well.
 * The fault with the lowest index wins, whichever thread finds it. */
#ifndef EDS_EVIDENCE_INSPECTION_H
#define EDS_EVIDENCE_INSPECTION_H

#include "edgesentry/chain.h"

#define EDS_INSPECTION_THREADS_MAX 64u

struct eds_inspection;

/* One entry to inspect. */
struct eds_inspection_item {
    struct eds_entry entry;
    uint8_t record_hash[EDS_HASH_SIZE];
    void *payload; /* freed with free() when done; NULL: none */
    size_t payload_size;
};

/* eds_inspection_start starts thread_count - 1 threads beside the caller's (as
 * many as can be had); 0 is one per core.  rules outlive the inspection, and the
 * first entry has that index.  NULL without memory. */
struct eds_inspection *eds_inspection_start(const struct eds_chain_rules *rules,
                                            unsigned thread_count, uint64_t first_index);

/* eds_inspection_next gives the item to fill next, payload NULL; or NULL when a
 * fault has been found and nothing after it matters. */
struct eds_inspection_item *eds_inspection_next(struct eds_inspection *inspection);

/* eds_inspection_add takes the item that was given last; one that is not added
 * is dropped (and its payload is still the caller's). */
void eds_inspection_add(struct eds_inspection *inspection);

/* eds_inspection_finish inspects what is left, ends the threads and frees the
 * inspection.  EDS_OK, or EDS_ERR_CHAIN_INVALID with the first fault. */
int32_t eds_inspection_finish(struct eds_inspection *inspection, struct eds_chain_finding *finding);

#endif
