/* test_ledger_threads.c - a ledger checked in pieces by many threads gives what it
 * gives record by record on one: every finding, their order, their words, and what
 * ends the check, whatever is wrong. */
#include "evidence/ledger_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/attest.h"
#include "evidence/ledger_walk.h"
#include "evidence/pass_ledger.h"
#include "evidence/whole_scan.h"
#include "support/dice.h"

#define DEVICE_COUNT  60u
#define RECORD_COUNT  560u /* more than two pieces */
#define ROUND_COUNT   12u
#define EDITS_MAX     8u
#define NOW_MS        UINT64_C(1700000000000)
#define FINDINGS_SIZE 65536u
#define LARGE_SIZE    1200000u /* bytes: more than a piece wants */

enum kind {
    EDIT_TIME,
    EDIT_SIGNATURE,
    EDIT_ATTESTATION,
    EDIT_NO_ATTESTATION,
    EDIT_STORED_HASH,
    EDIT_PREVIOUS,
    EDIT_NO_TEXT,    /* its reference is not UTF-8 */
    EDIT_TAKEN_LATE, /* after its key had ended */
    EDIT_ABSENT,
    EDIT_UNNAMED,
    EDIT_OTHER_OBJECT,
    EDIT_PAYLOAD,
    EDIT_ELSEWHERE,
    EDIT_NOWHERE,
    EDIT_TOO_LARGE,
    EDIT_UNREADABLE,  /* its payload: ends the check */
    EDIT_DAMAGED_ROW, /* ends the check */
    EDIT_KINDS,
};

struct edit {
    enum kind kind;
    size_t record; /* of all */
};

struct made {
    char device_id[16];
    uint64_t sequence;
    char object_ref[48];
};

/* A good ledger, bent. */
struct bent {
    struct pass_ledger pass;
    struct eds_objects objects;
    struct edit edits[EDITS_MAX];
    size_t edit_count;
    int32_t (*visit)(void *context, const struct eds_stored *);
    void *context;
};

static struct eds_ledger *good;
static struct made made[RECORD_COUNT];
static uint8_t seeds[DEVICE_COUNT][EDS_SEED_SIZE];
static struct eds_enrolled_key keys[DEVICE_COUNT][2];
static char large[LARGE_SIZE];
static struct bent bent; /* the objects' too */

static bool is_edited(enum kind kind, const char *object_ref)
{
    for (size_t i = 0; i < bent.edit_count; i++)
        if (bent.edits[i].kind == kind &&
            strcmp(made[bent.edits[i].record].object_ref, object_ref) == 0)
            return true;
    return false;
}

static int32_t visit_bent(void *context, const struct eds_stored *stored)
{
    struct eds_entry entry = *stored->entry;
    struct eds_stored copy = *stored;
    const char *ref = (const char *)stored->entry->record.object_ref;

    (void)context;
    copy.entry = &entry;
    if (is_edited(EDIT_DAMAGED_ROW, ref))
        return EDS_ERR_MALFORMED;
    if (is_edited(EDIT_ABSENT, ref))
        return EDS_OK;
    entry.record.timestamp_ms += is_edited(EDIT_TIME, ref);
    entry.record.signature[9] ^= is_edited(EDIT_SIGNATURE, ref);
    entry.attestation.signature[3] ^= is_edited(EDIT_ATTESTATION, ref);
    if (is_edited(EDIT_NO_ATTESTATION, ref))
        entry.attestation.present = false;
    entry.record.prev_record_hash[1] ^= is_edited(EDIT_PREVIOUS, ref);
    copy.record_hash[0] ^= is_edited(EDIT_STORED_HASH, ref);
    if (is_edited(EDIT_TAKEN_LATE, ref))
        copy.ingested_ms = NOW_MS + 900000;
    if (is_edited(EDIT_NO_TEXT, ref))
        entry.record.object_ref[0] = 0xff;
    return bent.visit(bent.context, &copy);
}

static int32_t bent_scan(struct eds_ledger *ledger, const char *device_id,
                         int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                         struct eds_error *err)
{
    int32_t rc;

    (void)ledger;
    bent.visit = visit;
    bent.context = context;
    rc = good->ops->scan(good, device_id, visit_bent, NULL, err);
    return rc == EDS_ERR_MALFORMED ? eds_error_set(err, rc, "a row is damaged") : rc;
}

static int32_t bent_object(struct eds_ledger *ledger, const char *object_ref,
                           uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    int32_t rc = is_edited(EDIT_UNNAMED, object_ref)
                     ? EDS_ERR_NOT_FOUND
                     : good->ops->object(good, object_ref, out, err);

    (void)ledger;
    if (rc == EDS_OK)
        out[0] ^= is_edited(EDIT_OTHER_OBJECT, object_ref);
    return rc;
}

static bool is_elsewhere(const char *object_ref)
{
    return is_edited(EDIT_ELSEWHERE, object_ref) || is_edited(EDIT_NOWHERE, object_ref) ||
           is_edited(EDIT_TOO_LARGE, object_ref) || is_edited(EDIT_UNREADABLE, object_ref);
}

static int32_t bent_payload(struct eds_ledger *ledger, const char *object_ref, void **out,
                            size_t *out_size, struct eds_error *err)
{
    int32_t rc;

    (void)ledger;
    if (is_elsewhere(object_ref))
        return EDS_ERR_NOT_FOUND;
    rc = good->ops->payload(good, object_ref, out, out_size, err);
    if (rc == EDS_OK && is_edited(EDIT_PAYLOAD, object_ref))
        *out_size -= 1;
    return rc;
}

/* The store of payloads outside; asked from many threads. */
static int32_t get_elsewhere(struct eds_objects *objects, const struct eds_object_name *name,
                             void **out, size_t *out_size, struct eds_error *err)
{
    (void)objects;
    if (is_edited(EDIT_UNREADABLE, name->object_ref))
        return eds_error_set(err, EDS_ERR_IO, "no answer for %s", name->object_ref);
    if (is_edited(EDIT_TOO_LARGE, name->object_ref))
        return EDS_ERR_TOO_LARGE;
    if (is_edited(EDIT_NOWHERE, name->object_ref))
        return EDS_ERR_NOT_FOUND;
    return good->ops->payload(good, name->object_ref, out, out_size, err);
}

static const struct eds_objects_ops elsewhere_ops = {.name = "elsewhere", .get = get_elsewhere};

static void append(size_t i, unsigned device, uint64_t sequence, uint8_t hash[EDS_HASH_SIZE])
{
    struct eds_entry entry;
    char payload[64];
    struct eds_append append = {.entry = &entry, .payload = payload};
    struct eds_operation operation = {
        .device_id = made[i].device_id, .sequence = sequence, .message = "ingest accepted"};
    const struct eds_commit commit = {.appends = &append,
                                      .append_count = 1,
                                      .operations = &operation,
                                      .operation_count = 1,
                                      .now_ms = NOW_MS};

    memset(&entry, 0, sizeof entry);
    snprintf(made[i].device_id, sizeof made[i].device_id, "lift-%02u", device);
    made[i].sequence = sequence;
    snprintf(made[i].object_ref, sizeof made[i].object_ref, "mem://%zu", i);
    append.payload_size = (size_t)snprintf(payload, sizeof payload, "event %zu", i);
    if (i % 200 == 150) {
        append.payload = large;
        append.payload_size = sizeof large;
    }
    assert_int_equal(eds_record_sign(&entry.record, made[i].device_id, sequence, 1000 + i,
                                     append.payload, append.payload_size, hash, made[i].object_ref,
                                     seeds[device], NULL),
                     EDS_OK);
    assert_int_equal(eds_record_digest(hash, &entry.record), EDS_OK);
    memcpy(append.record_hash, hash, EDS_HASH_SIZE);
    if (device % 3 != 0) /* a third of them never attest */
        eds_attest_sign(&entry.attestation, hash, seeds[device]);
    assert_int_equal(good->ops->commit(good, &commit, NULL), EDS_OK);
}

/* Devices of 1, 2, 3 ... records, the last one of all that are left. */
static int make_ledger(void **state)
{
    size_t i = 0;

    (void)state;
    assert_int_equal(eds_ledger_open(&good, "memory:", NULL), EDS_OK);
    for (unsigned device = 0; device < DEVICE_COUNT; device++) {
        size_t count = device + 1 == DEVICE_COUNT ? RECORD_COUNT - i : 1 + device % 13;
        uint8_t hash[EDS_HASH_SIZE] = {0};

        memset(seeds[device], (int)device + 1, EDS_SEED_SIZE);
        for (unsigned key = 0; key < 2; key++) {
            uint8_t seed[EDS_SEED_SIZE];

            memcpy(seed, seeds[device], sizeof seed);
            seed[0] = (uint8_t)(seed[0] ^ (key == 0 ? 0x80 : 0)); /* it signs with the second */
            eds_ed25519_public_key(keys[device][key].public_key, seed);
            keys[device][key].not_after_ms = key == 0 ? EDS_KEY_NO_END : NOW_MS + 60000;
            keys[device][key].not_after_sequence = EDS_KEY_NO_END;
        }
        for (uint64_t sequence = 1; sequence <= count; sequence++)
            append(i++, device, sequence, hash);
    }
    assert_int_equal(i, RECORD_COUNT);
    pass_ledger_init(&bent.pass, good);
    bent.pass.ops.object = bent_object;
    bent.pass.ops.payload = bent_payload;
    bent.pass.ops.scan = bent_scan;
    bent.pass.ops.scan_whole = whole_scan;
    bent.objects.ops = &elsewhere_ops;
    return 0;
}

static int close_ledger(void **state)
{
    (void)state;
    good->ops->close(good);
    return 0;
}

struct outcome {
    int32_t rc;
    struct eds_ledger_summary summary;
    struct eds_error err;
    char findings[FINDINGS_SIZE];
    size_t used;
};

static size_t give_keys(void *context, const char *device_id, const struct eds_enrolled_key **out)
{
    unsigned device = (unsigned)strtoul(device_id + 5, NULL, 10);

    (void)context;
    *out = keys[device];
    return device % 7 == 5 ? 0 : 2; /* some are not registered */
}

static void found(void *context, const struct eds_ledger_finding *finding)
{
    struct outcome *outcome = context;
    char text[512];

    eds_ledger_finding_text(text, sizeof text, finding);
    assert_true(outcome->used + strlen(text) + 2 < sizeof outcome->findings);
    outcome->used += (size_t)sprintf(outcome->findings + outcome->used, "%s\n", text);
}

static void run(struct outcome *outcome, unsigned thread_count, bool with_objects)
{
    const struct eds_ledger_check check = {.ledger = &bent.pass.ledger,
                                           .objects = with_objects ? &bent.objects : NULL,
                                           .thread_count = thread_count,
                                           .keys = give_keys,
                                           .found = found,
                                           .context = outcome};

    memset(outcome, 0, sizeof *outcome);
    outcome->rc = thread_count == 0
                      ? ledger_walk_run(&check, &outcome->summary, &outcome->err)
                      : eds_ledger_check_run(&check, &outcome->summary, &outcome->err);
}

static void test_same_as_one_by_one(void **state)
{
    struct outcome *plain = malloc(sizeof *plain), *fast = malloc(sizeof *fast);
    unsigned finding_rounds = 0, good_rounds = 0;
    struct dice dice;

    (void)state;
    assert_non_null(plain);
    assert_non_null(fast);
    dice_seed(&dice);
    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        bool with_objects = round % 4 != 2;

        bent.edit_count = round == 0 ? 0 : 1 + dice_below(&dice, EDITS_MAX);
        for (size_t i = 0; i < bent.edit_count; i++)
            bent.edits[i] = (struct edit){
                (enum kind)dice_below(&dice, round % 2 == 0 ? EDIT_KINDS : EDIT_UNREADABLE),
                dice_below(&dice, RECORD_COUNT)};
        run(plain, 0, with_objects);
        run(fast, 1 + round % 3, with_objects);
        assert_int_equal(fast->rc, plain->rc);
        assert_string_equal(fast->findings, plain->findings);
        if (plain->rc != EDS_OK)
            assert_string_equal(fast->err.text, plain->err.text);
        assert_memory_equal(&fast->summary, &plain->summary, sizeof fast->summary);
        finding_rounds += plain->used > 0;
        good_rounds += plain->rc == EDS_OK && plain->used == 0;
    }
    assert_true(good_rounds >= 1);
    assert_true(finding_rounds >= 1);
    free(plain);
    free(fast);
}

/* Each kind of edit alone is seen, or is none of the ledger's faults. */
static void test_each_edit(void **state)
{
    struct outcome *plain = malloc(sizeof *plain), *fast = malloc(sizeof *fast);

    (void)state;
    assert_non_null(plain);
    assert_non_null(fast);
    for (unsigned kind = 0; kind < EDIT_KINDS; kind++) {
        bent.edit_count = 1;
        bent.edits[0] = (struct edit){(enum kind)kind, 290};
        run(plain, 0, true);
        run(fast, 2, true);
        assert_int_equal(fast->rc, plain->rc);
        assert_string_equal(fast->findings, plain->findings);
        if (kind == EDIT_ELSEWHERE)
            assert_string_equal(fast->findings, "");
        else if (kind != EDIT_UNREADABLE && kind != EDIT_DAMAGED_ROW)
            assert_string_not_equal(fast->findings, "");
    }
    free(plain);
    free(fast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_edit),
        cmocka_unit_test(test_same_as_one_by_one),
    };

    return cmocka_run_group_tests(tests, make_ledger, close_ledger);
}
