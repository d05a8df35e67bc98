/* Chains: the original's verdicts word for word, and what each of the three
 * strengths sees - and what it does not. */
#include "edgesentry/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/chain_maker.h"
#include "support/vectors.h"

/* Walks a JSON array of records; "ok" or the finding's text. */
static void walk(const json_t *records, char *text, size_t text_size)
{
    struct eds_chain_finding finding = {.fault = EDS_CHAIN_GOOD};
    struct eds_chain chain;
    size_t index;
    json_t *row;

    eds_chain_begin(&chain, EDS_STRENGTH_LINKS);
    strcpy(text, "ok");
    json_array_foreach(records, index, row)
    {
        uint8_t hash[EDS_HASH_SIZE], expected[EDS_HASH_SIZE];
        EdsAuditRecord record;
        int32_t rc;

        vector_record(&record, row);
        eds_record_digest(expected, &record);
        rc = eds_chain_link(&chain, &record, hash, &finding);
        assert_memory_equal(hash, expected, sizeof hash); /* also of a record that breaks it */
        if (rc != EDS_OK) {
            size_t size = eds_chain_finding_text(text, text_size, &finding);

            assert_int_equal(rc, EDS_ERR_CHAIN_INVALID);
            assert_int_equal(size, strlen(text));
            return;
        }
        assert_int_equal(finding.fault, EDS_CHAIN_GOOD);
    }
    assert_int_equal(chain.count, json_array_size(records));
}

static void test_verdicts_of_the_original(void **state)
{
    json_t *cases = vector_load("peer/verify_chain.json"), *row;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(cases), 46);
    json_array_foreach(cases, index, row)
    {
        json_t *records = vector_parse(vector_string(row, "json_compact"));
        char text[160];

        walk(records, text, sizeof text);
        if (strcmp(text, vector_string(row, "verify_chain")) != 0)
            fail_msg("%s: %s", vector_string(row, "name"), text);
        json_decref(records);
    }
    json_decref(cases);
}

/* What is done to record 2 of a chain of five, and what each strength says. */
struct harm {
    const char *name;
    void (*inflict)(struct made_chain *made);
    enum eds_chain_fault found[4]; /* by strength; [0] unused */
    size_t index[4];
};

static void do_nothing(struct made_chain *made)
{
    (void)made;
}

static void change_time(struct made_chain *made)
{
    made->entries[2].record.timestamp_ms++;
}

static void change_time_and_rebuild(struct made_chain *made)
{
    change_time(made);
    rebuild(made, 2, false);
}

static void change_time_rebuild_and_strip(struct made_chain *made)
{
    change_time_and_rebuild(made);
    for (size_t i = 0; i < CHAIN_LENGTH; i++)
        made->entries[i].attestation.present = false;
}

static void lie_about_time(struct made_chain *made)
{
    change_time(made);
    rebuild(made, 2, true); /* the device itself */
}

static void zero_signature_and_rebuild(struct made_chain *made)
{
    memset(made->entries[2].record.signature, 0, EDS_SIGNATURE_SIZE);
    rebuild(made, 2, true);
}

static void forge_with_other_key(struct made_chain *made)
{
    uint8_t seed[EDS_SEED_SIZE] = {0x77};
    EdsAuditRecord *record = &made->entries[2].record;

    eds_ed25519_sign(record->signature, record->payload_hash, EDS_HASH_SIZE, seed);
    rebuild(made, 2, true);
}

static void change_device(struct made_chain *made)
{
    made->entries[2].record.device_id[6] = '2';
    rebuild(made, 2, true);
}

static void start_at_two(struct made_chain *made)
{
    for (size_t i = 0; i < CHAIN_LENGTH; i++)
        made->entries[i].record.sequence++;
    rebuild(made, 0, true);
}

static void start_at_zero(struct made_chain *made)
{
    for (size_t i = 0; i < CHAIN_LENGTH; i++)
        made->entries[i].record.sequence--;
    rebuild(made, 0, true);
}

static void skip_a_sequence(struct made_chain *made)
{
    for (size_t i = 2; i < CHAIN_LENGTH; i++)
        made->entries[i].record.sequence++;
    rebuild(made, 2, true);
}

static void run_out_of_sequences(struct made_chain *made)
{
    for (size_t i = 0; i < CHAIN_LENGTH; i++)
        made->entries[i].record.sequence = UINT64_MAX - 2 + i;
    rebuild(made, 0, true);
}

static void take_middle_out(struct made_chain *made)
{
    for (size_t i = 2; i + 1 < CHAIN_LENGTH; i++)
        made->entries[i] = made->entries[i + 1];
}

static void swap_records(struct made_chain *made)
{
    struct eds_entry kept = made->entries[2];

    made->entries[2] = made->entries[3];
    made->entries[3] = kept;
}

static void first_previous_hash(struct made_chain *made)
{
    made->entries[0].record.prev_record_hash[31] = 1;
    rebuild(made, 0, true);
}

static void strip_attestation(struct made_chain *made)
{
    made->entries[2].attestation.present = false;
}

static void swap_attestations(struct made_chain *made)
{
    made->entries[2].attestation = made->entries[3].attestation;
}

static void break_attestation(struct made_chain *made)
{
    made->entries[2].attestation.signature[0] ^= 1;
}

static void unknown_attestation_key(struct made_chain *made)
{
    made->entries[2].attestation.key_id[0] ^= 1;
}

static void change_payload(struct made_chain *made)
{
    made->payloads[2][0] = 'P';
}

static void lose_payload(struct made_chain *made)
{
    made->payloads[2][0] = '\0';
}

static void bad_string(struct made_chain *made)
{
    made->entries[2].record.object_ref[0] = 0xff;
}

#define GOOD EDS_CHAIN_GOOD
#define PREV EDS_CHAIN_PREVIOUS_HASH
#define SEQ  EDS_CHAIN_SEQUENCE

static const struct harm harms[] = {
    /* name, harm, {-, links, signatures, full}, at */
    {"none", do_nothing, {0, GOOD, GOOD, GOOD}, {0}},
    {"time changed",
     change_time,
     {0, PREV, EDS_CHAIN_ATTESTATION, EDS_CHAIN_ATTESTATION},
     {0, 3, 2, 2}},
    {"time changed, links mended",
     change_time_and_rebuild,
     {0, GOOD, EDS_CHAIN_ATTESTATION, EDS_CHAIN_ATTESTATION},
     {0, 0, 2, 2}},
    {"and attestations stripped",
     change_time_rebuild_and_strip,
     {0, GOOD, GOOD, EDS_CHAIN_ATTESTATION_ABSENT},
     {0, 0, 0, 0}},
    {"device lies about the time", lie_about_time, {0, GOOD, GOOD, GOOD}, {0}},
    {"signature zero",
     zero_signature_and_rebuild,
     {0, GOOD, EDS_CHAIN_SIGNATURE, EDS_CHAIN_SIGNATURE},
     {0, 0, 2, 2}},
    {"signature by another key",
     forge_with_other_key,
     {0, GOOD, EDS_CHAIN_SIGNATURE, EDS_CHAIN_SIGNATURE},
     {0, 0, 2, 2}},
    {"record of another device",
     change_device,
     {0, GOOD, EDS_CHAIN_DEVICE, EDS_CHAIN_DEVICE},
     {0, 0, 2, 2}},
    {"starts at 2", start_at_two, {0, GOOD, SEQ, SEQ}, {0, 0, 0, 0}},
    {"starts at 0", start_at_zero, {0, GOOD, SEQ, SEQ}, {0, 0, 0, 0}},
    {"sequence skipped", skip_a_sequence, {0, SEQ, SEQ, SEQ}, {0, 2, 2, 2}},
    {"sequences wrap", run_out_of_sequences, {0, GOOD, SEQ, SEQ}, {0, 0, 0, 0}},
    {"record taken out", take_middle_out, {0, PREV, PREV, PREV}, {0, 2, 2, 2}},
    {"records swapped", swap_records, {0, PREV, PREV, PREV}, {0, 2, 2, 2}},
    {"first has a previous hash", first_previous_hash, {0, PREV, PREV, PREV}, {0, 0, 0, 0}},
    {"attestation stripped",
     strip_attestation,
     {0, GOOD, GOOD, EDS_CHAIN_ATTESTATION_ABSENT},
     {0, 0, 0, 2}},
    {"attestation of another record",
     swap_attestations,
     {0, GOOD, EDS_CHAIN_ATTESTATION, EDS_CHAIN_ATTESTATION},
     {0, 0, 2, 2}},
    {"attestation broken",
     break_attestation,
     {0, GOOD, EDS_CHAIN_ATTESTATION, EDS_CHAIN_ATTESTATION},
     {0, 0, 2, 2}},
    {"attestation by an unknown key",
     unknown_attestation_key,
     {0, GOOD, EDS_CHAIN_ATTESTATION, EDS_CHAIN_ATTESTATION},
     {0, 0, 2, 2}},
    {"payload changed",
     change_payload,
     {0, GOOD, EDS_CHAIN_PAYLOAD, EDS_CHAIN_PAYLOAD},
     {0, 0, 2, 2}},
    {"payload lost", lose_payload, {0, GOOD, GOOD, EDS_CHAIN_PAYLOAD_ABSENT}, {0, 0, 0, 2}},
    {"string no UTF-8",
     bad_string,
     {0, EDS_CHAIN_RECORD, EDS_CHAIN_RECORD, EDS_CHAIN_RECORD},
     {0, 2, 2, 2}},
};

static void test_what_each_strength_sees(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++)
        for (int strength = EDS_STRENGTH_LINKS; strength <= EDS_STRENGTH_FULL; strength++) {
            struct eds_chain_finding finding;
            struct made_chain made;

            make_chain(&made, 1);
            harms[i].inflict(&made);
            finding = check(&made, (enum eds_strength)strength, CHAIN_LENGTH);
            if (finding.fault != harms[i].found[strength])
                fail_msg("%s, strength %d: fault %d", harms[i].name, strength, finding.fault);
            if (finding.fault != GOOD)
                assert_int_equal(finding.index, harms[i].index[strength]);
        }
}

/* No strength sees a cut tail: that takes a count or hash from elsewhere. */
static void test_cut_tail(void **state)
{
    struct made_chain made;

    (void)state;
    make_chain(&made, 1);
    for (size_t count = 0; count <= CHAIN_LENGTH; count++)
        for (int strength = EDS_STRENGTH_LINKS; strength <= EDS_STRENGTH_FULL; strength++)
            assert_int_equal(check(&made, (enum eds_strength)strength, count).fault, GOOD);
}

static void test_unchecked(void **state)
{
    const char *links = eds_chain_unchecked(EDS_STRENGTH_LINKS);
    const char *signatures = eds_chain_unchecked(EDS_STRENGTH_SIGNATURES);
    const char *full = eds_chain_unchecked(EDS_STRENGTH_FULL);

    (void)state;
    assert_non_null(strstr(links, "signatures, attestations, payloads"));
    assert_null(strstr(signatures, "signatures"));
    assert_non_null(strstr(signatures, "attestations and payloads that are not there"));
    assert_null(strstr(full, "payloads"));
    assert_non_null(strstr(links, "after the last one are missing"));
    assert_non_null(strstr(signatures, "after the last one are missing"));
    assert_non_null(strstr(full, "after the last one are missing"));
}

/* From an anchor on: the middle of a chain, checked by itself. */
static void test_anchor(void **state)
{
    struct eds_chain_finding finding;
    struct made_chain made;
    uint8_t anchor[EDS_HASH_SIZE], hash[EDS_HASH_SIZE];

    (void)state;
    make_chain(&made, 1);
    eds_record_digest(anchor, &made.entries[1].record);
    for (int strength = EDS_STRENGTH_LINKS; strength <= EDS_STRENGTH_FULL; strength++) {
        struct eds_chain chain;

        eds_chain_begin_after(&chain, (enum eds_strength)strength, 2, anchor);
        for (size_t i = 2; i < CHAIN_LENGTH; i++)
            assert_int_equal(eds_chain_link(&chain, &made.entries[i].record, hash, &finding),
                             EDS_OK);
        assert_int_equal(chain.count, CHAIN_LENGTH - 2);
        eds_chain_begin_after(&chain, (enum eds_strength)strength, 3, anchor);
        assert_int_equal(eds_chain_link(&chain, &made.entries[2].record, hash, &finding),
                         EDS_ERR_CHAIN_INVALID);
        assert_int_equal(finding.fault, SEQ);
        assert_int_equal(finding.expected, 4);
        assert_int_equal(finding.actual, 3);
        anchor[0] ^= 1;
        eds_chain_begin_after(&chain, (enum eds_strength)strength, 2, anchor);
        assert_int_equal(eds_chain_link(&chain, &made.entries[2].record, hash, &finding),
                         EDS_ERR_CHAIN_INVALID);
        assert_int_equal(finding.fault, PREV);
        anchor[0] ^= 1;
    }
}

/* At 2^64 - 1 a chain is full; links alone wrap, as the original does. */
static void test_last_sequence(void **state)
{
    static const uint8_t anchor[EDS_HASH_SIZE] = {0};
    EdsAuditRecord record = {.sequence = 0};
    struct eds_chain_finding finding;
    struct eds_chain chain;
    uint8_t hash[EDS_HASH_SIZE];

    (void)state;
    eds_chain_begin_after(&chain, EDS_STRENGTH_LINKS, UINT64_MAX, anchor);
    assert_int_equal(eds_chain_link(&chain, &record, hash, &finding), EDS_OK);
    eds_chain_begin_after(&chain, EDS_STRENGTH_SIGNATURES, UINT64_MAX, anchor);
    assert_int_equal(eds_chain_link(&chain, &record, hash, &finding), EDS_ERR_CHAIN_INVALID);
    assert_int_equal(finding.fault, SEQ);
    eds_chain_begin_after(&chain, EDS_STRENGTH_SIGNATURES, UINT64_MAX - 1, anchor);
    record.sequence = UINT64_MAX;
    assert_int_equal(eds_chain_link(&chain, &record, hash, &finding), EDS_OK);
}

/* A walk that met a fault stands where it stood, and takes the right record. */
static void test_fault_does_not_move(void **state)
{
    struct eds_chain_finding finding;
    struct eds_chain chain, before;
    struct made_chain made;
    uint8_t hash[EDS_HASH_SIZE];

    (void)state;
    make_chain(&made, 1);
    eds_chain_begin(&chain, EDS_STRENGTH_SIGNATURES);
    assert_int_equal(eds_chain_link(&chain, &made.entries[0].record, hash, &finding), EDS_OK);
    before = chain;
    assert_int_equal(eds_chain_link(&chain, &made.entries[2].record, hash, &finding),
                     EDS_ERR_CHAIN_INVALID);
    assert_memory_equal(&chain, &before, sizeof chain);
    assert_int_equal(eds_chain_link(&chain, &made.entries[1].record, hash, &finding), EDS_OK);
}

/* A device's keys: any of them may have signed, but for an attestation it must
 * be the one it names. */
static void test_several_keys(void **state)
{
    struct made_chain made, other;
    uint8_t keys[3][EDS_PUBLIC_KEY_SIZE], hash[EDS_HASH_SIZE];
    struct eds_chain_rules rules = {
        .strength = EDS_STRENGTH_FULL, .public_keys = keys, .public_key_count = 3};
    struct eds_chain_finding finding;
    const char *payload;

    (void)state;
    make_chain(&made, 1);
    make_chain(&other, 2);
    payload = made.payloads[0];
    memset(keys[0], 0, sizeof keys[0]);
    memcpy(keys[1], other.public_key, sizeof keys[1]);
    memcpy(keys[2], made.public_key, sizeof keys[2]);
    eds_record_digest(hash, &made.entries[0].record);
    assert_int_equal(
        eds_chain_inspect(&rules, &made.entries[0], hash, payload, strlen(payload), &finding),
        EDS_OK);
    rules.public_key_count = 2;
    assert_int_equal(
        eds_chain_inspect(&rules, &made.entries[0], hash, payload, strlen(payload), &finding),
        EDS_ERR_CHAIN_INVALID);
    assert_int_equal(finding.fault, EDS_CHAIN_SIGNATURE);
    rules.public_key_count = 0;
    assert_int_equal(
        eds_chain_inspect(&rules, &made.entries[0], hash, payload, strlen(payload), &finding),
        EDS_ERR_CHAIN_INVALID);
}

/* An empty payload is a payload. */
static void test_empty_payload(void **state)
{
    struct made_chain made;
    struct eds_chain_rules rules = {
        .strength = EDS_STRENGTH_FULL, .public_keys = &made.public_key, .public_key_count = 1};
    struct eds_chain_finding finding;
    uint8_t hash[EDS_HASH_SIZE];

    (void)state;
    make_chain(&made, 1);
    eds_record_sign(&made.entries[0].record, "lift-01", 1, 2, NULL, 0, NULL, "ref", made.seed,
                    NULL);
    rebuild(&made, 0, true);
    eds_record_digest(hash, &made.entries[0].record);
    assert_int_equal(eds_chain_inspect(&rules, &made.entries[0], hash, "", 0, &finding), EDS_OK);
    assert_int_equal(eds_chain_inspect(&rules, &made.entries[0], hash, NULL, 0, &finding),
                     EDS_ERR_CHAIN_INVALID);
    assert_int_equal(finding.fault, EDS_CHAIN_PAYLOAD_ABSENT);
}

static void test_texts(void **state)
{
    static const struct {
        struct eds_chain_finding finding;
        const char *text;
    } rows[] = {
        {{EDS_CHAIN_PREVIOUS_HASH, 1, 0, 0}, "invalid previous hash at index 1"},
        {{EDS_CHAIN_SEQUENCE, 2, 3, 4}, "invalid sequence at index 2: expected 3, actual 4"},
        {{EDS_CHAIN_SEQUENCE, 2, 0, 0},
         "invalid sequence at index 2: no number follows 18446744073709551615"},
        {{EDS_CHAIN_SIGNATURE, 7, 0, 0}, "invalid signature at index 7"},
        {{EDS_CHAIN_ATTESTATION_ABSENT, 0, 0, 0}, "no attestation at index 0"},
        {{EDS_CHAIN_SEQUENCE, UINT64_MAX, UINT64_MAX, UINT64_MAX - 1},
         "invalid sequence at index 18446744073709551615: expected 18446744073709551615, "
         "actual 18446744073709551614"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[160], small[20];

        assert_int_equal(eds_chain_finding_text(text, sizeof text, &rows[i].finding),
                         strlen(rows[i].text));
        assert_string_equal(text, rows[i].text);
        memset(small, '#', sizeof small);
        assert_true(eds_chain_finding_text(small, 10, &rows[i].finding) < 10);
        assert_int_equal(small[10], '#');
    }
    for (int fault = EDS_CHAIN_GOOD; fault <= EDS_CHAIN_RECORD; fault++)
        for (int other = EDS_CHAIN_GOOD; other < fault; other++) {
            struct eds_chain_finding one = {.fault = (enum eds_chain_fault)fault};
            struct eds_chain_finding two = {.fault = (enum eds_chain_fault)other};
            char first[160], second[160];

            eds_chain_finding_text(first, sizeof first, &one);
            eds_chain_finding_text(second, sizeof second, &two);
            assert_string_not_equal(first, second);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts_of_the_original),
        cmocka_unit_test(test_what_each_strength_sees),
        cmocka_unit_test(test_cut_tail),
        cmocka_unit_test(test_unchecked),
        cmocka_unit_test(test_anchor),
        cmocka_unit_test(test_last_sequence),
        cmocka_unit_test(test_fault_does_not_move),
        cmocka_unit_test(test_several_keys),
        cmocka_unit_test(test_empty_payload),
        cmocka_unit_test(test_texts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
