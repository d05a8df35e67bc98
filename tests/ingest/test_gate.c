/* test_gate.c - the checks by themselves: their order, and their words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "ingest/world.h"

/* A device with two keys, and a record of its that is good in every way. */
struct scene {
    struct device mine, second, stranger; /* second: the device's other key */
    struct eds_device device;
    struct parcel parcel;
    bool known;
    char message[EDS_ERROR_TEXT_SIZE];
};

static void set_scene(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    device_make(&scene->mine, "lift-01", 1);
    device_make(&scene->second, "lift-01", 2);
    device_make(&scene->stranger, "lift-01", 3);
    strcpy(scene->device.device_id, "lift-01");
    scene->device.key_count = 2;
    device_key(&scene->mine, scene->device.keys[0].public_key);
    device_key(&scene->second, scene->device.keys[1].public_key);
    for (unsigned i = 0; i < 2; i++) {
        scene->device.keys[i].not_before_ms = 1000;
        scene->device.keys[i].not_after_ms = 2000;
        scene->device.keys[i].not_after_sequence = 1;
    }
    device_next(&scene->mine, &scene->parcel);
    parcel_attest(&scene->parcel, scene->mine.seed);
    scene->parcel.submission.request.now_ms = 1500;
    scene->known = true;
}

static enum eds_verdict check_request(struct scene *scene)
{
    uint8_t hash[EDS_HASH_SIZE], expected[EDS_HASH_SIZE];
    enum eds_verdict verdict;

    if (scene->parcel.submission.request.now_ms == 0) /* a record made anew */
        scene->parcel.submission.request.now_ms = 1500;
    verdict = eds_gate_check_request(&scene->parcel.submission.request,
                                     scene->known ? &scene->device : NULL, hash, scene->message);

    if (eds_verdict_is_kept(verdict)) {
        parcel_hash(&scene->parcel, expected);
        assert_memory_equal(hash, expected, sizeof hash);
        assert_int_equal(strlen(scene->message) == 0, verdict == EDS_VERDICT_ACCEPTED);
    }
    return verdict;
}

/* One edit each, in the order of the checks. */
static void break_payload(struct scene *s)
{
    s->parcel.payload[3] ^= 1;
}
static void break_payload_hash(struct scene *s)
{
    s->parcel.entry.record.payload_hash[31] ^= 1;
}
static void cut_payload(struct scene *s)
{
    s->parcel.submission.request.payload_size--;
}
static void other_identity(struct scene *s)
{
    s->parcel.submission.request.route_identity = "lift-02";
}
static void empty_identity(struct scene *s)
{
    s->parcel.submission.request.route_identity = "";
}
static void right_identity(struct scene *s)
{
    s->parcel.submission.request.route_identity = "lift-01";
}
static void not_known(struct scene *s)
{
    s->known = false;
}
static void quarantined(struct scene *s)
{
    s->device.state = EDS_DEVICE_QUARANTINED;
}
static void quarantined_and_forged(struct scene *s)
{
    quarantined(s);
    s->parcel.entry.record.signature[0] ^= 1;
}
static void revoked(struct scene *s)
{
    s->device.state = EDS_DEVICE_REVOKED;
}
static void retired(struct scene *s)
{
    s->device.state = EDS_DEVICE_RETIRED;
}
static void break_signature(struct scene *s)
{
    s->parcel.entry.record.signature[0] ^= 1;
}
static void strangers_signature(struct scene *s)
{
    parcel_fill(&s->parcel, "lift-01", 1, NULL, NULL, s->stranger.seed);
    parcel_attest(&s->parcel, s->mine.seed);
}
static void no_keys(struct scene *s)
{
    s->device.key_count = 0;
}
static void second_key(struct scene *s)
{
    parcel_fill(&s->parcel, "lift-01", 1, NULL, NULL, s->second.seed);
}
static void second_key_attested(struct scene *s)
{
    second_key(s);
    parcel_attest(&s->parcel, s->second.seed);
}
static void second_key_attested_by_the_first(struct scene *s)
{
    second_key(s);
    parcel_attest(&s->parcel, s->mine.seed);
}
static void no_attestation(struct scene *s)
{
    s->parcel.entry.attestation.present = false;
}
static void break_attestation(struct scene *s)
{
    s->parcel.entry.attestation.signature[5] ^= 1;
}
static void break_key_id(struct scene *s)
{
    s->parcel.entry.attestation.key_id[0] ^= 1;
}
static void strangers_attestation(struct scene *s)
{
    parcel_attest(&s->parcel, s->stranger.seed);
}
static void rewrite_timestamp(struct scene *s)
{
    s->parcel.entry.record.timestamp_ms++; /* the signature does not see it */
}
static void rewrite_timestamp_unattested(struct scene *s)
{
    rewrite_timestamp(s);
    no_attestation(s);
}

/* Windows: the time of arrival at each of their ends, and the last sequence. */
static void at(struct scene *s, uint64_t now_ms)
{
    s->parcel.submission.request.now_ms = now_ms;
}
static void first_moment(struct scene *s)
{
    at(s, 1000);
}
static void too_early(struct scene *s)
{
    at(s, 999);
}
static void last_moment(struct scene *s)
{
    at(s, 1999);
}
static void too_late(struct scene *s)
{
    at(s, 2000);
}
static void past_sequence(struct scene *s)
{
    s->device.keys[0].not_after_sequence = 0;
}
static void key_revoked(struct scene *s)
{
    s->device.keys[0].revoked = true;
}
static void other_key_revoked(struct scene *s)
{
    s->device.keys[1].revoked = true;
}
static void no_end(struct scene *s)
{
    s->device.keys[0].not_after_ms = EDS_KEY_NO_END;
    at(s, UINT64_MAX);
}
static void forged_and_late(struct scene *s)
{
    too_late(s);
    break_signature(s);
}
static void revoked_key_attested_by_the_other(struct scene *s)
{
    key_revoked(s);
    parcel_attest(&s->parcel, s->second.seed);
}
static void good_key_attested_by_a_revoked_one(struct scene *s)
{
    other_key_revoked(s);
    parcel_attest(&s->parcel, s->second.seed);
}

static const struct edit {
    const char *name;
    void (*edit)(struct scene *);
    enum eds_verdict verdict;
    const char *message;
} edits[] = {
#define SIGNATURE    EDS_VERDICT_SIGNATURE, "invalid signature for device=lift-01"
#define ATTESTATION  EDS_VERDICT_ATTESTATION, "invalid attestation for device=lift-01"
#define EXPIRED      EDS_VERDICT_KEY, "key expired for device=lift-01"
#define REVOKED      EDS_VERDICT_KEY, "key revoked for device=lift-01"
#define PAYLOAD_HASH EDS_VERDICT_PAYLOAD_HASH, "payload hash mismatch"
#define ACCEPTED     EDS_VERDICT_ACCEPTED, ""
    {"payload", break_payload, PAYLOAD_HASH},
    {"payload hash", break_payload_hash, PAYLOAD_HASH},
    {"payload cut", cut_payload, PAYLOAD_HASH},
    {"identity", other_identity, EDS_VERDICT_ROUTE_IDENTITY,
     "auth/device mismatch: cert_identity=lift-02 device_id=lift-01"},
    {"empty identity", empty_identity, EDS_VERDICT_ROUTE_IDENTITY,
     "auth/device mismatch: cert_identity= device_id=lift-01"},
    {"not known", not_known, EDS_VERDICT_UNKNOWN_DEVICE, "unknown device: lift-01"},
    {"quarantined", quarantined, EDS_VERDICT_QUARANTINED, "device is quarantined: lift-01"},
    {"quarantined, and forged", quarantined_and_forged, SIGNATURE},
    {"revoked", revoked, EDS_VERDICT_DEVICE_STATE, "device is revoked: lift-01"},
    {"retired", retired, EDS_VERDICT_DEVICE_STATE, "device is retired: lift-01"},
    {"signature", break_signature, SIGNATURE},
    {"stranger's signature", strangers_signature, SIGNATURE},
    {"no keys", no_keys, SIGNATURE},
    {"attestation", break_attestation, ATTESTATION},
    {"key id", break_key_id, ATTESTATION},
    {"stranger's attestation", strangers_attestation, ATTESTATION},
    {"signed by one key, attested by another", second_key_attested_by_the_first, ATTESTATION},
    {"rewritten", rewrite_timestamp, ATTESTATION},
    {"rewritten, attestation taken off", rewrite_timestamp_unattested, ACCEPTED},
    {"none", right_identity, ACCEPTED},
    {"no attestation", no_attestation, ACCEPTED},
    {"second key", second_key, ACCEPTED},
    {"second key, attested", second_key_attested, ACCEPTED},
    {"first moment of the key", first_moment, ACCEPTED},
    {"before it", too_early, EDS_VERDICT_KEY, "key not valid yet for device=lift-01"},
    {"last moment of the key", last_moment, ACCEPTED},
    {"after it", too_late, EXPIRED},
    {"after the key's last sequence", past_sequence, EXPIRED},
    {"key without an end", no_end, ACCEPTED},
    {"key revoked", key_revoked, REVOKED},
    {"another key revoked", other_key_revoked, ACCEPTED},
    {"forged, and late", forged_and_late, SIGNATURE},
    {"signed by a revoked key, attested by a good one", revoked_key_attested_by_the_other, REVOKED},
    {"signed by a good key, attested by a revoked one", good_key_attested_by_a_revoked_one,
     ATTESTATION},
};
#define EDIT_COUNT (sizeof edits / sizeof edits[0])

static void test_each_check(void **state)
{
    (void)state;
    for (size_t i = 0; i < EDIT_COUNT; i++) {
        struct scene scene;
        enum eds_verdict verdict;

        set_scene(&scene);
        edits[i].edit(&scene);
        verdict = check_request(&scene);
        if (verdict != edits[i].verdict)
            fail_msg("%s: %s", edits[i].name, eds_verdict_name(verdict));
        assert_string_equal(scene.message, edits[i].message);
    }
}

/* Two things wrong: the check that comes first has the word. */
static void test_order_of_checks(void **state)
{
    static void (*const ordered[])(struct scene *) = {
        break_payload, other_identity, revoked, break_signature, break_attestation,
    };
    static const enum eds_verdict verdicts[] = {
        EDS_VERDICT_PAYLOAD_HASH, EDS_VERDICT_ROUTE_IDENTITY, EDS_VERDICT_DEVICE_STATE,
        EDS_VERDICT_SIGNATURE,    EDS_VERDICT_ATTESTATION,
    };

    (void)state;
    for (size_t first = 0; first < 5; first++)
        for (size_t then = first; then < 5; then++) {
            struct scene scene;

            set_scene(&scene);
            ordered[then](&scene);
            if (then != first)
                ordered[first](&scene);
            assert_int_equal(check_request(&scene), verdicts[first]);
        }
}

/* A device at sequence 3, and a record that is its next. */
struct head_scene {
    struct device device;
    struct eds_head head;
    struct parcel parcel;
    uint8_t hash[EDS_HASH_SIZE];
    bool attest_required;
    const uint8_t *stored_hash;
    char message[EDS_ERROR_TEXT_SIZE];
};

static void set_head_scene(struct head_scene *scene)
{
    memset(scene, 0, sizeof *scene);
    device_make(&scene->device, "lift-01", 1);
    for (unsigned i = 0; i < 3; i++)
        device_next(&scene->device, &scene->parcel);
    scene->head.sequence = scene->device.sequence;
    memcpy(scene->head.record_hash, scene->device.record_hash, EDS_HASH_SIZE);
    device_next(&scene->device, &scene->parcel);
    parcel_hash(&scene->parcel, scene->hash);
}

static enum eds_verdict check_head(struct head_scene *scene)
{
    return eds_gate_check_head(&scene->head, &scene->parcel.entry, scene->hash,
                               scene->attest_required, scene->stored_hash, scene->message);
}

static void at_sequence(struct head_scene *scene, uint64_t sequence)
{
    scene->parcel.entry.record.sequence = sequence;
    parcel_hash(&scene->parcel, scene->hash);
}

static void expect_head(struct head_scene *scene, enum eds_verdict verdict, const char *message)
{
    assert_int_equal(check_head(scene), verdict);
    assert_string_equal(scene->message, message);
}

static void test_sequences(void **state)
{
    struct head_scene scene;

    (void)state;
    set_head_scene(&scene);
    expect_head(&scene, EDS_VERDICT_ACCEPTED, "");
    at_sequence(&scene, 5);
    expect_head(&scene, EDS_VERDICT_SEQUENCE,
                "invalid sequence for device=lift-01: expected=4 actual=5");
    at_sequence(&scene, UINT64_MAX);
    expect_head(&scene, EDS_VERDICT_SEQUENCE,
                "invalid sequence for device=lift-01: expected=4 actual=18446744073709551615");
    at_sequence(&scene, 0);
    assert_false(eds_gate_needs_stored(&scene.head, &scene.parcel.entry));
    scene.stored_hash = scene.hash; /* must not be looked at */
    expect_head(&scene, EDS_VERDICT_SEQUENCE,
                "invalid sequence for device=lift-01: expected=4 actual=0");
    /* Used, but nothing stored there (any more): no word of a delivery. */
    at_sequence(&scene, 2);
    scene.stored_hash = NULL;
    assert_true(eds_gate_needs_stored(&scene.head, &scene.parcel.entry));
    expect_head(&scene, EDS_VERDICT_SEQUENCE,
                "invalid sequence for device=lift-01: expected=4 actual=2");
}

static void test_previous_hash(void **state)
{
    struct head_scene scene;

    (void)state;
    for (size_t i = 0; i < EDS_HASH_SIZE; i++) {
        set_head_scene(&scene);
        scene.head.record_hash[i] ^= 0x80;
        expect_head(&scene, EDS_VERDICT_PREVIOUS_HASH, "invalid previous hash for device=lift-01");
    }
    /* Sequence before previous hash. */
    at_sequence(&scene, 9);
    assert_int_equal(check_head(&scene), EDS_VERDICT_SEQUENCE);
}

static void test_duplicate_and_conflict(void **state)
{
    struct head_scene scene;
    uint8_t stored[EDS_HASH_SIZE];

    (void)state;
    for (uint64_t sequence = 1; sequence <= 3; sequence++) {
        char text[128];

        set_head_scene(&scene);
        at_sequence(&scene, sequence);
        memcpy(stored, scene.hash, sizeof stored);
        scene.stored_hash = stored;
        snprintf(text, sizeof text, "duplicate record for device=lift-01 sequence=%u",
                 (unsigned)sequence);
        expect_head(&scene, EDS_VERDICT_DUPLICATE, text);
        stored[31] ^= 1;
        snprintf(text, sizeof text,
                 "conflicting record for device=lift-01 sequence=%u: another record is already "
                 "accepted",
                 (unsigned)sequence);
        expect_head(&scene, EDS_VERDICT_CONFLICT, text);
    }
}

static void test_required_attestation(void **state)
{
    static const char missing[] = "missing attestation for device=lift-01";

    (void)state;
    for (unsigned by_head = 0; by_head < 2; by_head++) {
        struct head_scene scene;
        uint8_t stored[EDS_HASH_SIZE];

        set_head_scene(&scene);
        scene.attest_required = !by_head;
        scene.head.attested = by_head;
        expect_head(&scene, EDS_VERDICT_ATTESTATION_ABSENT, missing);
        parcel_attest(&scene.parcel, scene.device.seed);
        expect_head(&scene, EDS_VERDICT_ACCEPTED, "");
        scene.parcel.entry.attestation.present = false;
        at_sequence(&scene, 9); /* attestation before sequence */
        expect_head(&scene, EDS_VERDICT_ATTESTATION_ABSENT, missing);
        at_sequence(&scene, 2);
        memcpy(stored, scene.hash, sizeof stored);
        scene.stored_hash = stored;
        assert_int_equal(check_head(&scene), EDS_VERDICT_DUPLICATE); /* it was good once */
        stored[0] ^= 1;
        expect_head(&scene, EDS_VERDICT_ATTESTATION_ABSENT, missing); /* no conflict */
    }
}

static void test_last_sequence_of_all(void **state)
{
    struct head_scene scene;

    (void)state;
    set_head_scene(&scene);
    scene.head.sequence = UINT64_MAX - 1;
    at_sequence(&scene, UINT64_MAX);
    assert_int_equal(check_head(&scene), EDS_VERDICT_ACCEPTED);
    scene.head.sequence = UINT64_MAX;
    for (uint64_t sequence = 0; sequence < 3; sequence++) { /* none wraps */
        at_sequence(&scene, sequence);
        assert_int_equal(check_head(&scene), EDS_VERDICT_SEQUENCE);
    }
}

static void test_advance(void **state)
{
    struct head_scene scene;

    (void)state;
    set_head_scene(&scene);
    scene.head.conflict_count = 7;
    eds_gate_advance(&scene.head, &scene.parcel.entry, scene.hash);
    assert_int_equal(scene.head.sequence, 4);
    assert_memory_equal(scene.head.record_hash, scene.hash, EDS_HASH_SIZE);
    assert_false(scene.head.attested);
    assert_int_equal(scene.head.conflict_count, 7);
    device_next(&scene.device, &scene.parcel);
    parcel_attest(&scene.parcel, scene.device.seed);
    parcel_hash(&scene.parcel, scene.hash);
    eds_gate_advance(&scene.head, &scene.parcel.entry, scene.hash);
    assert_true(scene.head.attested);
}

static void test_object(void **state)
{
    struct head_scene scene;
    uint8_t taken_by[EDS_HASH_SIZE];

    (void)state;
    set_head_scene(&scene);
    strcpy((char *)scene.parcel.entry.record.object_ref, "s3://b/1");
    assert_int_equal(eds_gate_check_object(&scene.parcel.entry, NULL, scene.message),
                     EDS_VERDICT_ACCEPTED);
    memcpy(taken_by, scene.parcel.entry.record.payload_hash, sizeof taken_by);
    assert_int_equal(eds_gate_check_object(&scene.parcel.entry, taken_by, scene.message),
                     EDS_VERDICT_ACCEPTED);
    assert_string_equal(scene.message, "");
    taken_by[31] ^= 1;
    assert_int_equal(eds_gate_check_object(&scene.parcel.entry, taken_by, scene.message),
                     EDS_VERDICT_OBJECT_TAKEN);
    assert_string_equal(scene.message,
                        "object reference already taken for device=lift-01: s3://b/1");
}

/* What an agent calls its own records, no other device may. */
static void test_references_of_others(void **state)
{
    static const struct {
        const char *object_ref;
        bool is_good;
    } rows[] = {
        {"edge:lift-01/7", true},
        {"edge:lift-02/7", false},
        {"edge:lift-011/7", false},
        {"edge:lift-0/7", false},
        {"edge:lift-01", false},
        {"edge:", false},
        {"edge", true},
        {"Edge:lift-02/7", true},
        {"s3://edge:lift-02/7", true},
        {"edgesentry:note/lift-01/7", true},
        {"edgesentry:note/lift-02/7", false},
        {"edgesentry:command/lift-01/7/done/12", true},
        {"edgesentry:command/lift-02/7/done/12", false},
        {"edgesentry:other/lift-02", true},
    };
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        set_scene(&scene);
        parcel_fill(&scene.parcel, "lift-01", 1, NULL, rows[i].object_ref, scene.mine.seed);
        if (check_request(&scene) !=
            (rows[i].is_good ? EDS_VERDICT_ACCEPTED : EDS_VERDICT_OBJECT_TAKEN))
            fail_msg("%s: %s", rows[i].object_ref, scene.message);
    }
}

/* Ids and references of the greatest length, in characters of three bytes: what
 * does not fit is cut between two of them. */
static void test_long_texts_are_cut_between_characters(void **state)
{
    struct head_scene scene;
    uint8_t taken_by[EDS_HASH_SIZE] = {0};
    char identity[2048];

    (void)state;
    for (size_t shift = 0; shift < 3; shift++) {
        struct eds_request *request;
        EdsAuditRecord *record;
        size_t size;

        set_head_scene(&scene);
        request = &scene.parcel.submission.request;
        record = &scene.parcel.entry.record;
        for (size_t i = 0; i < 255 / 3; i++)
            memcpy(record->device_id + 3 * i, "漢", 3);
        memset(record->object_ref, 'x', shift);
        for (size_t i = 0; i < 508 / 3; i++)
            memcpy(record->object_ref + shift + 3 * i, "漢", 3);
        assert_int_equal(eds_gate_check_object(&scene.parcel.entry, taken_by, scene.message),
                         EDS_VERDICT_OBJECT_TAKEN);
        size = strlen(scene.message);
        assert_in_range(size, EDS_ERROR_TEXT_SIZE - 3, EDS_ERROR_TEXT_SIZE - 1);
        assert_true(eds_utf8_valid(scene.message, size));
        memset(identity, 0, sizeof identity);
        memset(identity, 'x', shift);
        for (size_t i = 0; i < 600; i++)
            memcpy(identity + shift + 3 * i, "漢", 3);
        request->route_identity = identity;
        assert_int_equal(eds_gate_check_request(request, NULL, scene.hash, scene.message),
                         EDS_VERDICT_ROUTE_IDENTITY);
        size = strlen(scene.message);
        assert_in_range(size, EDS_ERROR_TEXT_SIZE - 3, EDS_ERROR_TEXT_SIZE - 1);
        assert_true(eds_utf8_valid(scene.message, size));
    }
}

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(eds_verdict_name(EDS_VERDICT_ACCEPTED), "accepted");
    for (unsigned i = 0; i <= EDS_VERDICT_OVERLOADED; i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(eds_verdict_name((enum eds_verdict)i),
                                    eds_verdict_name((enum eds_verdict)j));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_check),
        cmocka_unit_test(test_order_of_checks),
        cmocka_unit_test(test_sequences),
        cmocka_unit_test(test_previous_hash),
        cmocka_unit_test(test_duplicate_and_conflict),
        cmocka_unit_test(test_required_attestation),
        cmocka_unit_test(test_last_sequence_of_all),
        cmocka_unit_test(test_advance),
        cmocka_unit_test(test_object),
        cmocka_unit_test(test_references_of_others),
        cmocka_unit_test(test_long_texts_are_cut_between_characters),
        cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
