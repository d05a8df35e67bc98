/* check.h - the checks that need no chain state, of many submissions together.
 *
 * Hashes and signatures are most of a record's cost, and cost far less side by
 * side.  So they are computed for all submissions first, each signature under
 * the key that is likely to have made it; then the gate takes the submissions
 * one by one and computes what is still missing (another of many keys).  The
 * verdicts are those of eds_gate_check_request, whatever was found before. */
#ifndef EDS_INGEST_CHECK_H
#define EDS_INGEST_CHECK_H

#include "ingest/ingest.h"

#define EDS_CHECK_MAX       256u          /* submissions in one call */
#define EDS_CHECK_SMALL_MAX (16u * 1024u) /* bytes of a payload that is hashed with others */

/* What the checks go by; all of it outlives them. */
struct eds_checks {
    const struct eds_registry *registry; /* NULL: the route identity alone is checked */
    struct eds_key_tables *key_tables;
};

/* Room for one call, about a megabyte; one for each thread. */
struct eds_check_desk;

struct eds_check_desk *eds_check_desk_create(void); /* NULL without memory */
void eds_check_desk_destroy(struct eds_check_desk *desk);

/* eds_check_begin hashes a large payload, which is better done on the thread
 * that brings it than by the few that check.  Before eds_check_run. */
void eds_check_begin(struct eds_submission *submission);

/* eds_check_run gives each of count submissions its verdict, message, record
 * hash and attest_required. */
void eds_check_run(const struct eds_checks *checks, struct eds_check_desk *desk,
                   struct eds_submission **submissions, size_t count);

/* eds_check_alone does the same for one, on its caller's stack. */
void eds_check_alone(const struct eds_checks *checks, struct eds_submission *submission);

#endif
