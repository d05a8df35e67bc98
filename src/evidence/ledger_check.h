/* ledger_check.h - is everything in a ledger as ingest left it?
 *
 * Walks all records once, in constant memory, and holds against each other
 * what is stored more than once: each record and its stored hash, each link
 * and the record before, each reference and its payload, each head and the
 * last record, the operation log and the records it tells of.  It goes on after a fault and reports
 * every one, in order.
 *
 * The ledger is read, and found, keys and progress are called, by the caller's
 * thread; hashes and signatures are the work of all cores.  What is found, in
 * which order and words, does not depend on how many there are. */
#ifndef EDS_EVIDENCE_LEDGER_CHECK_H
#define EDS_EVIDENCE_LEDGER_CHECK_H

#include "core/gap.h"
#include "store/objects.h"

enum eds_ledger_fault {
    EDS_LEDGER_CHAIN,          /* a fault of the chain or a signature: see chain */
    EDS_LEDGER_KEY,            /* signed by a key of the device that was not valid then */
    EDS_LEDGER_HASH,           /* the stored hash is not the record's */
    EDS_LEDGER_OBJECT,         /* the reference stands for another payload */
    EDS_LEDGER_OBJECT_ABSENT,  /* the reference stands for nothing */
    EDS_LEDGER_PAYLOAD,        /* the payload that is kept has another hash */
    EDS_LEDGER_PAYLOAD_ABSENT, /* the payload is nowhere, though its store was given */
    EDS_LEDGER_HEAD,           /* the head is not the device's last record */
    EDS_LEDGER_RECORDS_ABSENT, /* the head's record is not there: the end was cut */
    EDS_LEDGER_CONFLICT,       /* a kept fork is no other record than the accepted one */
    EDS_LEDGER_GAP_SIGNATURE,  /* no key of its operator signed a gap */
    EDS_LEDGER_GAP_KEY,        /* the key that signed it was not valid then */
    EDS_LEDGER_LOG_ABSENT,     /* the operation log has no line of its acceptance */
    EDS_LEDGER_LOG_ALONE,      /* the log says that it was accepted, and it is not there */
    EDS_LEDGER_LOG_TWICE,      /* the log says so twice */
    EDS_LEDGER_GAP_PLACE,      /* a gap does not begin where the chain before it ends */
};

/* One fault; pointers hold during the call. */
struct eds_ledger_finding {
    enum eds_ledger_fault fault;
    const char *device_id;
    uint64_t sequence;              /* of the record; of a gap where it ends */
    struct eds_chain_finding chain; /* for EDS_LEDGER_CHAIN; index counts per device */
};

#define EDS_LEDGER_KEYS_MAX 128u /* of one device */

struct eds_ledger_check {
    struct eds_ledger *ledger; /* may be in use by a server meanwhile */
    /* Another one, open on the same place: the operation log is read from it, by a thread
     * of its own, while the records are.  NULL, or thread_count 1: afterwards. */
    struct eds_ledger *log_ledger;
    struct eds_objects *objects; /* of payloads that are not in the ledger; NULL: not checked */
    unsigned thread_count;       /* 0: one per core */
    /* Gives the keys of a device, ended ones included, which live until the next
     * call; returns their number (at most EDS_LEDGER_KEYS_MAX are looked at), 0 for
     * a device whose signatures cannot be checked.  NULL: none. */
    size_t (*keys)(void *context, const char *device_id, const struct eds_enrolled_key **out);
    /* The same for operators, who sign gaps.  Where it gives none a gap is a fault. */
    size_t (*operator_keys)(void *context, const char *name, const struct eds_enrolled_key **out);
    void (*found)(void *context, const struct eds_ledger_finding *finding);
    void (*gap)(void *context, const struct eds_gap *gap); /* each that is there; NULL: not */
    /* A note by which a device says that it gave a payload up, and what it says; of those
     * whose own payload is in the ledger.  NULL: not. */
    void (*dropped)(void *context, const EdsAuditRecord *record, const char *text);
    void (*progress)(void *context, uint64_t records, uint64_t bytes); /* NULL: not */
    void *context;
};

struct eds_ledger_summary {
    uint64_t record_count, device_count;
    uint64_t verified_count;       /* records whose signature was checked */
    uint64_t attested_count;       /* attestations that were checked */
    uint64_t payload_count;        /* payloads checked */
    uint64_t payload_absent_count; /* payloads not in this ledger, and not checked */
    uint64_t dropped_count;        /* notes of payloads that devices gave up */
    uint64_t conflict_count;       /* forks kept */
    uint64_t gap_count;            /* gaps closed, good or not */
    uint64_t gap_missing_count;    /* records that are missing in them */
    uint64_t finding_count;
};

/* eds_ledger_check_run walks the ledger.  EDS_OK when it reached the end, with
 * findings or without; else a store's error, EDS_ERR_MALFORMED among them for
 * a row that is no record any more. */
int32_t eds_ledger_check_run(const struct eds_ledger_check *check,
                             struct eds_ledger_summary *summary, struct eds_error *err);

/* eds_ledger_finding_text says a finding in words.  512 bytes are enough. */
void eds_ledger_finding_text(char *out, size_t size, const struct eds_ledger_finding *finding);

#endif
