/* test_vouching.c - the batch path of an inspection says what looking at every
 * entry by itself says, wherever a fault is. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "edgesentry/attest.h"
#include "edgesentry/verifier.h"
#include "evidence/inspection.h"

#define COUNT 700u /* two full batches and a part of one */

static struct eds_inspection_item items[COUNT];
static uint8_t keys[2][EDS_PUBLIC_KEY_SIZE];

static int make_entries(void **state)
{
    uint8_t seeds[2][EDS_SEED_SIZE] = {{1}, {2}};

    (void)state;
    for (size_t i = 0; i < 2; i++)
        eds_ed25519_public_key(keys[i], seeds[i]);
    for (size_t i = 0; i < COUNT; i++) {
        struct eds_inspection_item *item = &items[i];
        size_t key = i % 5 == 4; /* most by the first key, some by the second */

        if (eds_record_sign(&item->entry.record, "lift-01", i + 1, i, &i, sizeof i, NULL, "ref",
                            seeds[key], NULL) != EDS_OK ||
            eds_record_digest(item->record_hash, &item->entry.record) != EDS_OK)
            return -1;
        item->entry.attestation.present = false;
        if (i % 3 == 0)
            eds_attest_sign(&item->entry.attestation, item->record_hash, seeds[key]);
    }
    return 0;
}

static int32_t run(enum eds_strength strength, unsigned thread_count,
                   struct eds_chain_finding *finding)
{
    struct eds_chain_rules rules = {.strength = strength,
                                    .public_keys = (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])keys,
                                    .public_key_count = 2};
    struct eds_inspection *inspection = eds_inspection_start(&rules, thread_count, 0);

    assert_non_null(inspection);
    for (size_t i = 0; i < COUNT; i++) {
        struct eds_inspection_item *item = eds_inspection_next(inspection);

        if (item == NULL)
            break;
        *item = items[i];
        eds_inspection_add(inspection);
    }
    return eds_inspection_finish(inspection, finding);
}

static void test_all_good(void **state)
{
    struct eds_chain_finding finding;

    (void)state;
    for (unsigned threads = 1; threads <= 4; threads++)
        assert_int_equal(run(EDS_STRENGTH_SIGNATURES, threads, &finding), EDS_OK);
}

/* Turns one bit in the middle of something of an entry, and back. */
static void expect_fault(size_t index, uint8_t *byte, enum eds_chain_fault fault)
{
    struct eds_chain_finding finding;

    *byte ^= 4;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        assert_int_equal(run(EDS_STRENGTH_SIGNATURES, threads, &finding), EDS_ERR_CHAIN_INVALID);
        assert_int_equal(finding.fault, fault);
        assert_int_equal(finding.index, index);
    }
    *byte ^= 4;
}

static void test_each_fault_is_found_in_its_place(void **state)
{
    static const size_t places[] = {0, 1, 4, 254, 255, 256, 259, 300, 511, 512, 699};

    (void)state;
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        struct eds_entry *entry = &items[places[i]].entry;

        expect_fault(places[i], &entry->record.signature[40], EDS_CHAIN_SIGNATURE);
        expect_fault(places[i], &entry->record.signature[3], EDS_CHAIN_SIGNATURE);
        if (!entry->attestation.present)
            continue;
        expect_fault(places[i], &entry->attestation.signature[40], EDS_CHAIN_ATTESTATION);
        expect_fault(places[i], &entry->attestation.key_id[1], EDS_CHAIN_ATTESTATION);
        expect_fault(places[i], &items[places[i]].record_hash[7], EDS_CHAIN_ATTESTATION);
    }
}

/* Vouching for signatures must not make what is missing be overlooked. */
static void test_absent_things_are_still_missed(void **state)
{
    struct eds_chain_finding finding;

    (void)state;
    assert_int_equal(run(EDS_STRENGTH_FULL, 2, &finding), EDS_ERR_CHAIN_INVALID);
    assert_int_equal(finding.fault, EDS_CHAIN_PAYLOAD_ABSENT);
    assert_int_equal(finding.index, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_good),
        cmocka_unit_test(test_each_fault_is_found_in_its_place),
        cmocka_unit_test(test_absent_things_are_still_missed),
    };

    eds_verifier_init();
    return cmocka_run_group_tests(tests, make_entries, NULL);
}
