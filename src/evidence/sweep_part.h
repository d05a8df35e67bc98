/* sweep_part.h - one part of a chain file, and what one thread finds in it. */
#ifndef EDS_EVIDENCE_SWEEP_PART_H
#define EDS_EVIDENCE_SWEEP_PART_H

#include "evidence/chain_check.h"
#include "evidence/vouching.h"

struct eds_sweep_part {
    char *text;
    size_t size; /* bytes */
    bool is_first, is_last;
    bool is_cut; /* it ends where a record does, or the file */

    /* What was found. */
    bool is_good;
    struct eds_chain_reader reader; /* at its end */
    EdsAuditRecord first;           /* if chain.count > 0 */
    uint8_t first_hash[EDS_HASH_SIZE];
    struct eds_chain chain; /* over its records, as if the first one were right */
    uint64_t attested_count;
};

/* Room for a batch of its records; one for each thread. */
struct eds_sweep_desk;

struct eds_sweep_desk *eds_sweep_desk_create(void); /* NULL without memory */
void eds_sweep_desk_destroy(struct eds_sweep_desk *desk);

/* eds_sweep_part_read reads and checks a part by itself.
 *
 *   vouching  may be NULL */
void eds_sweep_part_read(struct eds_sweep_part *part, enum eds_chain_format format,
                         const struct eds_chain_rules *rules, const struct eds_vouching *vouching,
                         struct eds_sweep_desk *desk);

#endif
