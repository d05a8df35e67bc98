/* ledger_export.h - a device's chain out of a ledger, in a form that
 * verify-chain and edgesentry-rs read. */
#ifndef EDS_EVIDENCE_LEDGER_EXPORT_H
#define EDS_EVIDENCE_LEDGER_EXPORT_H

#include "edgesentry/json.h"
#include "store/gaps.h"
#include "store/objects.h"

/* Takes the next bytes of a file; errors end the export. */
typedef int32_t eds_export_write(void *file, const void *bytes, size_t size, struct eds_error *err);

struct eds_ledger_export {
    struct eds_ledger *ledger;
    const char *device_id;
    enum eds_chain_format format;
    eds_export_write *write;
    void *records;               /* passed to write: where the records go */
    void *payloads;              /* where the payloads go, as in payload_file.h; NULL: nowhere */
    struct eds_objects *objects; /* of payloads that are not in the ledger; NULL: none */
    unsigned thread_count;       /* 0: one per core */
    void *gaps;                  /* where the gap records go, as in docs/SPEC.md; NULL: nowhere */
};

struct eds_export_summary {
    uint64_t record_count;
    uint64_t first_sequence, last_sequence;
    uint8_t last_record_hash[EDS_HASH_SIZE]; /* as stored */
    uint64_t gap_count; /* between the records and behind the last one, written or not */
};

/* eds_ledger_export_run writes the whole chain in constant memory: a few hundred
 * records, and of payloads a MiB a thread, or as many as are on their way from
 * elsewhere.  write is called by the caller's thread.
 * EDS_ERR_NOT_FOUND if the device has no record here, or if payloads are
 * wanted and one is not kept in either; else a store's or write's error. */
int32_t eds_ledger_export_run(const struct eds_ledger_export *job,
                              struct eds_export_summary *summary, struct eds_error *err);

#endif
