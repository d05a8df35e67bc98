/* test_signer_pkcs11.c - keys that are made in a SoftHSM2 token and stay there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edgesentry/agent.h"
#include "support/temp_dir.h"

static char directory[EDS_TEMP_DIR_SIZE], module[128];

/* What SoftHSM leaves with its libcrypto is theirs. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so\nleak:libsofthsm2.so\n";
}

static void uri_of(char out[512], const char *token, const char *object)
{
    snprintf(out, 512, "pkcs11:token=%s;object=%s?module-path=%s", token, object, module);
}

static bool find_softhsm(void)
{
    static const char *const places[] = {"/usr/lib/softhsm/libsofthsm2.so",
                                         "/usr/lib64/softhsm/libsofthsm2.so",
                                         "/usr/local/lib/softhsm/libsofthsm2.so"};

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (access(places[i], R_OK) == 0) {
            snprintf(module, sizeof module, "%s", places[i]);
            return system("softhsm2-util --version >/dev/null 2>&1") == 0;
        }
    return false;
}

static int set_up(void **state)
{
    char path[EDS_TEMP_DIR_SIZE + 32];
    FILE *file;

    (void)state;
    temp_dir_make(directory);
    snprintf(path, sizeof path, "%s/softhsm2.conf", directory);
    file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\n",
            directory);
    fclose(file);
    setenv("SOFTHSM2_CONF", path, 1);
    assert_int_equal(system("softhsm2-util --init-token --free --label fleet --pin 1234 "
                            "--so-pin 5678 >/dev/null"),
                     0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    temp_dir_remove(directory);
    return 0;
}

static void test_generate_and_sign(void **state)
{
    char uri[512];
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE], signature[EDS_SIGNATURE_SIZE];
    struct eds_signer *signer;
    struct eds_error err;

    (void)state;
    uri_of(uri, "fleet", "lift-01");
    if (eds_signer_pkcs11_generate(uri, "1234", public_key, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_int_equal(eds_ed25519_check_key(public_key), EDS_KEY_GOOD);
    assert_int_equal(eds_signer_pkcs11_generate(uri, "1234", public_key, &err), EDS_ERR_EXISTS);
    if (eds_signer_from_pkcs11(&signer, uri, "1234", &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_memory_equal(signer->public_key, public_key, sizeof public_key);
    assert_int_equal(signer->ops->sign(signer, "message", 7, signature, &err), EDS_OK);
    assert_true(eds_ed25519_verify(signature, "message", 7, public_key));
    eds_signer_close(signer);
    strcat(uri, "&pin-value=1234"); /* the PIN may stand in the URI */
    assert_int_equal(eds_signer_from_pkcs11(&signer, uri, NULL, &err), EDS_OK);
    eds_signer_close(signer);
}

static void test_agent(void **state)
{
    char uri[512], url[EDS_TEMP_DIR_SIZE + 32];
    struct eds_agent_config config = {.device_id = "lift-02"};
    struct eds_agent *agent;
    struct eds_entry entry;
    struct eds_error err;
    uint8_t hash[EDS_HASH_SIZE], public_key[EDS_PUBLIC_KEY_SIZE];

    (void)state;
    uri_of(uri, "fleet", "lift-02");
    assert_int_equal(eds_signer_pkcs11_generate(uri, "1234", public_key, &err), EDS_OK);
    assert_int_equal(eds_signer_from_pkcs11(&config.signer, uri, "1234", &err), EDS_OK);
    snprintf(url, sizeof url, "log:%s/buffer", directory);
    assert_int_equal(eds_buffer_open(&config.buffer, url, NULL, &err), EDS_OK);
    assert_int_equal(eds_agent_open(&agent, &config, &err), EDS_OK);
    assert_int_equal(eds_agent_record(agent, "door", 4, NULL, 0, &entry, &err), EDS_OK);
    assert_true(eds_record_verify(&entry.record, public_key));
    assert_int_equal(eds_record_digest(hash, &entry.record), EDS_OK);
    assert_true(entry.attestation.present);
    eds_agent_close(agent);
    eds_buffer_close(config.buffer);
    eds_signer_close(config.signer);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *uri, *pin;
        int32_t code;
    } cases[] = {
        {"", "1234", EDS_ERR_USAGE},
        {"pkcs11:tokens=fleet", "1234", EDS_ERR_USAGE},
        {"file:key", "1234", EDS_ERR_USAGE},
        {"pkcs11:token=other;object=lift-01", "1234", EDS_ERR_NOT_FOUND},
        {"pkcs11:token=fleet;object=lift-09", "1234", EDS_ERR_NOT_FOUND},
        {"pkcs11:token=fleet", "1234", EDS_ERR_NOT_FOUND}, /* two keys */
        {"pkcs11:token=fleet;object=lift-01", NULL, EDS_ERR_NOT_FOUND},
        {"pkcs11:token=fleet;object=lift-01", "9999", EDS_ERR_IO},
    };
    struct eds_signer *signer;
    struct eds_error err;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char uri[512];

        snprintf(uri, sizeof uri, "%s?module-path=%s", cases[i].uri, module);
        assert_int_equal(eds_signer_from_pkcs11(&signer, uri, cases[i].pin, &err), cases[i].code);
        assert_null(strstr(err.text, "1234"));
        assert_null(strstr(err.text, "9999"));
    }
    assert_int_equal(eds_signer_from_pkcs11(
                         &signer, "pkcs11:token=fleet?module-path=/nowhere/lib.so", "1234", &err),
                     EDS_ERR_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_generate_and_sign),
        cmocka_unit_test(test_agent),
        cmocka_unit_test(test_refusals),
    };

    if (!find_softhsm()) {
        puts("skipped: SoftHSM2 is not installed");
        return 77;
    }
    return cmocka_run_group_tests_name("PKCS#11", tests, set_up, tear_down);
}
