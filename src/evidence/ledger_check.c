/* ledger_check.c - see ledger_check.h.
 *
 * The records go by twice.  As the ledger gives them they are put into pieces, on
 * which the crew works (ledger_piece.h); a piece that comes back is walked over in
 * order, which makes chains of them (ledger_chains.h).  What needs no records in order
 * comes behind: heads, forks, the gaps' signatures and the operation log. */
#include "evidence/ledger_check.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/ed25519.h"
#include "edgesentry/verifier.h"
#include "evidence/crew.h"
#include "evidence/ledger_chains.h"

struct walk {
    const struct eds_ledger_check *check;
    struct eds_error *err;

    /* On the way to the crew. */
    struct eds_crew *crew;
    struct eds_key_cache *keys;
    struct eds_fetcher *fetcher;                     /* NULL: no other payloads */
    char filling_id[EDS_DEVICE_ID_SIZE];             /* whose records are coming in */
    struct eds_ledger_device *devices, *last_device; /* in order, those in pieces */

    int32_t visit_rc; /* of the last visit */

    struct eds_ledger_chains chains; /* on the way back */
};

/* Frees the devices before that one: nothing of theirs is in a piece any more. */
static void forget_devices(struct walk *walk, const struct eds_ledger_device *device)
{
    while (walk->devices != device) {
        struct eds_ledger_device *before = walk->devices;

        walk->devices = before->next;
        free(before);
    }
}

/* Takes the oldest piece back and walks over it.  EDS_ERR_NOT_FOUND if there is
 * none. */
static int32_t take_back(struct walk *walk)
{
    struct eds_ledger_piece *piece = eds_crew_take(walk->crew);
    const struct eds_ledger_check *check = walk->check;
    int32_t rc = EDS_OK;

    if (piece == NULL)
        return EDS_ERR_NOT_FOUND;
    for (size_t i = 0; i < piece->count && rc == EDS_OK; i++) {
        rc = eds_ledger_chains_add(&walk->chains, piece, &piece->items[i]);
        if (rc == EDS_OK)
            forget_devices(walk, piece->items[i].device);
    }
    eds_ledger_piece_clear(piece);
    if (check->progress != NULL)
        check->progress(check->context, walk->chains.summary->record_count, walk->chains.bytes);
    return rc;
}

/* Hands a piece on; afterwards there is room for another one. */
static int32_t hand_on(struct walk *walk, const struct eds_ledger_piece *piece)
{
    if (piece->count == EDS_LEDGER_PIECE_MAX)
        (void)eds_verifier_init(); /* a small ledger is done before tables would be */
    eds_crew_add(walk->crew);
    return eds_crew_next(walk->crew) == NULL ? take_back(walk) : EDS_OK;
}

/* Makes a device of the next record's id, with its keys. */
static int32_t meet_device(struct walk *walk, const char *device_id)
{
    const struct eds_ledger_check *check = walk->check;
    const struct eds_enrolled_key *keys = NULL;
    size_t count = check->keys != NULL ? check->keys(check->context, device_id, &keys) : 0;
    struct eds_ledger_device *device;

    if (count > EDS_LEDGER_KEYS_MAX)
        count = EDS_LEDGER_KEYS_MAX;
    device = malloc(sizeof *device + count * sizeof device->keys[0]);
    if (device == NULL)
        return eds_error_set(walk->err, EDS_ERR_NO_MEMORY, "no memory for the keys of %s",
                             device_id);
    device->next = NULL;
    device->key_count = count;
    for (size_t i = 0; i < count; i++) {
        device->keys[i].enrolled = keys[i];
        eds_key_id(device->keys[i].key_id, keys[i].public_key);
    }
    if (walk->last_device != NULL)
        walk->last_device->next = device;
    else
        walk->devices = device;
    walk->last_device = device;
    strcpy(walk->filling_id, device_id);
    return EDS_OK;
}

static int32_t visit_record(void *context, const struct eds_stored *stored)
{
    struct walk *walk = context;
    const char *device_id = (const char *)stored->entry->record.device_id;
    struct eds_ledger_piece *piece = eds_crew_next(walk->crew);
    int32_t rc = EDS_OK;

    if (walk->last_device == NULL || strcmp(walk->filling_id, device_id) != 0)
        rc = meet_device(walk, device_id);
    if (rc == EDS_OK)
        rc = eds_ledger_piece_add(piece, stored, walk->last_device, walk->err);
    if (rc == EDS_OK && eds_ledger_piece_is_full(piece))
        rc = hand_on(walk, piece);
    walk->visit_rc = rc;
    return rc;
}

static void *create_desk(void *context)
{
    const struct walk *walk = context;

    return eds_ledger_desk_create(walk->keys);
}

static void destroy_desk(void *desk)
{
    eds_ledger_desk_destroy(desk);
}

static void inspect_piece(void *context, void *desk, void *piece)
{
    const struct walk *walk = context;

    eds_ledger_piece_inspect(piece, desk, walk->fetcher);
}

/* What the scan showed is walked over to the end, also if it then failed: what is
 * wrong with a record comes before what ended the scan. */
static int32_t scan_records(struct walk *walk)
{
    struct eds_ledger *ledger = walk->check->ledger;
    struct eds_error scan_err = {0};
    int32_t rc, scan_rc = ledger->ops->scan_whole(ledger, NULL, visit_record, walk, &scan_err);

    if (walk->visit_rc != EDS_OK)
        return walk->visit_rc;
    if (((struct eds_ledger_piece *)eds_crew_next(walk->crew))->count > 0)
        eds_crew_add(walk->crew);
    do {
        rc = take_back(walk);
    } while (rc == EDS_OK);
    if (rc != EDS_ERR_NOT_FOUND)
        return rc;
    if (scan_rc == EDS_OK)
        return eds_ledger_chains_end(&walk->chains);
    if (walk->err != NULL)
        *walk->err = scan_err;
    return scan_rc;
}

static int32_t check_records(struct walk *walk)
{
    const struct eds_crew_plan plan = {
        .thread_count = eds_crew_thread_count(walk->check->thread_count), /* asked for once */
        .piece_size = sizeof(struct eds_ledger_piece),
        .piece_free = eds_ledger_piece_free,
        .desk_create = create_desk,
        .desk_destroy = destroy_desk,
        .work = inspect_piece,
        .context = walk,
    };
    int32_t rc = EDS_ERR_NO_MEMORY;

    if (walk->check->objects != NULL)
        walk->fetcher = eds_fetcher_create(walk->check->objects);
    walk->keys = eds_key_cache_create(plan.thread_count);
    if (walk->keys != NULL && (walk->check->objects == NULL || walk->fetcher != NULL))
        walk->crew = eds_crew_start(&plan);
    if (walk->crew != NULL) {
        rc = scan_records(walk);
        eds_crew_end(walk->crew);
    } else {
        eds_error_set(walk->err, rc, "no memory to check a ledger");
    }
    eds_fetcher_destroy(walk->fetcher);
    eds_key_cache_destroy(walk->keys);
    for (struct eds_ledger_device *next; walk->devices != NULL; walk->devices = next) {
        next = walk->devices->next;
        free(walk->devices);
    }
    return rc;
}

int32_t eds_ledger_check_run(const struct eds_ledger_check *check,
                             struct eds_ledger_summary *summary, struct eds_error *err)
{
    struct walk *walk = calloc(1, sizeof *walk);
    struct eds_ledger_log *log = NULL;
    int32_t rc;

    memset(summary, 0, sizeof *summary);
    if (walk == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    walk->check = check;
    walk->err = err;
    rc = eds_ledger_log_create(&log, err);
    if (rc == EDS_OK && check->log_ledger != NULL && check->thread_count != 1)
        eds_ledger_log_read_beside(log, check->log_ledger);
    if (rc == EDS_OK)
        rc = eds_ledger_chains_begin(&walk->chains, check, summary, log, err);
    if (rc == EDS_OK)
        rc = check_records(walk);
    if (rc == EDS_OK)
        rc = eds_ledger_chains_check_heads(&walk->chains);
    if (rc == EDS_OK)
        rc = eds_ledger_chains_check_forks(&walk->chains);
    if (rc == EDS_OK)
        rc = eds_ledger_gaps_check(check, summary, err);
    if (rc == EDS_OK)
        rc = eds_ledger_log_check(log, check, summary, err);
    eds_ledger_log_destroy(log);
    free(walk);
    return rc;
}

static const char *fault_text(enum eds_ledger_fault fault)
{
    switch (fault) {
    case EDS_LEDGER_CHAIN:
        break;
    case EDS_LEDGER_KEY:
        return "it is signed by a key of the device that was not valid when it came";
    case EDS_LEDGER_HASH:
        return "the stored hash is not the record's";
    case EDS_LEDGER_OBJECT:
        return "its reference stands for another payload";
    case EDS_LEDGER_OBJECT_ABSENT:
        return "its reference stands for nothing";
    case EDS_LEDGER_PAYLOAD:
        return "the payload kept here has another hash";
    case EDS_LEDGER_PAYLOAD_ABSENT:
        return "its payload is not there";
    case EDS_LEDGER_HEAD:
        return "the chain's head does not agree with the records";
    case EDS_LEDGER_RECORDS_ABSENT:
        return "the chain's head names this record, and it is not there";
    case EDS_LEDGER_CONFLICT:
        return "the fork kept is no other record than the accepted one";
    case EDS_LEDGER_GAP_SIGNATURE:
        return "the gap before it is signed by no key of its operator";
    case EDS_LEDGER_GAP_KEY:
        return "the gap before it is signed by a key of its operator that was not valid then";
    case EDS_LEDGER_LOG_ABSENT:
        return "the operation log has no line of its acceptance";
    case EDS_LEDGER_LOG_ALONE:
        return "the operation log says that it was accepted, and it is not there";
    case EDS_LEDGER_LOG_TWICE:
        return "the operation log says twice that it was accepted";
    case EDS_LEDGER_GAP_PLACE:
        return "the gap before it does not begin where the chain ends";
    }
    return "unknown fault";
}

void eds_ledger_finding_text(char *out, size_t size, const struct eds_ledger_finding *finding)
{
    char chain[160];

    if (finding->fault == EDS_LEDGER_CHAIN)
        eds_chain_finding_text(chain, sizeof chain, &finding->chain);
    snprintf(out, size, "device=%s sequence=%" PRIu64 ": %s", finding->device_id, finding->sequence,
             finding->fault == EDS_LEDGER_CHAIN ? chain : fault_text(finding->fault));
}
