/* vouching.h - the signatures of many entries at once, by tables of their keys.
 *
 * A chain has one device and so a key or a few: their tables are made once, and
 * a batch's signatures and attestations go through the verifier together.  What
 * is vouched for is signed, and attested if it has an attestation, by one of the
 * keys; what is not may still be good (another of many keys, no table), and is
 * looked at one by one. */
#ifndef EDS_EVIDENCE_VOUCHING_H
#define EDS_EVIDENCE_VOUCHING_H

#include "evidence/inspection.h"

#define EDS_VOUCHING_BATCH_MAX 256u /* entries in one call */

struct eds_vouching;      /* the tables; read by all threads */
struct eds_vouching_desk; /* room for one batch; one for each thread */

/* eds_vouching_create makes the tables of the rules' keys (the first few, if
 * there are many): some milliseconds.  NULL without memory, or where tables are
 * of no use; then nothing can be vouched for, and all is well all the same. */
struct eds_vouching *eds_vouching_create(const struct eds_chain_rules *rules);
void eds_vouching_destroy(struct eds_vouching *vouching);

struct eds_vouching_desk *eds_vouching_desk_create(void);
void eds_vouching_desk_destroy(struct eds_vouching_desk *desk);

/* eds_vouching_run sets vouched[i] for each of count entries. */
void eds_vouching_run(const struct eds_vouching *vouching, struct eds_vouching_desk *desk,
                      const struct eds_inspection_item *items, size_t count, bool *vouched);

#endif
