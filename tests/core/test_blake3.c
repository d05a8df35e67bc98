/* BLAKE3 against the official lengths, however the input is split. */
#include "edgesentry/blake3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/dice.h"
#include "support/vectors.h"

#define INPUT_SIZE 102400u

static uint8_t input[INPUT_SIZE];

static int fill_input(void **state)
{
    (void)state;
    vector_recipe(input, sizeof input);
    return 0;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_at_once),           cmocka_unit_test(test_bytewise),
        cmocka_unit_test(test_random_splits),     cmocka_unit_test(test_chunk_counts),
        cmocka_unit_test(test_final_in_between),  cmocka_unit_test(test_many),
        cmocka_unit_test(test_every_byte_counts),
    };

    return cmocka_run_group_tests(tests, fill_input, NULL);
}
