/* Compact entries: one after the other, cut anywhere, and marked as attested. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/attest.h"
#include "edgesentry/record.h"
#include "support/dice.h"
#include "support/vectors.h"

static void make_entry(struct eds_entry *entry, uint64_t sequence, bool attested)
{
    uint8_t seed[32] = {9}, hash[32];

    memset(entry, 0, sizeof *entry);
    eds_record_sign(&entry->record, "lift-01", sequence, 1700000000000, "abc", 3, NULL, "ref", seed,
                    NULL);
    eds_record_digest(hash, &entry->record);
    if (attested)
        eds_attest_sign(&entry->attestation, hash, seed);
}

static void test_forms(void **state)
{
    uint8_t plain[EDS_COMPACT_SIZE_MAX], attested[EDS_COMPACT_SIZE_MAX];
    uint8_t record[EDS_RECORD_SIZE_MAX];
    size_t plain_size, attested_size, record_size;
    struct eds_entry entry;

    (void)state;
    make_entry(&entry, 1, true);
    assert_int_equal(eds_record_encode(record, &record_size, &entry.record), EDS_OK);
    assert_int_equal(eds_compact_encode(attested, &attested_size, &entry), EDS_OK);
    assert_int_equal(attested_size, record_size + 1 + 8 + 64);
    assert_memory_equal(attested, record, record_size);
    assert_int_equal(attested[record_size], 1);
    assert_memory_equal(attested + record_size + 1, entry.attestation.key_id, 8);
    assert_memory_equal(attested + record_size + 9, entry.attestation.signature, 64);
    entry.attestation.present = false; /* the other fields mean nothing then */
    assert_int_equal(eds_compact_encode(plain, &plain_size, &entry), EDS_OK);
    assert_int_equal(plain_size, record_size + 1);
    assert_memory_equal(plain, record, record_size);
    assert_int_equal(plain[record_size], 0);
}

static void test_longest(void **state)
{
    uint8_t bytes[EDS_COMPACT_SIZE_MAX];
    struct eds_entry entry, again;
    size_t size, used;

    (void)state;
    memset(&entry, 0xff, sizeof entry);
    memset(entry.record.device_id, 'd', 255);
    memset(entry.record.object_ref, 'r', 511);
    entry.record.device_id[255] = entry.record.object_ref[511] = '\0';
    entry.attestation.present = true;
    assert_int_equal(eds_compact_encode(bytes, &size, &entry), EDS_OK);
    assert_int_equal(size, EDS_COMPACT_SIZE_MAX);
    assert_int_equal(eds_compact_decode(&again, bytes, size, &used, NULL), EDS_OK);
    assert_int_equal(used, size);
    assert_memory_equal(&again.record, &entry.record, sizeof again.record);
    assert_memory_equal(again.attestation.signature, entry.attestation.signature, 64);
}

static void test_cannot_encode(void **state)
{
    uint8_t bytes[EDS_COMPACT_SIZE_MAX];
    struct eds_entry entry;
    size_t size = 4711;

    (void)state;
    make_entry(&entry, 1, true);
    entry.record.object_ref[0] = 0xff;
    assert_int_equal(eds_compact_encode(bytes, &size, &entry), EDS_ERR_INVALID_UTF8);
    assert_int_equal(size, 0);
}

/* A stream of entries, and every way to cut it: entries before the cut come out
 * whole, the one under it is called truncated. */
static void test_stream_cut_anywhere(void **state)
{
    enum { COUNT = 4 };
    uint8_t bytes[COUNT * EDS_COMPACT_SIZE_MAX];
    struct eds_entry entries[COUNT];
    size_t ends[COUNT], size = 0;

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        size_t entry_size;

        make_entry(&entries[i], i + 1, i % 2 != 0);
        assert_int_equal(eds_compact_encode(bytes + size, &entry_size, &entries[i]), EDS_OK);
        ends[i] = size += entry_size;
    }
    for (size_t cut = 0; cut <= size; cut++) {
        uint8_t *part = malloc(cut > 0 ? cut : 1); /* a sanitizer watches its end */
        size_t at = 0, used = 0, count = 0;
        struct eds_entry entry;
        struct eds_error err;
        int32_t rc;

        assert_non_null(part);
        memcpy(part, bytes, cut);
        while ((rc = eds_compact_decode(&entry, part + at, cut - at, &used, &err)) == EDS_OK) {
            assert_memory_equal(&entry.record, &entries[count].record, sizeof entry.record);
            assert_int_equal(entry.attestation.present, count % 2 != 0);
            at += used;
            assert_int_equal(at, ends[count]);
            count++;
        }
        assert_int_equal(rc, EDS_ERR_TRUNCATED);
        assert_int_equal(err.code, EDS_ERR_TRUNCATED);
        assert_true(count == COUNT ? cut == size : cut < ends[count]);
        free(part);
    }
}

static void test_edits(void **state)
{
    uint8_t bytes[EDS_COMPACT_SIZE_MAX], edited[EDS_COMPACT_SIZE_MAX];
    size_t size, mark, used;
    struct eds_entry entry, before;
    struct eds_error err;

    (void)state;
    make_entry(&entry, 1, true);
    assert_int_equal(eds_compact_encode(bytes, &size, &entry), EDS_OK);
    mark = size - 73;
    memset(&entry, 0xa5, sizeof entry);
    before = entry;
    for (unsigned value = 2; value < 256; value++) {
        memcpy(edited, bytes, size);
        edited[mark] = (uint8_t)value;
        assert_int_equal(eds_compact_decode(&entry, edited, size, &used, &err), EDS_ERR_MALFORMED);
        assert_memory_equal(&entry, &before, sizeof entry);
    }
    assert_string_equal(err.text, "attest at byte 148: it is neither 0 (none) nor 1 (present)");
    memcpy(edited, bytes, size);
    edited[1] = '\0'; /* a fault in the record is malformed, though the bytes go on */
    assert_int_equal(eds_compact_decode(&entry, edited, size, &used, &err), EDS_ERR_MALFORMED);
    assert_int_equal(eds_compact_decode(&entry, edited, size, &used, NULL), EDS_ERR_MALFORMED);
}

/* Whatever one byte is changed to: refused, or it encodes back to itself. */
static void test_every_byte(void **state)
{
    uint8_t bytes[EDS_COMPACT_SIZE_MAX], edited[EDS_COMPACT_SIZE_MAX];
    uint8_t again[EDS_COMPACT_SIZE_MAX];
    struct eds_entry entry;
    size_t size;

    (void)state;
    make_entry(&entry, 1, true);
    assert_int_equal(eds_compact_encode(bytes, &size, &entry), EDS_OK);
    for (size_t at = 0; at < size; at++)
        for (unsigned change = 1; change < 256; change++) {
            size_t used, again_size;

            memcpy(edited, bytes, size);
            edited[at] ^= (uint8_t)change;
            if (eds_compact_decode(&entry, edited, size, &used, NULL) != EDS_OK)
                continue;
            assert_int_equal(eds_compact_encode(again, &again_size, &entry), EDS_OK);
            assert_int_equal(again_size, used);
            assert_memory_equal(again, edited, used);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),         cmocka_unit_test(test_longest),
        cmocka_unit_test(test_cannot_encode), cmocka_unit_test(test_stream_cut_anywhere),
        cmocka_unit_test(test_edits),         cmocka_unit_test(test_every_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
