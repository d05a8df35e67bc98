/* ledger.h - where accepted records, chain heads, payloads and the operation
 * log are kept, and what every such store promises.
 *
 * Records, heads and log change together or not at all: that is why they are
 * one interface.  A new store is written from this page alone and passes
 * tests/store/ledger_conformance.c.
 *
 * Threads: commit and the look-ups are called by one thread at a time (the
 * committer); scans may run on another ledger opened on the same place.
 * Errors: EDS_ERR_IO for a failed store (*err says what happened to which file
 * or server), EDS_ERR_NO_MEMORY, EDS_ERR_BUSY when it is locked by another,
 * EDS_ERR_MALFORMED when what is stored is no record, head or line any more
 * (*err names the row).  After any of them the ledger can be used again. */
#ifndef EDS_STORE_LEDGER_H
#define EDS_STORE_LEDGER_H

#include <stdbool.h>

#include "edgesentry/record.h"

struct eds_ledger;
struct eds_roster_ops;
struct eds_quarantine_ops;
struct eds_gap_ops;
struct eds_order_ops;

/* A device's last accepted record, or the end of a gap closed behind it
 * (store/gaps.h): what the next record must follow.  A device never seen has
 * sequence 0 and the zero hash: just what its first record must follow. */
struct eds_head {
    uint64_t sequence;
    uint8_t record_hash[EDS_HASH_SIZE];
    bool attested;           /* it has sent a valid attestation: required since */
    uint64_t conflict_count; /* forks seen: other records under used sequences */
};

enum eds_decision {
    EDS_DECISION_ACCEPTED,
    EDS_DECISION_REJECTED,
    EDS_DECISION_QUARANTINED, /* kept apart (store/quarantine.h) */
    EDS_DECISION_CHANGED,     /* no record's: the registry was changed (store/roster.h), a
                                 gap closed (store/gaps.h), or an order given or answered
                                 (store/orders.h) */
};

/* The words of the table for decisions ("Accepted").  parse returns false for any
 * other word. */
const char *eds_decision_name(enum eds_decision decision);
bool eds_decision_parse(enum eds_decision *out, const char *word);

/* One accepted record to be stored. */
struct eds_append {
    const struct eds_entry *entry;
    uint8_t record_hash[EDS_HASH_SIZE]; /* of entry->record */
    const void *payload;                /* NULL: kept elsewhere; object_ref is taken all the same */
    size_t payload_size;                /* bytes */
};

/* One line of the operation log. */
struct eds_operation {
    enum eds_decision decision;
    const char *device_id; /* NUL-terminated UTF-8 */
    uint64_t sequence;
    const char *message; /* NUL-terminated UTF-8 */
    const char *who;     /* of EDS_DECISION_CHANGED: the operator; else NULL */
    const char *why;     /* and the reason */
};

/* Another record under a used sequence: kept as evidence of a fork. */
struct eds_conflict {
    const struct eds_entry *entry;
    uint8_t record_hash[EDS_HASH_SIZE];
};

/* What one group commit makes durable, in this order of kinds.  appends of one
 * device are in chain order and follow its head; the store moves each head to
 * the device's last append. */
struct eds_commit {
    const struct eds_append *appends;
    size_t append_count;
    const struct eds_conflict *conflicts;
    size_t conflict_count;
    const struct eds_operation *operations;
    size_t operation_count;
    uint64_t now_ms;             /* ingested_at, created_at */
    const uint64_t *ingested_ms; /* of each append, if they came earlier; NULL: now_ms */

    /* Records to be kept apart (store/quarantine.h), with their payloads.  Each
     * device must be quarantined in the registry, and have room for one more, or it
     * is EDS_ERR_HEAD_MOVED.  The same record is kept once. */
    const struct eds_append *quarantined;
    size_t quarantined_count;
};

static inline uint64_t eds_commit_ingested_ms(const struct eds_commit *commit, size_t append)
{
    return commit->ingested_ms != NULL ? commit->ingested_ms[append] : commit->now_ms;
}

/* What a reference stands for. */
struct eds_stored_object {
    bool is_there; /* else the reference is free, and nothing below counts */
    uint8_t payload_hash[EDS_HASH_SIZE];
    const void *payload; /* NULL: not kept in the ledger; else not NULL, though it be empty */
    size_t payload_size; /* bytes */
};

/* A stored record as a scan gives it; pointers hold during the call. */
struct eds_stored {
    const struct eds_entry *entry;
    uint8_t record_hash[EDS_HASH_SIZE]; /* as stored: compare with eds_record_digest */
    uint64_t ingested_ms;
    const struct eds_stored_object *object; /* of scan_whole; else NULL */
};

struct eds_ledger_counts {
    uint64_t records, devices, operations, accepted, rejected, quarantined, changed, conflicts,
        objects;
};

/* At most this many forks are kept per device; the log counts the others. */
#define EDS_CONFLICTS_KEPT_MAX 1000u

/* At most this many records of one device are kept apart at a time. */
#define EDS_QUARANTINED_MAX 100000u

struct eds_ledger_ops {
    const char *name; /* "sqlite", "postgresql", "memory" */

    /* All of the commit, or nothing, is durable on EDS_OK.
     * EDS_ERR_HEAD_MOVED: a head is no longer where the first append of its
     * device starts, or a sequence or object_ref was taken meanwhile; nothing
     * was written, and the caller decides again from what is there now.
     * EDS_ERR_USAGE: what no gate lets through (appends of a device that do not
     * follow each other, sequence 0, a conflict of a device without a record);
     * EDS_ERR_TOO_LARGE: a payload that the store cannot hold.
     * A payload under a reference that stands for it already is kept once. */
    int32_t (*commit)(struct eds_ledger *, const struct eds_commit *, struct eds_error *);

    /* Fills *out; EDS_OK also for a device never seen. */
    int32_t (*head)(struct eds_ledger *, const char *device_id, struct eds_head *out,
                    struct eds_error *);

    /* The hash of the record stored under a sequence.  EDS_ERR_NOT_FOUND. */
    int32_t (*record_hash)(struct eds_ledger *, const char *device_id, uint64_t sequence,
                           uint8_t out[EDS_HASH_SIZE], struct eds_error *);

    /* The payload hash that an object_ref stands for.  EDS_ERR_NOT_FOUND if
     * the reference is free. */
    int32_t (*object)(struct eds_ledger *, const char *object_ref, uint8_t out[EDS_HASH_SIZE],
                      struct eds_error *);

    /* Reads a payload kept here into memory that the caller frees.
     * EDS_ERR_NOT_FOUND. */
    int32_t (*payload)(struct eds_ledger *, const char *object_ref, void **out, size_t *out_size,
                       struct eds_error *);

    /* Calls visit for every record of a device in sequence order, or, with
     * device_id NULL, of all devices: device by device (in byte order of the
     * id), each in sequence order.  A visit that returns other than EDS_OK
     * ends the scan, which returns the same.  It may look up and scan in the
     * same ledger, but not commit.  Of what is committed while a scan runs it
     * may see some or nothing, of what was there before it misses nothing; so
     * for the scans below. */
    int32_t (*scan)(struct eds_ledger *, const char *device_id,
                    int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                    struct eds_error *);

    /* The same, and each record comes with what its reference stands for, as object
     * and payload would say it one by one. */
    int32_t (*scan_whole)(struct eds_ledger *, const char *device_id,
                          int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                          struct eds_error *);

    /* Calls visit for every head, in byte order of the id. */
    int32_t (*heads)(struct eds_ledger *,
                     int32_t (*visit)(void *context, const char *device_id,
                                      const struct eds_head *),
                     void *context, struct eds_error *);

    /* Calls visit for every line of the operation log, oldest first; one that
     * commit is given is never EDS_DECISION_CHANGED. */
    int32_t (*operations)(struct eds_ledger *,
                          int32_t (*visit)(void *context, const struct eds_operation *,
                                           uint64_t created_ms),
                          void *context, struct eds_error *);

    /* Calls visit for every kept fork, oldest first; ingested_ms is when it was
     * seen.  The same record is kept once, and each kept one is counted in its
     * device's head. */
    int32_t (*conflicts)(struct eds_ledger *,
                         int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                         struct eds_error *);

    /* Counts what is there; takes as long as reading it does. */
    int32_t (*counts)(struct eds_ledger *, struct eds_ledger_counts *out, struct eds_error *);

    void (*close)(struct eds_ledger *); /* frees the ledger itself */
};

/* A store embeds this as its first member. */
struct eds_ledger {
    const struct eds_ledger_ops *ops;
    const struct eds_roster_ops *roster;         /* store/roster.h */
    const struct eds_quarantine_ops *quarantine; /* store/quarantine.h */
    const struct eds_gap_ops *gaps;              /* store/gaps.h */
    const struct eds_order_ops *orders;          /* store/orders.h */
    uint32_t schema_version; /* of the tables, as open left them; 0: there are none */
};

/* eds_ledger_open opens a store by its URL and makes what is missing there:
 *
 *   memory:       forgets everything at close; for tests and demos
 *   sqlite:PATH   one SQLite file (WAL, synchronous=FULL), made 0600 in
 *                 directories made 0700
 *   sqlite:PATH?mode=ro
 *                 the same, only to be read, also on a medium that cannot be
 *                 written to: nothing is made, and commit is EDS_ERR_USAGE
 *   postgresql://USER@HOST:PORT/DATABASE?PARAMETER=VALUE
 *                 a PostgreSQL database, as libpq reads the URL; its tables
 *                 are made or brought up to date.  mode=ro as the last
 *                 parameter as above; mode=adopt: tables of edgesentry-rs
 *                 that are there are made this ledger's.  A server that is away is waited for,
 *                 5 s long, by every call but this one
 *
 * EDS_OK and *out, which the caller closes with out->ops->close; EDS_ERR_USAGE
 * for an unknown URL, EDS_ERR_UNSUPPORTED for a store left out of this build
 * or a file written by a newer version, EDS_ERR_EXISTS for a file of another
 * kind, EDS_ERR_NOT_FOUND if there is nothing to be read, EDS_ERR_IO,
 * EDS_ERR_BUSY, EDS_ERR_NO_MEMORY. */
int32_t eds_ledger_open(struct eds_ledger **out, const char *url, struct eds_error *err);

#endif
