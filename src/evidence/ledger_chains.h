/* ledger_chains.h - the chains in a ledger that is checked: what shows only when records
 * pass in their order.
 *
 * What can be found in a record alone was found before (ledger_piece.h).  Here it is
 * reported, record by record, with the links, the gaps between records, attestations
 * that end, and heads that stay behind.  Then come the heads that are ahead, and the
 * forks.  A server may append meanwhile, so a head that is ahead of the records seen is
 * no fault as long as its record is there. */
#ifndef EDS_EVIDENCE_LEDGER_CHAINS_H
#define EDS_EVIDENCE_LEDGER_CHAINS_H

#include "core/chain_impl.h"
#include "evidence/ledger_gaps.h"
#include "evidence/ledger_log.h"
#include "evidence/ledger_piece.h"

struct eds_ledger_chains {
    const struct eds_ledger_check *check;
    struct eds_ledger_summary *summary;
    struct eds_error *err;
    struct eds_ledger_log *log;
    uint64_t bytes; /* of the payloads checked */

    /* The device whose records are passing. */
    const struct eds_ledger_device *device; /* NULL: none yet */
    char device_id[EDS_DEVICE_ID_SIZE];
    bool attested; /* one of its records was: from then on all must be */
    struct eds_chain chain;
    struct eds_gap_walk gaps;
    bool has_gaps; /* any device, when the check began */
    uint64_t record_index;
};

/* eds_ledger_chains_begin begins before the first record.
 *
 *   check, summary, err, log  the caller's until all is done: findings go to
 *                             check->found and are counted in summary, each record
 *                             is added to log, and err (or NULL) gets the words of
 *                             whatever the functions below fail with
 *
 * This one and the rest: EDS_OK, with findings or without; else a store's error. */
int32_t eds_ledger_chains_begin(struct eds_ledger_chains *chains,
                                const struct eds_ledger_check *check,
                                struct eds_ledger_summary *summary, struct eds_ledger_log *log,
                                struct eds_error *err);

/* eds_ledger_chains_add takes the next record, all of a device in a row.
 *
 *   piece  where the item is, inspected; only looked at during the call
 *
 * The item's device must live until a record of another one was taken. */
int32_t eds_ledger_chains_add(struct eds_ledger_chains *chains,
                              const struct eds_ledger_piece *piece,
                              const struct eds_ledger_item *item);

/* eds_ledger_chains_end ends the last chain, behind the last record. */
int32_t eds_ledger_chains_end(struct eds_ledger_chains *chains);

/* eds_ledger_chains_check_heads looks whether each head's record is there and is the one
 * it names, eds_ledger_chains_check_forks whether each fork that was kept is a record,
 * and another than the accepted one.  Both after the end, and in this order. */
int32_t eds_ledger_chains_check_heads(struct eds_ledger_chains *chains);
int32_t eds_ledger_chains_check_forks(struct eds_ledger_chains *chains);

#endif
