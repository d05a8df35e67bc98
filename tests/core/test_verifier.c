/* test_verifier.c - the contract of edgesentry/verifier.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/verifier_selftest.h"
#include "edgesentry/error.h"
#include "verifier_levels.h"

static const uint8_t seed[EDS_SEED_SIZE] = "an example of a seed, 32 bytes.";

/* A signed message of 32 bytes and a job for it; the table may be NULL. */
struct signed_message {
    uint8_t message[32], signature[EDS_SIGNATURE_SIZE];
    struct eds_verify_job job;
};

static void make_job(struct signed_message *out, uint8_t number,
                     const struct eds_verifier_table *table, const uint8_t *public_key)
{
    memset(out->message, number, sizeof out->message);
    eds_ed25519_sign(out->signature, out->message, sizeof out->message, seed);
    out->job = (struct eds_verify_job){.table = table,
                                       .public_key = table == NULL ? public_key : NULL,
                                       .message = out->message,
                                       .message_size = sizeof out->message,
                                       .signature = out->signature};
}

static void levels_have_names_and_health(void **state)
{
    enum eds_verifier_level best = eds_verifier_init();

    (void)state;
    assert_string_equal(eds_verifier_level_name(EDS_VERIFIER_LIBSODIUM), "libsodium");
    assert_string_equal(eds_verifier_level_name(EDS_VERIFIER_PORTABLE), "portable");
    assert_string_equal(eds_verifier_level_name(EDS_VERIFIER_AVX2), "avx2");
    assert_string_equal(eds_verifier_level_name(EDS_VERIFIER_IFMA), "ifma");
    assert_string_equal(eds_verifier_level_name((enum eds_verifier_level)7), "unknown");
    assert_int_equal(eds_verifier_level_health(EDS_VERIFIER_LIBSODIUM), EDS_VERIFIER_READY);
    assert_int_equal(eds_verifier_level_health((enum eds_verifier_level)7), EDS_VERIFIER_ABSENT);
    for (unsigned level = 0; level < EDS_VERIFIER_LEVEL_COUNT; level++) {
        enum eds_verifier_health health = eds_verifier_level_health((enum eds_verifier_level)level);

        assert_int_not_equal(health, EDS_VERIFIER_FAILED);
        assert_true(level <= best || health == EDS_VERIFIER_ABSENT);
        assert_int_equal(eds_verifier_set_level((enum eds_verifier_level)level),
                         health == EDS_VERIFIER_READY ? EDS_OK : EDS_ERR_UNSUPPORTED);
    }
    assert_int_equal(eds_verifier_set_level((enum eds_verifier_level)7), EDS_ERR_UNSUPPORTED);
    assert_int_equal(eds_verifier_get_level(), best);
    assert_int_equal(eds_verifier_init(), best);
#if EDS_VERIFIER_TABLES
    assert_int_not_equal(best, EDS_VERIFIER_LIBSODIUM);
#endif
}

/* A key that may not be registered gets no table. */
static void bad_keys_get_no_table(void **state)
{
    struct eds_verifier_table *table = aligned_alloc(64, sizeof *table);
    uint8_t key[EDS_PUBLIC_KEY_SIZE] = {1};

    (void)state;
    assert_non_null(table);
    assert_int_equal(eds_verifier_table_build(table, key), EDS_ERR_INVALID_KEY);
    key[0] = 2; /* no point has y = 2 */
    assert_int_equal(eds_verifier_table_build(table, key), EDS_ERR_INVALID_KEY);
    memset(key, 0xff, sizeof key);
    assert_int_equal(eds_verifier_table_build(table, key), EDS_ERR_INVALID_KEY);
    eds_ed25519_public_key(key, seed);
#if EDS_VERIFIER_TABLES
    assert_int_equal(eds_verifier_table_build(table, key), EDS_OK);
    assert_memory_equal(table->public_key, key, sizeof key);
#else
    assert_int_equal(eds_verifier_table_build(table, key), EDS_ERR_UNSUPPORTED);
#endif
    free(table);
}

/* Jobs with and without a table, good and bad, in any order and number. */
static void any_mix_of_jobs(void **state)
{
    static struct signed_message messages[300];
    struct eds_verify_job jobs[300];
    struct eds_verifier_work *work = new_work();
    struct eds_verifier_table *table;
    uint8_t key[EDS_PUBLIC_KEY_SIZE];
    bool verdicts[301];

    (void)state;
    eds_ed25519_public_key(key, seed);
    table = new_table(key);
    for (unsigned i = 0; i < 300; i++) {
        make_job(&messages[i], (uint8_t)i, i % 5 == 0 ? NULL : table, key);
        if (i % 7 == 3)
            messages[i].signature[i % 64] ^= 0x10;
        if (i % 11 == 5) /* refused before any sum: S too large */
            memset(messages[i].signature + 32, 0xff, 32);
        if (i % 13 == 6) /* and R of small order */
            memset(messages[i].signature, 0, 32);
        jobs[i] = messages[i].job;
    }
    for (unsigned level = 0; next_level(&level); level++)
        for (unsigned count = 0; count <= 300; count = count < 20 ? count + 1 : count + 40) {
            memset(verdicts, 0x55, sizeof verdicts);
            eds_verify_many(work, jobs, count, verdicts);
            for (unsigned i = 0; i < count; i++)
                assert_int_equal(verdicts[i], i % 7 != 3 && i % 11 != 5 && i % 13 != 6);
            assert_int_equal(*(unsigned char *)&verdicts[count], 0x55);
        }
    free(table);
    free(work);
}

/* One bad signature at each place among good ones, and the other way round: no verdict
 * is changed by a neighbour's. */
static void every_place_in_a_batch(void **state)
{
    enum { COUNT = 64 + 9 }; /* a whole batch, and one more than the lanes there are */
    static struct signed_message good[COUNT], bad[COUNT];
    struct eds_verifier_work *work = new_work();
    struct eds_verifier_table *table;
    struct eds_verify_job jobs[COUNT];
    uint8_t key[EDS_PUBLIC_KEY_SIZE];
    bool verdicts[COUNT];

    (void)state;
    eds_ed25519_public_key(key, seed);
    table = new_table(key);
    for (unsigned i = 0; i < COUNT; i++) {
        make_job(&good[i], (uint8_t)i, table, key);
        make_job(&bad[i], (uint8_t)i, table, key);
        bad[i].signature[i % 63] ^= 4;
    }
    for (unsigned level = 0; next_level(&level); level++)
        for (unsigned place = 0; place < (level == EDS_VERIFIER_LIBSODIUM ? 1 : 2 * COUNT);
             place++) {
            for (unsigned i = 0; i < COUNT; i++)
                jobs[i] = (i == place / 2) == (place % 2 == 0) ? bad[i].job : good[i].job;
            eds_verify_many(work, jobs, COUNT, verdicts);
            for (unsigned i = 0; i < COUNT; i++)
                assert_int_equal(verdicts[i], (i == place / 2) != (place % 2 == 0));
        }
    free(table);
    free(work);
}

#if EDS_VERIFIER_TABLES

/* Each level's hashes are libsodium's, for messages of every length up to some
 * blocks, long and short ones side by side. */
static void hashes_of_every_length(void **state)
{
    static uint8_t message[3000], digest[EDS_BATCH_MAX][64];
    static struct eds_verify_job jobs[EDS_BATCH_MAX];
    static struct eds_batch batch;
    struct eds_verifier_table *table = calloc(1, sizeof *table);
    uint8_t signature[EDS_SIGNATURE_SIZE], wanted[64];

    (void)state;
    assert_non_null(table);
    for (unsigned i = 0; i < sizeof message; i++)
        message[i] = (uint8_t)(i * 7 + i / 256);
    memset(table->public_key, 0x31, sizeof table->public_key);
    memset(signature, 0x5a, sizeof signature);
    for (unsigned level = EDS_VERIFIER_PORTABLE; level < EDS_VERIFIER_LEVEL_COUNT; level++) {
        const struct eds_verifier_arithmetic *arithmetic =
            eds_verifier_arithmetic((enum eds_verifier_level)level);

        for (size_t first = 0; first < 700 && arithmetic != NULL; first += batch.count) {
            batch.count = 1 + first % EDS_BATCH_MAX;
            for (size_t i = 0; i < batch.count; i++) {
                size_t size = i % 9 == 4 ? 2000 + first : first + i;

                jobs[i] = (struct eds_verify_job){.table = table,
                                                  .message = size > 0 ? message : NULL,
                                                  .message_size = size,
                                                  .signature = signature};
                batch.job[i] = &jobs[i];
            }
            arithmetic->hash(digest, &batch);
            for (size_t i = 0; i < batch.count; i++) {
                crypto_hash_sha512_state sha;

                crypto_hash_sha512_init(&sha);
                crypto_hash_sha512_update(&sha, signature, 32);
                crypto_hash_sha512_update(&sha, table->public_key, 32);
                crypto_hash_sha512_update(&sha, message, jobs[i].message_size);
                crypto_hash_sha512_final(&sha, wanted);
                assert_memory_equal(digest[i], wanted, sizeof wanted);
            }
        }
    }
    free(table);
}

static const struct eds_verifier_arithmetic *right;

static void wrong_hash(uint8_t (*digest)[64], const struct eds_batch *batch)
{
    right->hash(digest, batch);
    digest[batch->count - 1][5] ^= 1;
}

static void always_good(struct eds_batch *batch, void *room)
{
    (void)room;
    memset(batch->verdict, EDS_BATCH_GOOD, batch->count);
}

static void one_too_strict(struct eds_batch *batch, void *room)
{
    right->decide(batch, room);
    batch->verdict[0] = EDS_BATCH_BAD;
}

static void one_given_up(struct eds_batch *batch, void *room)
{
    right->decide(batch, room);
    batch->verdict[batch->count - 1] = EDS_BATCH_ODD;
}

/* What the init relies on: a level with any of these faults is not used. */
static void selftest_finds_faults(void **state)
{
    struct eds_verifier_arithmetic faulty;

    (void)state;
    eds_verifier_init();
    right = eds_verifier_arithmetic(EDS_VERIFIER_PORTABLE);
    assert_true(eds_verifier_selftest(right));
    faulty = *right;
    faulty.hash = wrong_hash;
    assert_false(eds_verifier_selftest(&faulty));
    faulty = *right;
    faulty.decide = always_good;
    assert_false(eds_verifier_selftest(&faulty));
    faulty.decide = one_too_strict;
    assert_false(eds_verifier_selftest(&faulty));
    faulty.decide = one_given_up;
    assert_false(eds_verifier_selftest(&faulty));
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levels_have_names_and_health),
        cmocka_unit_test(bad_keys_get_no_table),
        cmocka_unit_test(any_mix_of_jobs),
        cmocka_unit_test(every_place_in_a_batch),
#if EDS_VERIFIER_TABLES
        cmocka_unit_test(hashes_of_every_length),
        cmocka_unit_test(selftest_finds_faults),
#endif
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
