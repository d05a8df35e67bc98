/* test_signer.c - keys in memory and in files sign as the core does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "device/keyfile.h"
#include "edgesentry/signer.h"
#include "support/temp_dir.h"

static const uint8_t seed[EDS_SEED_SIZE] = {9, 8, 7};

static void assert_signs(struct eds_signer *signer)
{
    uint8_t expected[EDS_SIGNATURE_SIZE], signature[EDS_SIGNATURE_SIZE],
        public_key[EDS_PUBLIC_KEY_SIZE];

    eds_ed25519_public_key(public_key, seed);
    assert_memory_equal(signer->public_key, public_key, sizeof public_key);
    eds_ed25519_sign(expected, "message", 7, seed);
    assert_int_equal(signer->ops->sign(signer, "message", 7, signature, NULL), EDS_OK);
    assert_memory_equal(signature, expected, sizeof signature);
}

static void test_seed(void **state)
{
    struct eds_signer *signer;

    (void)state;
    assert_int_equal(eds_signer_from_seed(&signer, seed, NULL), EDS_OK);
    assert_signs(signer);
    eds_signer_close(signer);
    eds_signer_close(NULL);
}

static void write_file(const char *path, const char *text, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, size, file), size);
    fclose(file);
}

static void test_key_files(void **state)
{
    char directory[EDS_TEMP_DIR_SIZE], path[EDS_TEMP_DIR_SIZE + 16];
    char text[EDS_KEYFILE_SIZE_MAX + 1];
    struct eds_key key;
    struct eds_signer *signer = NULL;
    struct eds_error err;
    size_t size;

    (void)state;
    temp_dir_make(directory);
    snprintf(path, sizeof path, "%s/key", directory);
    memcpy(key.seed, seed, sizeof seed);
    eds_ed25519_public_key(key.public_key, seed);
    assert_int_equal(eds_signer_from_key_file(&signer, path, NULL, 0, &err), EDS_ERR_IO);
    write_file(path, text, eds_keyfile_format(text, &key));
    assert_int_equal(eds_signer_from_key_file(&signer, path, NULL, 0, &err), EDS_OK);
    assert_signs(signer);
    eds_signer_close(signer);
    assert_int_equal(eds_keyfile_encrypt(text, &size, &key, "pass", 4, &err), EDS_OK);
    write_file(path, text, size);
    assert_int_equal(eds_signer_from_key_file(&signer, path, "pass", 4, &err), EDS_OK);
    assert_signs(signer);
    eds_signer_close(signer);
    assert_int_equal(eds_signer_from_key_file(&signer, path, "pasS", 4, &err),
                     EDS_ERR_BAD_SIGNATURE);
    assert_int_equal(eds_signer_from_key_file(&signer, path, NULL, 0, &err), EDS_ERR_BAD_SIGNATURE);
    memset(text, ' ', sizeof text);
    write_file(path, text, sizeof text);
    assert_int_equal(eds_signer_from_key_file(&signer, path, NULL, 0, &err), EDS_ERR_TOO_LARGE);
    temp_dir_remove(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seed),
        cmocka_unit_test(test_key_files),
    };

    return cmocka_run_group_tests_name("signers", tests, NULL, NULL);
}
