/* test_long_hash.c - many threads give the hash that one gives, at every length
 * around the edges of blocks, chunks and subtrees. */
#include "evidence/long_hash.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/temp_dir.h"

#define MIB            (1u << 20)
#define SIZE_MAX_TRIED (9u * MIB + 2u * 1024u)

static uint8_t *bytes;

static int fill(void **state)
{
    uint64_t x = 7;

    (void)state;
    bytes = malloc(SIZE_MAX_TRIED);
    assert_non_null(bytes);
    for (size_t i = 0; i < SIZE_MAX_TRIED; i++) {
        x = x * 6364136223846793005u + 1442695040888963407u;
        bytes[i] = (uint8_t)(x >> 56);
    }
    return 0;
}

static int empty(void **state)
{
    (void)state;
    free(bytes);
    return 0;
}

/* As one thread and plain C do it. */
static void expected_hash(uint8_t out[EDS_HASH_SIZE], size_t size)
{
    enum eds_blake3_level level = eds_blake3_get_level();
    struct eds_blake3 state;

    assert_int_equal(eds_blake3_set_level(EDS_BLAKE3_PORTABLE), EDS_OK);
    eds_blake3_init(&state);
    eds_blake3_update(&state, bytes, size);
    eds_blake3_final(&state, out);
    assert_int_equal(eds_blake3_set_level(level), EDS_OK);
}

static void check_file(int fd, size_t size, size_t start, unsigned threads,
                       const uint8_t expected[EDS_HASH_SIZE])
{
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_error err;
    uint64_t seen = 1;

    assert_int_equal(lseek(fd, (off_t)start, SEEK_SET), (off_t)start);
    assert_int_equal(eds_long_hash_file(hash, &seen, fd, "it", threads, &err), EDS_OK);
    assert_int_equal(seen, size);
    assert_memory_equal(hash, expected, sizeof hash);
}

static void check_length(int fd, size_t size)
{
    uint8_t expected[EDS_HASH_SIZE], hash[EDS_HASH_SIZE];

    expected_hash(expected, size);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, "skipped", 7, 0), 7);
    assert_int_equal(pwrite(fd, bytes, size, 7), (ssize_t)size);
    for (unsigned threads = 1; threads <= 4; threads++) {
        eds_long_hash(hash, bytes, size, threads);
        assert_memory_equal(hash, expected, sizeof hash);
        check_file(fd, size, 7, threads, expected);
    }
}

static void test_lengths(void **state)
{
    static const size_t around[] = {4 * MIB, 5 * MIB, 9 * MIB};
    static const int steps[] = {-1025, -1024, -1, 0, 1, 63, 64, 65, 1023, 1024, 1025};
    static const size_t small[] = {0, 1, 64, 1024, 1025, MIB - 1, MIB, MIB + 1, 2 * MIB + 1};
    char dir[EDS_TEMP_DIR_SIZE];
    char path[EDS_TEMP_DIR_SIZE + 8];
    int fd;

    (void)state;
    temp_dir_make(dir);
    snprintf(path, sizeof path, "%s/file", dir);
    fd = open(path, O_RDWR | O_CREAT, 0600);
    assert_true(fd >= 0);
    for (size_t i = 0; i < sizeof small / sizeof small[0]; i++)
        check_length(fd, small[i]);
    for (size_t i = 0; i < sizeof around / sizeof around[0]; i++)
        for (size_t step = 0; step < sizeof steps / sizeof steps[0]; step++)
            check_length(fd, around[i] + (size_t)(ptrdiff_t)steps[step]);
    close(fd);
    temp_dir_remove(dir);
}

/* What has no size is read to its end. */
static void test_pipe(void **state)
{
    uint8_t expected[EDS_HASH_SIZE], hash[EDS_HASH_SIZE];
    struct eds_error err;
    uint64_t size = 0;
    int ends[2];

    (void)state;
    expected_hash(expected, 5000);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], bytes, 5000), 5000);
    close(ends[1]);
    assert_int_equal(eds_long_hash_file(hash, &size, ends[0], "it", 2, &err), EDS_OK);
    assert_int_equal(size, 5000);
    assert_memory_equal(hash, expected, sizeof hash);
    close(ends[0]);
}

static void test_failures(void **state)
{
    uint8_t hash[EDS_HASH_SIZE];
    struct eds_error err;
    uint64_t size = 0;
    int fd = open("/", O_RDONLY);

    (void)state;
    assert_int_equal(eds_long_hash_file(hash, &size, fd, "a folder", 2, &err), EDS_ERR_IO);
    assert_string_equal(err.text, "Is a directory (os error 21): a folder");
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_pipe),
        cmocka_unit_test(test_failures),
    };

    return cmocka_run_group_tests(tests, fill, empty);
}
