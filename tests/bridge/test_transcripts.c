/* The C ABI against the original's: each call of its transcript again, with the
 * same code and the same last error afterwards. */
#include "edgesentry_bridge.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"

/* What the calls of the transcript were made with. */
static struct {
    uint8_t seed[32], key[32], identity[32], off_curve[32];
    uint8_t hash[32];
    EdsAuditRecord example;  /* the sign-record example */
    EdsAuditRecord chain[3]; /* payloads p1, p2, p3 */
    EdsAuditRecord out;      /* where failing calls were to write */
    char id_255[256], id_256[257], ref_511[512], ref_512[513];
    char id_85[256], id_86[259]; /* characters of three bytes */
} w;

static const uint8_t payload[] = "p1";

static int32_t sign(const char *device_id, const char *object_ref)
{
    return eds_sign_record(device_id, 1, 1000, payload, 2, NULL, object_ref, w.seed, &w.out);
}

static void make_chain(void)
{
    static const char *const payloads[3] = {"p1", "p2", "p3"};

    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(eds_sign_record("lift-01", i + 1, 1000 + i, (const uint8_t *)payloads[i],
                                         2, i > 0 ? w.hash : NULL, "o", w.seed, &w.chain[i]),
                         EDS_OK);
        assert_int_equal(eds_record_hash(&w.chain[i], w.hash), EDS_OK);
    }
}

static int32_t sign_example(void)
{
    json_t *row = vector_load("peer/sign_record_example.json");
    uint8_t bytes[256];
    size_t size = vector_hex(row, "payload_hex", bytes, sizeof bytes);
    int32_t rc =
        eds_sign_record(vector_string(row, "device_id"), 1, vector_u64(row, "timestamp_ms"), bytes,
                        size, NULL, vector_string(row, "object_ref"), w.seed, &w.example);

    json_decref(row);
    return rc;
}

static int prepare(void **state)
{
    (void)state;
    memset(w.seed, 0x01, sizeof w.seed);
    hex_bytes(w.key, 32, "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c");
    w.identity[0] = 1;
    w.off_curve[0] = 2;
    memset(w.id_255, 'd', 255);
    memset(w.id_256, 'd', 256);
    memset(w.ref_511, 'r', 511);
    memset(w.ref_512, 'r', 512);
    for (unsigned i = 0; i < 86; i++) {
        if (i < 85)
            memcpy(w.id_85 + 3 * (size_t)i, "\xe2\x82\xac", 3);
        memcpy(w.id_86 + 3 * (size_t)i, "\xe2\x82\xac", 3);
    }
    return 0;
}

static int32_t nothing(void)
{
    return 0;
}

static int32_t keygen_no_private(void)
{
    return eds_keygen(NULL, w.hash);
}

static int32_t keygen_no_public(void)
{
    return eds_keygen(w.hash, NULL);
}

static int32_t hash_example(void)
{
    return eds_record_hash(&w.example, w.hash);
}

static int32_t verify_example(void)
{
    return eds_verify_record(&w.example, w.key);
}

static int32_t verify_other_hash(void)
{
    EdsAuditRecord record = w.example;

    record.payload_hash[0] ^= 1;
    return eds_verify_record(&record, w.key);
}

static int32_t verify_other_fields(void)
{
    EdsAuditRecord record = w.example;

    record.sequence++;
    record.timestamp_ms++;
    record.device_id[0] = 'x';
    return eds_verify_record(&record, w.key);
}

static int32_t verify_off_curve(void)
{
    return eds_verify_record(&w.example, w.off_curve);
}

static int32_t verify_identity(void)
{
    return eds_verify_record(&w.example, w.identity);
}

static int32_t verify_no_record(void)
{
    return eds_verify_record(NULL, w.key);
}

static int32_t verify_no_key(void)
{
    return eds_verify_record(&w.example, NULL);
}

static int32_t hash_no_record(void)
{
    return eds_record_hash(NULL, w.hash);
}

static int32_t hash_no_out(void)
{
    return eds_record_hash(&w.example, NULL);
}

static int32_t sign_no_device(void)
{
    return sign(NULL, "o");
}

static int32_t sign_no_payload(void)
{
    return eds_sign_record("d", 1, 2, NULL, 0, NULL, "o", w.seed, &w.out);
}

static int32_t sign_no_ref(void)
{
    return sign("d", NULL);
}

static int32_t sign_no_key(void)
{
    return eds_sign_record("d", 1, 2, payload, 2, NULL, "o", NULL, &w.out);
}

static int32_t sign_no_out(void)
{
    return eds_sign_record("d", 1, 2, payload, 2, NULL, "o", w.seed, NULL);
}

static int32_t sign_bad_device(void)
{
    return sign("\xff", "o");
}

static int32_t sign_bad_ref(void)
{
    return sign("d", "\xff");
}

static int32_t sign_id_255(void)
{
    return sign(w.id_255, "o");
}

/* The original has written part of *out by now; ours has not (a difference). */
static int32_t sign_id_256(void)
{
    EdsAuditRecord before;
    int32_t rc;

    memset(&w.out, 238, sizeof w.out);
    before = w.out;
    rc = sign(w.id_256, "o");
    assert_memory_equal(&w.out, &before, sizeof before);
    return rc;
}

static int32_t sign_ref_511(void)
{
    return sign("d", w.ref_511);
}

static int32_t sign_ref_512(void)
{
    return sign("d", w.ref_512);
}

static int32_t sign_id_85(void)
{
    return sign(w.id_85, "o");
}

static int32_t sign_id_86(void)
{
    return sign(w.id_86, "o");
}

static int32_t sign_empty(void)
{
    return eds_sign_record("d", 1, 2, payload, 0, NULL, "o", w.seed, &w.out);
}

static int32_t hash_third(void)
{
    make_chain();
    return 0;
}

static int32_t chain_good(void)
{
    return eds_verify_chain(w.chain, 3);
}

static int32_t chain_empty(void)
{
    return eds_verify_chain(NULL, 0);
}

static int32_t chain_null(void)
{
    return eds_verify_chain(NULL, 1);
}

static int32_t chain_tampered(void)
{
    EdsAuditRecord chain[3];

    memcpy(chain, w.chain, sizeof chain);
    chain[1].timestamp_ms++;
    return eds_verify_chain(chain, 3);
}

static int32_t chain_jump(void)
{
    EdsAuditRecord chain[3];

    memcpy(chain, w.chain, sizeof chain);
    chain[2].sequence = 9;
    return eds_verify_chain(chain, 3);
}

static int32_t chain_first_prev(void)
{
    EdsAuditRecord chain[3];

    memcpy(chain, w.chain, sizeof chain);
    chain[0].prev_record_hash[0] = 1;
    return eds_verify_chain(chain, 3);
}

static int32_t hash_no_nul(void)
{
    EdsAuditRecord record = w.chain[0];

    memset(record.device_id, 'x', sizeof record.device_id);
    return eds_record_hash(&record, w.hash);
}

static int32_t hash_bad_utf8(void)
{
    EdsAuditRecord record = w.chain[0];

    record.device_id[0] = 0xfe;
    return eds_record_hash(&record, w.hash);
}

static int32_t update(unsigned fault)
{
    uint8_t bytes[2] = {'p', '1'}, signature[64];

    memcpy(signature, w.chain[0].signature, sizeof signature);
    if (fault & 1)
        bytes[0] ^= 1;
    if (fault & 2)
        signature[0] ^= 1;
    return eds_verify_update(bytes, 2, w.chain[0].payload_hash, signature,
                             fault & 4 ? w.off_curve : w.key);
}

static int32_t update_good(void)
{
    return update(0);
}

static int32_t update_payload(void)
{
    return update(1);
}

static int32_t update_signature(void)
{
    return update(2);
}

static int32_t update_both(void)
{
    return update(1 | 2);
}

static int32_t update_key(void)
{
    return update(4);
}

static int32_t update_null(void)
{
    return eds_verify_update(NULL, 0, w.hash, w.out.signature, w.key);
}

static const struct {
    const char *name;
    int32_t (*call)(void);
} calls[] = {
    {"layout", nothing},
    {"before any error", nothing},
    {"eds_keygen NULL private", keygen_no_private},
    {"eds_keygen NULL public", keygen_no_public},
    {"sign ok (last error is not cleared by success)", sign_example},
    {"record_hash ok", hash_example},
    {"record hash of the sign-record example", nothing},
    {"verify ok", verify_example},
    {"verify payload_hash altered", verify_other_hash},
    {"verify with timestamp, sequence and device_id altered (still 1)", verify_other_fields},
    {"verify key not on the curve", verify_off_curve},
    {"verify key = identity", verify_identity},
    {"verify NULL record", verify_no_record},
    {"verify NULL key", verify_no_key},
    {"hash NULL record", hash_no_record},
    {"hash NULL out", hash_no_out},
    {"sign NULL device", sign_no_device},
    {"sign NULL payload with length 0", sign_no_payload},
    {"sign NULL ref", sign_no_ref},
    {"sign NULL key", sign_no_key},
    {"sign NULL out", sign_no_out},
    {"sign device_id not utf-8", sign_bad_device},
    {"sign object_ref not utf-8", sign_bad_ref},
    {"device_id 255 bytes", sign_id_255},
    {"device_id 256 bytes", sign_id_256},
    {"out after -4", nothing},
    {"object_ref 511 bytes", sign_ref_511},
    {"object_ref 512 bytes", sign_ref_512},
    {"sign 85 chars of 3 bytes = 255 bytes", sign_id_85},
    {"sign 86 chars of 3 bytes = 258 bytes", sign_id_86},
    {"sign empty payload, non-NULL", sign_empty},
    {"hash of third record of the p1,p2,p3 chain", hash_third},
    {"chain ok", chain_good},
    {"chain count 0 NULL", chain_empty},
    {"chain NULL count 1", chain_null},
    {"chain tampered at 1", chain_tampered},
    {"chain sequence jump", chain_jump},
    {"chain first prev non-zero", chain_first_prev},
    {"record_hash of a record whose device_id has no NUL (256 bytes used)", hash_no_nul},
    {"record_hash of a record with invalid utf-8 device_id (replaced by U+FFFD)", hash_bad_utf8},
    {"that hash", nothing},
    {"update ok (does not touch last error)", update_good},
    {"update payload differs", update_payload},
    {"update bad signature", update_signature},
    {"update bad signature and payload", update_both},
    {"update bad key", update_key},
    {"update NULL", update_null},
};

static void test_transcript(void **state)
{
    json_t *rows = vector_load("peer/ffi_transcripts.json"), *row;
    size_t index;

    (void)state;
    assert_int_equal(json_array_size(rows), sizeof calls / sizeof calls[0]);
    json_array_foreach(rows, index, row)
    {
        const json_t *rc = json_object_get(row, "rc");
        int32_t ours;

        assert_string_equal(calls[index].name, vector_string(row, "name"));
        ours = calls[index].call();
        if (rc != NULL && ours != json_integer_value(rc))
            fail_msg("%s: %d", calls[index].name, (int)ours);
        if (rc != NULL)
            assert_string_equal(eds_last_error_message(), vector_string(row, "last_error"));
        if (json_object_get(row, "hex") != NULL)
            assert_hex(w.hash, sizeof w.hash, vector_string(row, "hex"));
        if (json_object_get(row, "signature") != NULL)
            assert_hex(w.example.signature, 64, vector_string(row, "signature"));
    }
    json_decref(rows);
}

static void test_layout(void **state)
{
    json_t *rows = vector_load("peer/ffi_transcripts.json");
    const json_t *row = json_array_get(rows, 0), *offsets = vector_get(row, "offsets");

    (void)state;
    assert_int_equal(sizeof(EdsAuditRecord), vector_u64(row, "sizeof"));
    assert_int_equal(alignof(EdsAuditRecord), vector_u64(row, "alignof"));
    assert_int_equal(json_object_size(offsets), 7);
#define AT(field) assert_int_equal(offsetof(EdsAuditRecord, field), vector_u64(offsets, #field))
    AT(sequence);
    AT(timestamp_ms);
    AT(payload_hash);
    AT(signature);
    AT(prev_record_hash);
    AT(device_id);
    AT(object_ref);
#undef AT
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_transcript), /* first: the last error is still "" */
        cmocka_unit_test(test_layout),
    };

    return cmocka_run_group_tests(tests, prepare, NULL);
}
