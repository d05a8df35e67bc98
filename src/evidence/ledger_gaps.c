/* ledger_gaps.c - see ledger_gaps.h. */
#include "evidence/ledger_gaps.h"

#include <string.h>

static int32_t read_next(struct eds_gap_walk *walk, const char *device_id, struct eds_error *err)
{
    int32_t rc = walk->ledger->gaps->next(walk->ledger, device_id, &walk->place, &walk->next, err);

    walk->has_next = rc == EDS_OK;
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

int32_t eds_ledger_has_gaps(struct eds_ledger *ledger, bool *has, struct eds_error *err)
{
    struct eds_gap_walk walk;
    int32_t rc = eds_gap_walk_begin(&walk, ledger, NULL, false, err);

    *has = walk.has_next;
    return rc;
}

int32_t eds_gap_walk_begin(struct eds_gap_walk *walk, struct eds_ledger *ledger,
                           const char *device_id, bool is_whole, struct eds_error *err)
{
    walk->ledger = ledger;
    walk->place = (struct eds_gap_place){.id = 0};
    walk->has_next = false;
    return is_whole ? EDS_OK : read_next(walk, device_id, err);
}

static bool follows(const struct eds_chain *chain, uint64_t sequence, const uint8_t *prev_hash)
{
    return sequence == chain->sequence + 1 &&
           memcmp(prev_hash, chain->record_hash, EDS_HASH_SIZE) == 0;
}

int32_t eds_gap_walk_to(struct eds_gap_walk *walk, struct eds_chain *chain, const char *device_id,
                        uint64_t sequence, const uint8_t *prev_hash, uint64_t *misplaced,
                        struct eds_error *err)
{
    int32_t rc = EDS_OK;

    *misplaced = 0;
    if (!walk->has_next && prev_hash != NULL && !follows(chain, sequence, prev_hash))
        rc = read_next(walk, device_id, err);
    while (rc == EDS_OK && walk->has_next &&
           (prev_hash == NULL || walk->next.resume_sequence <= sequence)) {
        if (!eds_gap_cross(&walk->next, chain))
            *misplaced = walk->next.resume_sequence;
        rc = read_next(walk, device_id, err);
    }
    return rc;
}

int32_t eds_ledger_gap_ends(struct eds_ledger *ledger, const char *device_id,
                            const struct eds_head *head, bool *ends, struct eds_error *err)
{
    struct eds_gap_walk walk;
    int32_t rc = eds_gap_walk_begin(&walk, ledger, device_id, false, err);

    *ends = false;
    while (rc == EDS_OK && walk.has_next && !*ends) {
        *ends = eds_gap_ends_at(&walk.next, head->sequence, head->record_hash);
        rc = read_next(&walk, device_id, err);
    }
    return rc;
}

/* A walk over the gaps of all devices. */
struct pass {
    const struct eds_ledger_check *check;
    struct eds_ledger_summary *summary;
    struct eds_error *err;
    char device_id[EDS_DEVICE_ID_SIZE]; /* "": none yet */
    bool has_records;
    struct eds_chain chain; /* of a device without records */
};

static void report(struct pass *pass, enum eds_ledger_fault fault, uint64_t sequence)
{
    struct eds_ledger_finding finding = {
        .fault = fault, .device_id = pass->device_id, .sequence = sequence};

    pass->summary->finding_count++;
    if (pass->check->found != NULL)
        pass->check->found(pass->check->context, &finding);
}

static int32_t stop(void *context, const struct eds_stored *stored)
{
    (void)stored;
    *(bool *)context = true;
    return EDS_ERR_EXISTS;
}

static int32_t begin_device(struct pass *pass, const char *device_id)
{
    struct eds_ledger *ledger = pass->check->ledger;
    int32_t rc;

    strcpy(pass->device_id, device_id);
    pass->has_records = false;
    eds_chain_begin(&pass->chain, EDS_STRENGTH_SIGNATURES);
    rc = ledger->ops->scan(ledger, device_id, stop, &pass->has_records, pass->err);
    return pass->has_records ? EDS_OK : rc;
}

/* Without a record nobody else has looked at the head. */
static int32_t end_device(struct pass *pass)
{
    struct eds_ledger *ledger = pass->check->ledger;
    struct eds_head head;
    int32_t rc;

    if (pass->device_id[0] == '\0' || pass->has_records)
        return EDS_OK;
    rc = ledger->ops->head(ledger, pass->device_id, &head, pass->err);
    if (rc == EDS_OK && head.sequence < pass->chain.sequence)
        report(pass, EDS_LEDGER_HEAD, pass->chain.sequence);
    return rc;
}

static void judge(struct pass *pass, const struct eds_gap *gap)
{
    const struct eds_ledger_check *check = pass->check;
    const struct eds_enrolled_key *keys = NULL;
    size_t count = check->operator_keys != NULL
                       ? check->operator_keys(check->context, gap->operator_name, &keys)
                       : 0;
    enum eds_gap_standing standing = eds_gap_judge(gap, keys, count);

    if (standing != EDS_GAP_SIGNED)
        report(pass, standing == EDS_GAP_UNTIMELY ? EDS_LEDGER_GAP_KEY : EDS_LEDGER_GAP_SIGNATURE,
               gap->resume_sequence);
}

static int32_t take(struct pass *pass, const struct eds_gap *gap)
{
    int32_t rc = EDS_OK;

    if (strcmp(gap->device_id, pass->device_id) != 0) {
        rc = end_device(pass);
        if (rc == EDS_OK)
            rc = begin_device(pass, gap->device_id);
    }
    if (rc != EDS_OK)
        return rc;
    pass->summary->gap_count++;
    pass->summary->gap_missing_count += eds_gap_missing(gap);
    if (!pass->has_records && !eds_gap_cross(gap, &pass->chain))
        report(pass, EDS_LEDGER_GAP_PLACE, gap->resume_sequence);
    judge(pass, gap);
    if (pass->check->gap != NULL)
        pass->check->gap(pass->check->context, gap);
    return EDS_OK;
}

int32_t eds_ledger_gaps_check(const struct eds_ledger_check *check,
                              struct eds_ledger_summary *summary, struct eds_error *err)
{
    struct eds_ledger *ledger = check->ledger;
    struct pass pass = {.check = check, .summary = summary, .err = err};
    struct eds_gap_place place = {.id = 0};
    struct eds_gap gap;
    int32_t rc = EDS_OK;

    while (rc == EDS_OK) {
        rc = ledger->gaps->next(ledger, NULL, &place, &gap, err);
        if (rc == EDS_OK)
            rc = take(&pass, &gap);
    }
    return rc == EDS_ERR_NOT_FOUND ? end_device(&pass) : rc;
}
