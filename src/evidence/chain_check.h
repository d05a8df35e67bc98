/* chain_check.h - checking a whole chain file on all cores, in constant memory.
 *
 * The good part of a file is swept over by all threads (sweep.h); at what is left
 * one thread reads and links, and the others check signatures, attestations and
 * payloads of the records in between.  The first fault by index wins, whatever
 * thread finds it. */
#ifndef EDS_EVIDENCE_CHAIN_CHECK_H
#define EDS_EVIDENCE_CHAIN_CHECK_H

#include "core/gap.h"
#include "edgesentry/json.h"

struct eds_chain_check {
    struct eds_chain_rules rules;
    unsigned thread_count; /* 0: one per core */
    size_t part_size;      /* bytes that a thread takes at once; 0: 256 KiB */
    /* Gives the payload of the entry at index; called in order by the reading
     * thread, from EDS_STRENGTH_SIGNATURES on.  The memory (never NULL, even for no
     * bytes) is freed with free().  EDS_OK, EDS_ERR_NOT_FOUND (no payload), else the
     * check ends with that error.  NULL: no payloads. */
    int32_t (*payload)(void *context, uint64_t index, const struct eds_entry *entry, void **out,
                       size_t *out_size, struct eds_error *err);
    /* The gaps that the chain may have, in their order; who signed them the caller has
     * seen to.  Each must have its place. */
    const struct eds_gap *gaps;
    size_t gap_count;
    /* Called now and then with what is done; NULL: not. */
    void (*progress)(void *context, uint64_t records, uint64_t bytes);
    void *context;
};

struct eds_chain_summary {
    uint64_t record_count;
    uint64_t attested_count; /* from EDS_STRENGTH_SIGNATURES on */
    uint64_t payload_count;  /* payloads checked */
    uint64_t first_sequence, last_sequence;
    uint8_t last_record_hash[EDS_HASH_SIZE]; /* compare with one seen elsewhere */
    char device_id[EDS_DEVICE_ID_SIZE];      /* of the first record */
};

/* eds_chain_check_run reads entries until the end or the first fault.
 *
 * EDS_OK; EDS_ERR_CHAIN_INVALID with *finding, and its words in *err; else a
 * reader's or payload's error with *err, or EDS_ERR_NO_MEMORY.  A fault before
 * the place of such an error wins.  *summary is zero unless EDS_OK. */
int32_t eds_chain_check_run(const struct eds_chain_check *check, struct eds_chain_reader *reader,
                            struct eds_chain_summary *summary, struct eds_chain_finding *finding,
                            struct eds_error *err);

#endif
