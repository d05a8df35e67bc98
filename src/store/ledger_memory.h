/* ledger_memory.h - the parts of the in-memory ledger, for its own files.
 *
 * It forgets everything at close, and is otherwise held to the same promises
 * as the others: a commit that runs out of memory leaves no trace. */
#ifndef EDS_STORE_LEDGER_MEMORY_H
#define EDS_STORE_LEDGER_MEMORY_H

#include "store/commit_plan.h"
#include "store/gaps.h"
#include "store/key_table.h"
#include "store/ledger.h"
#include "store/orders.h"
#include "store/quarantine.h"
#include "store/roster.h"

/* A record without its device_id, which is the device's, and without the
 * unused bytes of its reference: about a third of an eds_entry. */
struct memory_record {
    uint64_t sequence;
    uint64_t timestamp_ms;
    uint64_t ingested_ms;
    uint8_t payload_hash[EDS_HASH_SIZE];
    uint8_t signature[EDS_SIGNATURE_SIZE];
    uint8_t prev_record_hash[EDS_HASH_SIZE];
    uint8_t record_hash[EDS_HASH_SIZE];
    struct eds_attestation attestation;
    char object_ref[];
};

struct memory_conflict {
    size_t device; /* index */
    struct memory_record *record;
    struct memory_conflict *older; /* of the same device */
};

struct memory_gap {
    uint64_t id;
    struct memory_gap *next; /* of the same device */
    struct eds_gap gap;
};

struct memory_device {
    char *id;
    struct eds_head head;
    struct memory_record **records; /* in the order of sequences */
    size_t record_count;            /* kept_count, or more inside a commit */
    size_t kept_count;
    size_t record_capacity;
    struct memory_gap *gaps; /* oldest first */
    struct memory_conflict *conflict_last;
};

struct memory_object {
    char *ref;
    uint8_t payload_hash[EDS_HASH_SIZE];
    void *payload; /* NULL: kept elsewhere */
    size_t payload_size;
    uint64_t filled_by; /* the commit that brought the payload */
};

struct memory_operation {
    enum eds_decision decision;
    uint64_t sequence;
    uint64_t created_ms;
    const char *message, *who, *why; /* inside text, or NULL */
    char text[];                     /* device_id first, each with its NUL */
};

/* Lists only grow, at their ends; a commit that fails cuts them back. */
struct memory_ledger {
    struct eds_ledger ledger;
    struct eds_commit_plan plan;

    struct eds_key_table device_ids;
    struct memory_device *devices; /* by index in device_ids */
    size_t device_capacity;

    struct eds_key_table object_refs;
    struct memory_object *objects; /* by index in object_refs */
    size_t object_capacity;

    struct memory_conflict **conflicts;
    size_t conflict_count, conflict_capacity;

    struct memory_operation **operations;
    size_t operation_count, operation_capacity;

    /* The registry: those of a role found by id, and who has which key. */
    struct eds_key_table enrolled_ids[EDS_ROLE_COUNT];
    struct eds_enrolment **enrolments[EDS_ROLE_COUNT]; /* by index in enrolled_ids */
    size_t enrolment_capacity[EDS_ROLE_COUNT];
    uint64_t roster_version;

    struct eds_quarantined **quarantined; /* by id - 1; NULL: taken out */
    size_t quarantined_count, quarantined_capacity;

    struct eds_stored_order **orders; /* as they were given */
    size_t order_count, order_capacity;

    uint64_t gap_count;
    uint64_t record_count, accepted_count, kept_apart_count, changed_count;
    uint64_t commit_number; /* of the commit that runs or ran last */
};

extern const struct eds_roster_ops eds_memory_roster_ops;

extern const struct eds_quarantine_ops eds_memory_quarantine_ops;

extern const struct eds_gap_ops eds_memory_gap_ops;

extern const struct eds_order_ops eds_memory_order_ops;

/* ledger_memory_orders.c: frees all orders. */
void eds_memory_orders_free(struct memory_ledger *memory);

/* ledger_memory_gaps.c: frees a device's gaps. */
void eds_memory_gaps_free(struct memory_device *device);

/* ledger_memory_quarantine.c: the records of a commit to be kept apart, with what
 * must be undone if it fails; and frees all. */
int32_t eds_memory_add_quarantined(struct memory_ledger *memory, const struct eds_append *append,
                                   uint64_t now_ms, struct eds_error *err);
void eds_memory_cut_quarantined(struct memory_ledger *memory, size_t count);
void eds_memory_quarantine_free(struct memory_ledger *memory);

/* ledger_memory_roster.c: a device of the registry, or NULL; frees the registry. */
struct eds_enrolment *eds_memory_device(struct memory_ledger *memory, const char *id);
void eds_memory_roster_free(struct memory_ledger *memory);

/* ledger_memory_commit.c: a device, or NULL; one more, without a record, or not
 * (EDS_ERR_NO_MEMORY); and the newest ones taken out again, down to count. */
struct memory_device *eds_memory_device_of(struct memory_ledger *memory, const char *id);
int32_t eds_memory_add_device(struct memory_ledger *memory, const char *id);
void eds_memory_cut_devices(struct memory_ledger *memory, size_t count);

/* A line of the operation log, alone or not at all; and a list with room for one
 * more element (the same one, a longer one in its place, or NULL and the list as it
 * was). */
int32_t eds_memory_add_operation(struct memory_ledger *memory,
                                 const struct eds_operation *operation, uint64_t now_ms,
                                 struct eds_error *err);
void *eds_memory_grown(void *list, size_t *capacity, size_t count, size_t element_size);

int32_t eds_memory_open(struct eds_ledger **out, struct eds_error *err);

/* The slots of the table of functions that have files of their own. */
int32_t eds_memory_commit(struct eds_ledger *ledger, const struct eds_commit *commit,
                          struct eds_error *err);
int32_t eds_memory_scan(struct eds_ledger *ledger, const char *device_id,
                        int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                        struct eds_error *err);
int32_t eds_memory_scan_whole(struct eds_ledger *ledger, const char *device_id,
                              int32_t (*visit)(void *context, const struct eds_stored *),
                              void *context, struct eds_error *err);
int32_t eds_memory_heads(struct eds_ledger *ledger,
                         int32_t (*visit)(void *context, const char *device_id,
                                          const struct eds_head *),
                         void *context, struct eds_error *err);
int32_t eds_memory_operations(struct eds_ledger *ledger,
                              int32_t (*visit)(void *context, const struct eds_operation *,
                                               uint64_t created_ms),
                              void *context, struct eds_error *err);
int32_t eds_memory_conflicts(struct eds_ledger *ledger,
                             int32_t (*visit)(void *context, const struct eds_stored *),
                             void *context, struct eds_error *err);

#endif
