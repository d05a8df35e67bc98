/* ledger_walk.c - see ledger_walk.h. */
#include "cli/ledger_walk.h"

#include <string.h>

static size_t find(struct eds_ledger_walk *walk, enum eds_role role, const char *id,
                   struct eds_enrolment *found, const struct eds_enrolled_key **out)
{
    struct eds_error err;
    int32_t rc = walk->ledger->roster->find(walk->ledger, role, id, found, &err);

    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        walk->failure = err;
    *out = found->keys;
    return rc == EDS_OK ? found->key_count : 0;
}

static size_t give_keys(void *context, const char *device_id, const struct eds_enrolled_key **out)
{
    struct eds_ledger_walk *walk = context;

    return find(walk, EDS_ROLE_DEVICE, device_id, &walk->device, out);
}

static size_t give_operator_keys(void *context, const char *name,
                                 const struct eds_enrolled_key **out)
{
    struct eds_ledger_walk *walk = context;

    return find(walk, EDS_ROLE_OPERATOR, name, &walk->operator, out);
}

static void take_finding(void *context, const struct eds_ledger_finding *finding)
{
    struct eds_ledger_walk *walk = context;
    bool is_payload =
        finding->fault == EDS_LEDGER_PAYLOAD || finding->fault == EDS_LEDGER_PAYLOAD_ABSENT;
    char *text = is_payload ? walk->payload_fault : walk->fault;

    if (is_payload)
        walk->payload_fault_count++;
    else
        walk->fault_count++;
    if (text[0] == '\0')
        eds_ledger_finding_text(text, EDS_ERROR_TEXT_SIZE, finding);
}

static void show_progress(void *context, uint64_t records, uint64_t bytes)
{
    struct eds_ledger_walk *walk = context;

    eds_progress_update(&walk->progress, records, bytes);
}

int32_t eds_ledger_walk_run(struct eds_ledger_walk *walk, struct eds_ledger *ledger,
                            struct eds_objects *objects, struct eds_error *err)
{
    struct eds_ledger_check check = {
        .ledger = ledger,
        .objects = objects,
        .keys = give_keys,
        .operator_keys = give_operator_keys,
        .found = take_finding,
        .progress = show_progress,
        .context = walk,
    };
    int32_t rc;

    memset(walk, 0, sizeof *walk);
    walk->ledger = ledger;
    eds_progress_begin(&walk->progress);
    rc = eds_ledger_check_run(&check, &walk->summary, err);
    eds_progress_end(&walk->progress);
    if (walk->failure.code != EDS_OK) {
        *err = walk->failure;
        return err->code;
    }
    if (rc != EDS_ERR_MALFORMED)
        return rc;
    walk->fault_count++; /* a row that is no record any more ends the walk */
    if (walk->fault[0] == '\0')
        memcpy(walk->fault, err->text, sizeof walk->fault);
    return EDS_OK;
}
