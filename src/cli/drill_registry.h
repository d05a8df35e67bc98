/* drill_registry.h - what was registered, changed or revoked behind a copy's recovery
 * point, and is undone in it. */
#ifndef EDS_CLI_DRILL_REGISTRY_H
#define EDS_CLI_DRILL_REGISTRY_H

#include "cli/json_out.h"
#include "store/roster.h"

#define EDS_DRILL_CHANGES_MAX 20u /* listed; the others are counted */

struct eds_drill_change {
    enum eds_role role;
    char id[EDS_DEVICE_ID_SIZE];
    char what[96]; /* "revoked, in the copy active" */
};

struct eds_drill_registry {
    struct eds_drill_change changes[EDS_DRILL_CHANGES_MAX];
    size_t change_count; /* listed */
    uint64_t left_count; /* not listed */
};

/* eds_drill_registry_compare looks at what was changed in the other ledger's registry
 * since the copy's last change.  Errors of the ledgers, EDS_ERR_NO_MEMORY. */
int32_t eds_drill_registry_compare(struct eds_drill_registry *out, struct eds_ledger *copy,
                                   struct eds_ledger *other, struct eds_error *err);

/* They print lines that begin with UNDONE, and the members undone and undone_count. */
void eds_drill_registry_print(const struct eds_drill_registry *found);
void eds_drill_registry_json(struct eds_json_out *json, const struct eds_drill_registry *found);

#endif
