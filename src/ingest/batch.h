/* batch.h - a server's keeper: decides many submissions in order, and makes them
 * durable in one commit of the ledger. */
#ifndef EDS_INGEST_BATCH_H
#define EDS_INGEST_BATCH_H

#include "ingest/books.h"
#include "ingest/keeper.h"
#include "ingest/pending.h"

struct eds_batch_item {
    struct eds_submission *submission;
    enum eds_verdict checked;     /* what the checks before the queue said */
    bool on_pending;              /* decided against what is not stored yet */
    bool list_decided, is_listed; /* a line in the operation log? */
};

struct eds_batch {
    struct eds_keeper keeper; /* first; its count: of items */
    struct eds_ledger *ledger;
    const struct eds_registry *registry;
    void (*refresh)(void *context); /* of the config */
    void *refresh_context;
    struct eds_sightings *sightings;
    size_t max;
    struct eds_heads heads;
    struct eds_pending pending;
    struct eds_batch_item *items;
    struct eds_conflict *conflicts;
    size_t conflict_count;
    struct eds_append *quarantined;
    size_t quarantined_count;
    struct eds_operation *operations;
    size_t operation_count;
    struct eds_flood floods[EDS_FLOODS_MAX];
    char flood_messages[EDS_FLOODS_MAX][192];
    const EdsAuditRecord *at;   /* what is decided, or the first of a commit; NULL: no record */
    bool has_refreshed;         /* the registry, for this batch */
    bool asks_for_objects;      /* whether references are looked up before the commit */
    uint64_t failure_logged_ns; /* when a failed store was last complained about */
};

/* eds_batch_init prepares a keeper of at most max submissions at once, those whose
 * verdict is of eds_gate_check_request.  EDS_OK, EDS_ERR_NO_MEMORY, EDS_ERR_PANIC; call
 * eds_batch_free in any case. */
int32_t eds_batch_init(struct eds_batch *batch, const struct eds_ingest_config *config, size_t max,
                       size_t heads_max);
void eds_batch_free(struct eds_batch *batch);

#endif
