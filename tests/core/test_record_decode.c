/* Canonical bytes from outside: each row is one edit away from a valid record,
 * so that it can be refused for one reason only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "edgesentry/record.h"
#include "support/vectors.h"

/* 07 "lift-01" 2a, six bytes of time, 32, 40 and 64, 32, 05 "ref-1": 150 bytes. */
static uint8_t valid[EDS_COMPACT_SIZE_MAX];
static size_t valid_size;

enum { ID = 0, SEQUENCE = 8, TIME = 9, HASH = 15, SIGNATURE = 47, REF = 144 };

static int make_valid(void **state)
{
    EdsAuditRecord record = {.sequence = 42, .timestamp_ms = 1700000000000};

    (void)state;
    strcpy((char *)record.device_id, "lift-01");
    strcpy((char *)record.object_ref, "ref-1");
    memset(record.payload_hash, 0x11, sizeof record.payload_hash);
    memset(record.signature, 0x22, sizeof record.signature);
    memset(record.prev_record_hash, 0x33, sizeof record.prev_record_hash);
    return eds_record_encode(valid, &valid_size, &record) != EDS_OK || valid_size != 150;
}

struct edit {
    const char *name;
    size_t at, removed;
    const char *inserted;
    size_t inserted_size;
    const char *fault; /* NULL: it decodes */
};

#define EDIT(name, at, removed, inserted, fault)                                                   \
    {                                                                                              \
        name, at, removed, inserted, sizeof(inserted) - 1, fault                                   \
    }

static const struct edit edits[] = {
    EDIT("none", 0, 0, "", NULL),
    EDIT("another id", ID + 1, 1, "L", NULL),
    EDIT("no id", ID, 8, "\x00", NULL),
    EDIT("id of two-byte characters", ID + 1, 4, "\xc3\xa9\xc3\xa9", NULL),
    EDIT("id length over what follows", ID, 1, "\x7f", "device_id at byte 0: the string is not"),
    EDIT("id length 255, bytes end", ID, 1, "\xff\x01", "device_id at byte 0: the bytes end"),
    EDIT("id length 256", ID, 1, "\x80\x02", "device_id at byte 0: the string is longer than 255"),
    EDIT("id length 2^63", ID, 1, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
         "device_id at byte 0: the string is longer"),
    EDIT("id length spelled longer", ID, 1, "\x87\x00", "device_id at byte 0: the number is sp"),
    EDIT("NUL first in the id", ID + 1, 1, "\0", "device_id at byte 0: there is a NUL"),
    EDIT("NUL last in the id", ID + 7, 1, "\0", "device_id at byte 0: there is a NUL"),
    EDIT("id not UTF-8", ID + 3, 1, "\xff", "device_id at byte 0: the string is not valid UTF-8"),
    EDIT("id cut inside a character", ID + 7, 1, "\xc3", "device_id at byte 0: the string is not"),
    EDIT("id with a surrogate", ID + 1, 3, "\xed\xa0\x80", "device_id at byte 0: the string is n"),
    EDIT("id with an overlong slash", ID + 1, 2, "\xc0\xaf", "device_id at byte 0: the string is"),
    EDIT("sequence 0", SEQUENCE, 1, "\x00", NULL),
    EDIT("sequence of two bytes", SEQUENCE, 1, "\x80\x01", NULL),
    EDIT("sequence 2^64 - 1", SEQUENCE, 1, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", NULL),
    EDIT("sequence 2^64", SEQUENCE, 1, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x02",
         "sequence at byte 8: the number is above 2^64 - 1"),
    EDIT("sequence of eleven bytes", SEQUENCE, 1, "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00",
         "sequence at byte 8: the number is above 2^64 - 1"),
    EDIT("sequence spelled longer", SEQUENCE, 1, "\xaa\x00",
         "sequence at byte 8: the number is spelled longer than needed"),
    EDIT("zero spelled longer", SEQUENCE, 1, "\x80\x00", "sequence at byte 8: the number is spell"),
    EDIT("sequence in ten bytes", SEQUENCE, 1, "\xaa\x80\x80\x80\x80\x80\x80\x80\x80\x00",
         "sequence at byte 8: the number is spelled longer"),
    EDIT("time 0", TIME, 6, "\x00", NULL),
    EDIT("time spelled longer", TIME + 5, 1, "\xb1\x00", "timestamp_ms at byte 9: the number is"),
    EDIT("signature length 63", SIGNATURE, 1, "\x3f", "signature at byte 47: its length is not 64"),
    EDIT("signature length 65", SIGNATURE, 1, "\x41", "signature at byte 47: its length is not 64"),
    EDIT("signature length 0", SIGNATURE, 1, "\x00", "signature at byte 47: its length is not 64"),
    EDIT("signature length spelled longer", SIGNATURE, 1, "\xc0\x00",
         "signature at byte 47: the number is spelled longer"),
    EDIT("no reference", REF, 6, "\x00", NULL),
    EDIT("reference length past the end", REF, 1, "\x06", "object_ref at byte 144: the bytes end"),
    EDIT("reference length too short", REF, 1, "\x04", "record at byte 149: there are bytes after"),
    EDIT("reference length 512", REF, 1, "\x80\x04",
         "object_ref at byte 144: the string is longer than 511 bytes"),
    EDIT("NUL inside the reference", REF + 2, 1, "\0", "object_ref at byte 144: there is a NUL"),
    EDIT("reference not UTF-8", REF + 5, 1, "\x80", "object_ref at byte 144: the string is not v"),
    EDIT("last byte missing", 149, 1, "", "object_ref at byte 144: the bytes end inside it"),
    EDIT("one byte too many", 150, 0, "!", "record at byte 150: there are bytes after its end"),
};

static size_t apply(uint8_t *out, const struct edit *edit)
{
    size_t behind = valid_size - edit->at - edit->removed;

    memcpy(out, valid, edit->at);
    memcpy(out + edit->at, edit->inserted, edit->inserted_size);
    memcpy(out + edit->at + edit->inserted_size, valid + edit->at + edit->removed, behind);
    return edit->at + edit->inserted_size + behind;
}

static void test_edits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        uint8_t bytes[EDS_COMPACT_SIZE_MAX], again[EDS_RECORD_SIZE_MAX];
        size_t size = apply(bytes, &edits[i]), again_size;
        EdsAuditRecord record, before;
        struct eds_error err = {0};
        int32_t rc;

        memset(&record, 0xa5, sizeof record);
        before = record;
        rc = eds_record_decode(&record, bytes, size, &err);
        if (edits[i].fault == NULL) {
            if (rc != EDS_OK)
                fail_msg("%s: %s", edits[i].name, err.text);
            assert_int_equal(eds_record_encode(again, &again_size, &record), EDS_OK);
            assert_int_equal(again_size, size);
            assert_memory_equal(again, bytes, size);
            continue;
        }
        if (rc == EDS_OK)
            fail_msg("%s: decoded", edits[i].name);
        assert_int_equal(rc, EDS_ERR_MALFORMED);
        assert_int_equal(err.code, EDS_ERR_MALFORMED);
        assert_memory_equal(&record, &before, sizeof record);
        if (strncmp(err.text, edits[i].fault, strlen(edits[i].fault)) != 0)
            fail_msg("%s: %s", edits[i].name, err.text);
        assert_int_equal(eds_record_decode(&record, bytes, size, NULL), EDS_ERR_MALFORMED);
    }
}

/* Each cut is in a block of memory of just that size, so that a sanitizer sees
 * a read behind it. */
static uint8_t *cut(size_t size)
{
    uint8_t *bytes = malloc(size > 0 ? size : 1);

    assert_non_null(bytes);
    memcpy(bytes, valid, size);
    return bytes;
}

static void test_every_truncation(void **state)
{
    (void)state;
    for (size_t size = 0; size < valid_size; size++) {
        uint8_t *bytes = cut(size);
        struct eds_error err = {0};
        EdsAuditRecord record;

        assert_int_equal(eds_record_decode(&record, bytes, size, &err), EDS_ERR_MALFORMED);
        assert_non_null(strstr(err.text, "the bytes end inside it"));
        free(bytes);
    }
    assert_int_equal(eds_record_decode(&(EdsAuditRecord){0}, NULL, 0, NULL), EDS_ERR_MALFORMED);
}

/* Whatever one byte is changed to: refused, or another record with just these
 * bytes. */
static void test_every_byte(void **state)
{
    unsigned taken = 0, refused = 0;

    (void)state;
    for (size_t at = 0; at < valid_size; at++)
        for (unsigned change = 1; change < 256; change++) {
            uint8_t bytes[EDS_RECORD_SIZE_MAX], again[EDS_RECORD_SIZE_MAX];
            EdsAuditRecord record;
            size_t again_size;

            memcpy(bytes, valid, valid_size);
            bytes[at] ^= (uint8_t)change;
            if (eds_record_decode(&record, bytes, valid_size, NULL) != EDS_OK) {
                refused++;
                continue;
            }
            taken++;
            assert_int_equal(eds_record_encode(again, &again_size, &record), EDS_OK);
            assert_int_equal(again_size, valid_size);
            assert_memory_equal(again, bytes, valid_size);
        }
    assert_true(taken > 128 * 255); /* hashes and signature are free */
    assert_true(refused > 1000);
}

static bool is_number(const char *type)
{
    return strncmp(type, "u16", 3) == 0 || strncmp(type, "u32", 3) == 0 ||
           strncmp(type, "u64", 3) == 0 || strncmp(type, "usize", 5) == 0 ||
           strcmp(type, "newtype u32") == 0;
}

/* Puts postcard's own bytes for a number where the sequence stands. */
static void check_number(const json_t *row)
{
    uint8_t number[16], bytes[256], again[EDS_RECORD_SIZE_MAX];
    size_t number_size = vector_hex(row, "bytes", number, sizeof number), again_size;
    struct edit edit = {"", SEQUENCE, 1, (const char *)number, number_size, NULL};
    size_t size = apply(bytes, &edit);
    EdsAuditRecord record;
    int32_t rc = eds_record_decode(&record, bytes, size, NULL);

    if (!vector_bool(row, "canonical")) { /* postcard takes some of these; we do not */
        assert_int_equal(rc, EDS_ERR_MALFORMED);
        return;
    }
    assert_int_equal(rc, EDS_OK);
    assert_int_equal(record.sequence, vector_u64(row, "value"));
    assert_int_equal(eds_record_encode(again, &again_size, &record), EDS_OK);
    assert_memory_equal(again + SEQUENCE, number, number_size);
}

/* And for a string where the device's id stands. */
static void check_string(const json_t *row)
{
    uint8_t string[16], bytes[256], again[EDS_RECORD_SIZE_MAX];
    size_t string_size = vector_hex(row, "bytes", string, sizeof string), again_size;
    struct edit edit = {"", ID, 8, (const char *)string, string_size, NULL};
    size_t size = apply(bytes, &edit);
    EdsAuditRecord record;

    assert_int_equal(eds_record_decode(&record, bytes, size, NULL), EDS_OK);
    assert_string_equal((const char *)record.device_id, vector_string(row, "value"));
    assert_int_equal(eds_record_encode(again, &again_size, &record), EDS_OK);
    assert_memory_equal(again, string, string_size);
}

static void test_postcard(void **state)
{
    json_t *rows = vector_load("postcard/vectors.json"), *row;
    unsigned numbers = 0, strings = 0;
    size_t index;

    (void)state;
    json_array_foreach(rows, index, row)
    {
        const char *type = vector_string(row, "type");

        if (is_number(type)) {
            check_number(row);
            numbers++;
        } else if (strcmp(type, "char") == 0 || strcmp(type, "bytes") == 0) {
            check_string(row);
            strings++;
        }
    }
    assert_int_equal(numbers, 15);
    assert_int_equal(strings, 4);
    json_decref(rows);
}

/* All lengths of a varint: both ends of each, and the same with a byte more. */
static void test_varints(void **state)
{
    (void)state;
    for (unsigned bits = 7; bits <= 63; bits += 7)
        for (uint64_t less = 0; less < 2; less++) {
            EdsAuditRecord record = {.sequence = ((uint64_t)1 << bits) - less}, again;
            uint8_t bytes[EDS_RECORD_SIZE_MAX];
            size_t size, length = bits / 7 + 1 - (size_t)less;

            assert_int_equal(eds_record_encode(bytes, &size, &record), EDS_OK);
            assert_int_equal(size, 132 + length);
            assert_int_equal(eds_record_decode(&again, bytes, size, NULL), EDS_OK);
            assert_int_equal(again.sequence, record.sequence);
            bytes[length] |= 0x80; /* one byte more, of value 0 */
            memmove(bytes + length + 2, bytes + length + 1, size - length - 1);
            bytes[length + 1] = 0x00;
            assert_int_equal(eds_record_decode(&again, bytes, size + 1, NULL), EDS_ERR_MALFORMED);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edits),      cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_byte), cmocka_unit_test(test_postcard),
        cmocka_unit_test(test_varints),
    };

    return cmocka_run_group_tests(tests, make_valid, NULL);
}
