/* sweep.h - going over the good part of a chain file with all cores.
 *
 * The file is cut into parts between records.  Whoever is free takes a part and
 * does everything that can be done without the parts before it: reading, hashes,
 * the links inside it, signatures.  In the order of the file each part is then
 * linked to the one before.
 *
 * A sweep only ever says "good so far".  At the first part that is not plainly
 * good it stops in front of that part, and the careful way (chain_check.c) goes
 * on from there as if there had been no sweep.  So what is found, its place and
 * its words do not depend on it. */
#ifndef EDS_EVIDENCE_SWEEP_H
#define EDS_EVIDENCE_SWEEP_H

#include "evidence/chain_check.h"

struct eds_sweep;

/* eds_sweep_run moves reader, chain and summary (attested_count, and what is
 * taken from the first record) over the good parts at the front.
 *
 * Returns what was read beyond that, which reader gives first from now on, or
 * NULL if there is no such thing: free it when the reader is done with. */
struct eds_sweep *eds_sweep_run(const struct eds_chain_check *check,
                                struct eds_chain_reader *reader, struct eds_chain *chain,
                                struct eds_chain_summary *summary);
void eds_sweep_free(struct eds_sweep *sweep);

#endif
