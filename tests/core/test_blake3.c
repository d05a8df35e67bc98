/* BLAKE3 against the official lengths, however the input is split, on every level that
 * this processor has. */
#include "edgesentry/blake3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/blake3_impl.h"
#include "edgesentry/error.h"
#include "support/dice.h"
#include "support/vectors.h"

#define INPUT_SIZE 102400u

static uint8_t input[INPUT_SIZE];

static void fill_input(void)
{
    vector_recipe(input, sizeof input);
}

/* Calls check with each official length and its hash. */
static void for_each_length(void (*check)(size_t size, const char *digits))
{
    json_t *cases = vector_load("blake3/hashes.json"), *row;
    size_t index;

    assert_int_equal(json_array_size(cases), 35);
    json_array_foreach(cases, index, row)
    {
        size_t size = (size_t)vector_u64(row, "input_len");

        assert_true(size <= INPUT_SIZE);
        check(size, vector_string(row, "hash"));
    }
    json_decref(cases);
}

static void check_at_once(size_t size, const char *digits)
{
    uint8_t hash[EDS_HASH_SIZE];

    eds_blake3(hash, input, size);
    assert_hex(hash, sizeof hash, digits);
}

static void check_bytewise(size_t size, const char *digits)
{
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_blake3 state;

    eds_blake3_init(&state);
    for (size_t i = 0; i < size; i++)
        eds_blake3_update(&state, input + i, 1);
    eds_blake3_final(&state, hash);
    assert_hex(hash, sizeof hash, digits);
}

static void test_at_once(void **state)
{
    (void)state;
    for_each_length(check_at_once);
}

static void test_bytewise(void **state)
{
    (void)state;
    for_each_length(check_bytewise);
}

static struct dice dice;

/* Pieces of very different sizes, so that every way into a block, a chunk and a
 * group of chunks is taken, with empty pieces among them. */
static void check_split(size_t size, const char *digits)
{
    for (unsigned round = 0; round < 40; round++) {
        uint8_t hash[EDS_HASH_SIZE];
        struct eds_blake3 state;
        size_t at = 0;

        eds_blake3_init(&state);
        while (at < size) {
            size_t piece = dice_below(&dice, (size_t)1 << dice_below(&dice, 18));

            if (piece > size - at)
                piece = size - at;
            eds_blake3_update(&state, input + at, piece);
            at += piece;
        }
        eds_blake3_update(&state, NULL, 0);
        eds_blake3_final(&state, hash);
        assert_hex(hash, sizeof hash, digits);
    }
}

static void test_random_splits(void **state)
{
    (void)state;
    dice_seed(&dice);
    for_each_length(check_split);
}

/* Asking for the hash so far neither disturbs nor ends the state, at every
 * length across two chunks; a copy of a state goes its own way. */
static void test_final_in_between(void **state)
{
    uint8_t hash[EDS_HASH_SIZE], expected[EDS_HASH_SIZE];
    struct eds_blake3 running, fork;

    (void)state;
    eds_blake3_init(&running);
    for (size_t size = 0; size < 2500; size++) {
        eds_blake3(expected, input, size);
        eds_blake3_final(&running, hash);
        assert_memory_equal(hash, expected, sizeof hash);
        fork = running;
        eds_blake3_update(&fork, "fork", 4);
        eds_blake3_final(&running, hash);
        assert_memory_equal(hash, expected, sizeof hash);
        eds_blake3_update(&running, input + size, 1);
    }
}

/* Subtrees of all shapes: every number of chunks up to 100, whole and one byte
 * over, at once and continued from every chunk. */
static void test_chunk_counts(void **state)
{
    (void)state;
    for (size_t size = 1024; size < INPUT_SIZE; size += 1024)
        for (size_t over = 0; over < 2; over++) {
            size_t split = 1024 * dice_below(&dice, size / 1024);
            uint8_t hash[EDS_HASH_SIZE], expected[EDS_HASH_SIZE];
            struct eds_blake3 running;

            eds_blake3(expected, input, size + over);
            eds_blake3_init(&running);
            for (size_t at = 0; at < split; at += 64)
                eds_blake3_update(&running, input + at, 64);
            eds_blake3_update(&running, input + split, size + over - split);
            eds_blake3_final(&running, hash);
            assert_memory_equal(hash, expected, sizeof hash);
        }
}

static void test_many(void **state)
{
    enum { COUNT = 70 };
    static uint8_t hashes[COUNT][EDS_HASH_SIZE];
    const void *data[COUNT];
    size_t sizes[COUNT];

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < 40; round++) {
        size_t count = dice_below(&dice, COUNT + 1);

        for (size_t i = 0; i < count; i++) {
            sizes[i] = dice_below(&dice, (size_t)1 << dice_below(&dice, 15));
            data[i] = input + dice_below(&dice, INPUT_SIZE - sizes[i]);
        }
        if (count > 0) { /* an empty message may have no address */
            data[count / 2] = NULL;
            sizes[count / 2] = 0;
        }
        memset(hashes, 0, sizeof hashes);
        eds_blake3_many(hashes, data, sizes, count);
        for (size_t i = 0; i < count; i++) {
            uint8_t expected[EDS_HASH_SIZE];

            eds_blake3(expected, data[i], sizes[i]);
            assert_memory_equal(hashes[i], expected, sizeof expected);
        }
        for (size_t i = count; i < COUNT; i++) /* and not a hash more */
            assert_hex(hashes[i], 4, "00000000");
    }
}

/* No byte of the input may count for nothing: each one changes the hash. */
static void test_every_byte_counts(void **state)
{
    static uint8_t copy[5000];
    uint8_t hash[EDS_HASH_SIZE], expected[EDS_HASH_SIZE];

    (void)state;
    memcpy(copy, input, sizeof copy);
    eds_blake3(expected, copy, sizeof copy);
    for (size_t i = 0; i < sizeof copy; i++) {
        copy[i] ^= 0x80;
        eds_blake3(hash, copy, sizeof copy);
        assert_memory_not_equal(hash, expected, sizeof hash);
        copy[i] ^= 0x80;
    }
}

#define LENGTH_MAX 8192u

/* Hashes of all lengths by the portable level, which the official ones vouch for. */
static uint8_t by_length[LENGTH_MAX + 1][EDS_HASH_SIZE];

static void test_every_length(void **state)
{
    static uint8_t hashes[LENGTH_MAX + 1][EDS_HASH_SIZE];
    static const void *data[LENGTH_MAX + 1];
    static size_t sizes[LENGTH_MAX + 1];

    (void)state;
    for (size_t size = 0; size <= LENGTH_MAX; size++) {
        uint8_t hash[EDS_HASH_SIZE];

        eds_blake3(hash, input, size);
        assert_memory_equal(hash, by_length[size], sizeof hash);
        data[size] = input;
        sizes[size] = size;
    }
    eds_blake3_many(hashes, data, sizes, LENGTH_MAX + 1);
    assert_memory_equal(hashes, by_length, sizeof hashes);
    for (size_t i = 0; i <= LENGTH_MAX; i++) /* long ones beside short ones */
        sizes[i] = i * 4099 % (LENGTH_MAX + 1);
    eds_blake3_many(hashes, data, sizes, LENGTH_MAX + 1);
    for (size_t i = 0; i <= LENGTH_MAX; i++)
        assert_memory_equal(hashes[i], by_length[sizes[i]], EDS_HASH_SIZE);
}

/* Jobs in any number and of any kind, each with data that ends where its memory does:
 * a byte read past it shows under AddressSanitizer. */
static void test_jobs(void **state)
{
    enum { COUNT = 100 };
    struct eds_blake3_job jobs[COUNT];
    uint8_t got[COUNT][EDS_HASH_SIZE], wanted[COUNT][EDS_HASH_SIZE];
    uint8_t *data[COUNT];

    (void)state;
    dice_seed(&dice);
    for (size_t i = 0; i < COUNT; i++) {
        size_t size = dice_below(&dice, 4) == 0 ? 1024 : dice_below(&dice, 1025);

        if (dice_below(&dice, 4) == 0)
            size = 64;
        data[i] = malloc(size > 0 ? size : 1);
        assert_non_null(data[i]);
        dice_bytes(&dice, data[i], size);
        jobs[i] = size == 64
                      ? eds_blake3_parent_job(wanted[i], data[i], i % 2 ? EDS_BLAKE3_ROOT : 0)
                      : eds_blake3_chunk_job(wanted[i], size > 0 ? data[i] : NULL, size,
                                             dice_u64(&dice), i % 2 ? EDS_BLAKE3_ROOT : 0);
    }
    eds_blake3_run_portable(jobs, COUNT);
    for (size_t i = 0; i < COUNT; i++)
        jobs[i].out = got[i];
    for (size_t count = 0; count <= COUNT; count++) {
        memset(got, 0, sizeof got);
        eds_blake3_run(jobs, count);
        assert_memory_equal(got, wanted, count * sizeof got[0]);
        for (size_t i = count; i < COUNT; i++)
            assert_hex(got[i], 4, "00000000");
    }
    for (size_t i = 0; i < COUNT; i++)
        free(data[i]);
}

/* Parts hashed elsewhere, beside parts that are not. */
static void test_subtrees(void **state)
{
    enum { PARTS = 3 };
    const size_t size = PARTS * (size_t)EDS_BLAKE3_SUBTREE_SIZE + 4321;
    uint8_t *bytes = malloc(size), expected[EDS_HASH_SIZE], hash[EDS_HASH_SIZE];

    (void)state;
    assert_non_null(bytes);
    for (size_t at = 0; at < size; at++)
        bytes[at] = (uint8_t)(at % 251 + at / 1000003);
    for (size_t end = size - 4321 + 1; end <= size; end += 4320) {
        eds_blake3(expected, bytes, end);
        for (unsigned elsewhere = 0; elsewhere < 1u << PARTS; elsewhere++) {
            struct eds_blake3_subtree subtree;
            struct eds_blake3 running;
            size_t at = 0;

            eds_blake3_init(&running);
            for (unsigned part = 0; part < PARTS; part++, at += EDS_BLAKE3_SUBTREE_SIZE) {
                if ((elsewhere >> part & 1) == 0) {
                    eds_blake3_update(&running, bytes + at, EDS_BLAKE3_SUBTREE_SIZE);
                    continue;
                }
                eds_blake3_subtree(&subtree, bytes + at, at / 1024);
                eds_blake3_append(&running, &subtree);
            }
            eds_blake3_update(&running, bytes + at, end - at);
            eds_blake3_final(&running, hash);
            assert_memory_equal(hash, expected, sizeof hash);
        }
    }
    free(bytes);
}

static void (*right)(const struct eds_blake3_job *jobs, size_t count);
static size_t wrong_job, wrong_byte;

static void run_wrongly(const struct eds_blake3_job *jobs, size_t count)
{
    right(jobs, count);
    jobs[wrong_job].out[wrong_byte] ^= 1;
}

static void test_selftest_finds_faults(void **state)
{
    (void)state;
    right = eds_blake3_run; /* the level in use */
    assert_true(eds_blake3_selftest(right));
    for (wrong_job = 0; wrong_job < 40; wrong_job += 3)
        for (wrong_byte = 0; wrong_byte < 32; wrong_byte += 31)
            assert_false(eds_blake3_selftest(run_wrongly));
}

static void test_levels(void **state)
{
    enum eds_blake3_level level;

    (void)state;
    for (unsigned i = 0; i < EDS_BLAKE3_LEVEL_COUNT; i++) {
        assert_false(eds_blake3_level_failed((enum eds_blake3_level)i));
        assert_int_equal(
            eds_blake3_level_from_name(&level, eds_blake3_level_name((enum eds_blake3_level)i)),
            EDS_OK);
        assert_int_equal(level, i);
    }
    assert_int_equal(eds_blake3_level_from_name(&level, "unknown"), EDS_ERR_UNSUPPORTED);
    assert_int_equal(eds_blake3_set_level((enum eds_blake3_level)9), EDS_ERR_UNSUPPORTED);
    assert_string_equal(eds_blake3_level_name((enum eds_blake3_level)9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_once),
        cmocka_unit_test(test_bytewise),
        cmocka_unit_test(test_random_splits),
        cmocka_unit_test(test_chunk_counts),
        cmocka_unit_test(test_final_in_between),
        cmocka_unit_test(test_many),
        cmocka_unit_test(test_every_byte_counts),
        cmocka_unit_test(test_every_length),
        cmocka_unit_test(test_jobs),
        cmocka_unit_test(test_subtrees),
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_selftest_finds_faults),
    };
    int failed = 0;

    fill_input();
    (void)eds_blake3_set_level(EDS_BLAKE3_PORTABLE);
    for (size_t size = 0; size <= LENGTH_MAX; size++)
        eds_blake3(by_length[size], input, size);
    for (unsigned level = 0; level < EDS_BLAKE3_LEVEL_COUNT; level++) {
        if (eds_blake3_set_level((enum eds_blake3_level)level) != EDS_OK)
            continue;
        printf("level %s\n", eds_blake3_level_name((enum eds_blake3_level)level));
        failed += cmocka_run_group_tests(tests, NULL, NULL);
    }
    return failed;
}
