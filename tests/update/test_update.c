/* The update check: the original's transcript step for step, then what it adds. */
#include "edgesentry/update.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "support/vectors.h"

/* What the log was given last, and how it answers. */
static struct {
    unsigned count;
    bool accepted;
    char publisher_id[64], package_id[64], version[64], message[EDS_ERROR_TEXT_SIZE];
    int32_t answer;
} logged;

static struct eds_publisher_key keys[3];
static struct eds_update_verifier verifier;
static struct eds_error err;
static uint8_t key_a[EDS_PUBLIC_KEY_SIZE], key_b[EDS_PUBLIC_KEY_SIZE], key_c[EDS_PUBLIC_KEY_SIZE],
    key_d[EDS_PUBLIC_KEY_SIZE];

static int32_t keep(void *context, const struct eds_update_attempt *attempt)
{
    assert_ptr_equal(context, &logged);
    logged.count++;
    logged.accepted = attempt->accepted;
    strcpy(logged.publisher_id, attempt->update->publisher_id);
    strcpy(logged.package_id, attempt->update->package_id);
    strcpy(logged.version, attempt->update->version);
    strcpy(logged.message, attempt->message);
    return logged.answer;
}

static int fresh(void **state)
{
    uint8_t seed[EDS_SEED_SIZE];
    uint8_t *const made[] = {key_a, key_b, key_c, key_d};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        memset(seed, (int)(0x21 + i), sizeof seed);
        eds_ed25519_public_key(made[i], seed);
    }
    memset(&logged, 0, sizeof logged);
    memset(keys, 0xa5, sizeof keys);
    eds_update_verifier_init(&verifier, keys, 3, keep, &logged);
    return 0;
}

/* An update of publisher "acme", signed with the key of seed 0x21 + which. */
static struct eds_update signed_update(unsigned which, const char *payload)
{
    struct eds_update update = {.publisher_id = "acme", .package_id = "fw", .version = "2"};
    uint8_t seed[EDS_SEED_SIZE];

    memset(seed, (int)(0x21 + which), sizeof seed);
    eds_blake3(update.payload_hash, payload, strlen(payload));
    eds_ed25519_sign(update.signature, update.payload_hash, EDS_HASH_SIZE, seed);
    return update;
}

static int32_t code_of(const char *result)
{
    if (strcmp(result, "ok") == 0)
        return EDS_OK;
    if (strncmp(result, "unknown publisher", 17) == 0)
        return EDS_ERR_NOT_FOUND;
    return strncmp(result, "payload hash", 12) == 0 ? EDS_ERR_HASH_MISMATCH : EDS_ERR_BAD_SIGNATURE;
}

static void replay_step(const json_t *step)
{
    const json_t *line = vector_get(step, "log_entry");
    const char *result = vector_string(step, "result");
    struct eds_update update = {.publisher_id = vector_string(step, "publisher_id"),
                                .package_id = vector_string(step, "package_id"),
                                .version = vector_string(step, "version")};
    uint8_t payload[64];
    size_t size = vector_hex(step, "payload_hex", payload, sizeof payload);
    unsigned before = logged.count;

    vector_hex(step, "payload_hash_hex", update.payload_hash, EDS_HASH_SIZE);
    vector_hex(step, "signature_hex", update.signature, EDS_SIGNATURE_SIZE);
    assert_int_equal(eds_update_verify(&verifier, &update, payload, size, &err), code_of(result));
    if (strcmp(result, "ok") != 0)
        assert_string_equal(err.text, result);
    assert_int_equal(logged.count, before + 1);
    assert_int_equal(logged.accepted, strcmp(vector_string(line, "decision"), "Accepted") == 0);
    assert_string_equal(logged.message, vector_string(line, "message"));
    assert_string_equal(logged.publisher_id, vector_string(line, "publisher_id"));
    assert_string_equal(logged.package_id, vector_string(line, "package_id"));
    assert_string_equal(logged.version, vector_string(line, "version"));
}

static void test_transcript(void **state)
{
    json_t *file = vector_load("peer/update_verifier.json");
    const json_t *publishers = vector_get(file, "publishers"), *steps = vector_get(file, "steps");
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    json_t *row;
    size_t i;

    (void)state;
    json_array_foreach((json_t *)publishers, i, row)
    {
        vector_hex(row, "public_key_hex", public_key, sizeof public_key);
        assert_int_equal(eds_update_add_key(&verifier, vector_string(row, "id"), public_key, &err),
                         EDS_OK);
    }
    assert_int_equal(json_array_size(steps), 14);
    json_array_foreach((json_t *)steps, i, row) replay_step(row);
    json_decref(file);
}

static void test_rotation(void **state)
{
    struct eds_update by_old = signed_update(0, "image"), by_new = signed_update(1, "image");

    (void)state;
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_a, &err), EDS_OK);
    assert_int_equal(eds_update_verify(&verifier, &by_new, "image", 5, &err),
                     EDS_ERR_BAD_SIGNATURE);
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_b, &err), EDS_OK);
    assert_int_equal(eds_update_verify(&verifier, &by_old, "image", 5, &err), EDS_OK);
    assert_int_equal(eds_update_verify(&verifier, &by_new, "image", 5, &err), EDS_OK);
    assert_int_equal(eds_update_drop_key(&verifier, "acme", key_a), EDS_OK);
    assert_int_equal(eds_update_verify(&verifier, &by_old, "image", 5, &err),
                     EDS_ERR_BAD_SIGNATURE);
    assert_int_equal(eds_update_verify(&verifier, &by_new, "image", 5, &err), EDS_OK);
    assert_int_equal(eds_update_drop_key(&verifier, "other", key_b), EDS_ERR_NOT_FOUND);
    assert_int_equal(eds_update_drop_key(&verifier, "acme", key_a), EDS_ERR_NOT_FOUND);
    assert_int_equal(eds_update_drop_key(&verifier, "acme", key_b), EDS_OK);
    assert_int_equal(eds_update_verify(&verifier, &by_new, "image", 5, &err), EDS_ERR_NOT_FOUND);
}

static void test_keys_refused(void **state)
{
    static const uint8_t identity[EDS_PUBLIC_KEY_SIZE] = {1};
    char long_id[EDS_PUBLISHER_ID_SIZE + 1];

    (void)state;
    memset(long_id, 'p', sizeof long_id - 1);
    long_id[sizeof long_id - 1] = '\0';
    assert_int_equal(eds_update_add_key(&verifier, long_id, key_a, &err), EDS_ERR_STRING_TOO_LONG);
    assert_int_equal(eds_update_add_key(&verifier, long_id + 1, key_a, &err), EDS_OK);
    assert_int_equal(eds_update_add_key(&verifier, "", key_b, &err), EDS_ERR_USAGE);
    assert_int_equal(eds_update_add_key(&verifier, "a\xff", key_b, &err), EDS_ERR_INVALID_UTF8);
    assert_non_null(strstr(err.text, "at byte 1"));
    assert_int_equal(eds_update_add_key(&verifier, "acme", identity, &err), EDS_ERR_INVALID_KEY);
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_a, &err), EDS_ERR_EXISTS);
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_b, &err), EDS_OK);
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_b, &err), EDS_OK);
    assert_int_equal(verifier.key_count, 2);
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_c, &err), EDS_OK);
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_d, &err), EDS_ERR_TOO_LARGE);
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_c, &err), EDS_OK);
    assert_int_equal(verifier.key_count, 3);
}

static void test_log(void **state)
{
    struct eds_update good = signed_update(0, "image");

    (void)state;
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_a, &err), EDS_OK);
    logged.answer = EDS_ERR_IO;
    assert_int_equal(eds_update_verify(&verifier, &good, "image", 5, &err), EDS_ERR_IO);
    assert_non_null(strstr(err.text, "could not be logged"));
    /* A rejection stays what it is, whatever became of its line. */
    assert_int_equal(eds_update_verify(&verifier, &good, "imagE", 5, &err), EDS_ERR_HASH_MISMATCH);
    assert_int_equal(logged.count, 2);
    /* Nobody to tell, nobody to explain to. */
    eds_update_verifier_init(&verifier, keys, 3, NULL, NULL);
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_a, NULL), EDS_OK);
    assert_int_equal(eds_update_verify(&verifier, &good, "image", 5, NULL), EDS_OK);
    assert_int_equal(eds_update_verify(&verifier, &good, "imagE", 5, NULL), EDS_ERR_HASH_MISMATCH);
}

/* An image hashed while it arrives: the caller's hash decides, not the update's. */
static void test_hashed(void **state)
{
    struct eds_update good = signed_update(0, "image");
    uint8_t hash[EDS_HASH_SIZE];

    (void)state;
    assert_int_equal(eds_update_add_key(&verifier, "acme", key_a, &err), EDS_OK);
    eds_blake3(hash, "image", 5);
    assert_int_equal(eds_update_verify_hashed(&verifier, &good, hash, &err), EDS_OK);
    hash[31] ^= 1;
    assert_int_equal(eds_update_verify_hashed(&verifier, &good, hash, &err), EDS_ERR_HASH_MISMATCH);
    /* Both altered alike: then the signature is not over it. */
    good.payload_hash[31] ^= 1;
    assert_int_equal(eds_update_verify_hashed(&verifier, &good, hash, &err), EDS_ERR_BAD_SIGNATURE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_transcript, fresh),
        cmocka_unit_test_setup(test_rotation, fresh),
        cmocka_unit_test_setup(test_keys_refused, fresh),
        cmocka_unit_test_setup(test_log, fresh),
        cmocka_unit_test_setup(test_hashed, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
