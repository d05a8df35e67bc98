/* test_s3_credentials.c - where credentials are found, and what a bad place says
 * without showing them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "store/s3_credentials.h"
#include "support/temp_dir.h"

#define SECRET "geheim/+="

static const struct row {
    const char *text, *profile;
    int32_t rc;
    const char *access, *token, *says;
} files[] = {
    {"[default]\naws_access_key_id = AK\naws_secret_access_key = " SECRET "\n", "default", EDS_OK,
     "AK", "", ""},
    {"[default]\naws_access_key_id=AK\naws_secret_access_key=" SECRET, "default", EDS_OK, "AK", "",
     ""},
    {"# x\r\n[default]\r\n; y\r\n\taws_access_key_id\t=\tAK \r\naws_secret_access_key=" SECRET
     "\r\n",
     "default", EDS_OK, "AK", "", ""},
    {"[default]\naws_access_key_id=A\naws_secret_access_key=x\n[ other ]\naws_access_key_id=B\n"
     "aws_secret_access_key=" SECRET "\naws_session_token=T==\nregion=x\n",
     "other", EDS_OK, "B", "T==", ""},
    {"[default]\naws_access_key_id=AK\naws_secret_access_key=" SECRET "\n", "other",
     EDS_ERR_NOT_FOUND, "", "", "no profile 'other'"},
    {"aws_access_key_id=AK\naws_secret_access_key=" SECRET "\n", "default", EDS_ERR_NOT_FOUND, "",
     "", "no profile"},
    {"[default\naws_access_key_id=AK\naws_secret_access_key=" SECRET "\n", "default",
     EDS_ERR_NOT_FOUND, "", "", "no profile"},
    {"[default]\naws_access_key_id=AK\n", "default", EDS_ERR_MALFORMED, "", "", "has not both"},
    {"[default]\naws_access_key_id=\naws_secret_access_key=" SECRET "\n", "default",
     EDS_ERR_MALFORMED, "", "", "has not both"},
    {"[default]\naws_access_key_id AK\naws_secret_access_key=" SECRET "\n", "default",
     EDS_ERR_MALFORMED, "", "", "has not both"},
    {"", "default", EDS_ERR_NOT_FOUND, "", "", "no profile"},
};

static void test_files(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct eds_s3_credentials got;
        struct eds_error err = {.text = ""};

        assert_int_equal(eds_s3_credentials_read(&got, files[i].text, files[i].profile, &err),
                         files[i].rc);
        assert_non_null(strstr(err.text, files[i].says));
        assert_null(strstr(err.text, SECRET));
        if (files[i].rc == EDS_OK) {
            assert_string_equal(got.access_key, files[i].access);
            assert_string_equal(got.secret_key, SECRET);
            assert_string_equal(got.token, files[i].token);
            assert_int_equal(got.expires_ms, 0);
        }
    }
}

#define GOOD_ANSWER                                                                                \
    "{\"Code\":\"Success\",\"AccessKeyId\":\"AK\",\"SecretAccessKey\" : \"" SECRET                 \
    "\",\n\"Token\":\"T\",\"Expiration\":\"2026-11-22T00:00:00Z\"}"

static void test_answers(void **state)
{
    static const char *const names[] = {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"};
    static const struct {
        const char *from, *to;
    } edits[] = {
        {"\"AK\"", "\"\""},           {"\"AK\"", "7"},
        {"\"AK\"", "\"A\\u004b\""},   {":\"AK\"", "\"AK\""},
        {"2026-11-22", "2026-13-22"}, {"00:00:00Z", "00:00:00"},
        {"00:00:00Z", "00:00:0Z"},
    };
    struct eds_s3_credentials got;
    struct eds_error err;
    char text[512];

    (void)state;
    assert_int_equal(eds_s3_credentials_answer(&got, GOOD_ANSWER, &err), EDS_OK);
    assert_string_equal(got.access_key, "AK");
    assert_string_equal(got.secret_key, SECRET);
    assert_string_equal(got.token, "T");
    assert_true(got.expires_ms == 1795305600000u);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        strcpy(text, GOOD_ANSWER);
        strstr(text, names[i])[0] = 'x';
        assert_int_equal(eds_s3_credentials_answer(&got, text, &err), EDS_ERR_MALFORMED);
        assert_null(strstr(err.text, SECRET));
    }
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        const char *at = strstr(GOOD_ANSWER, edits[i].from);

        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - GOOD_ANSWER), GOOD_ANSWER, edits[i].to,
                 at + strlen(edits[i].from));
        assert_int_equal(eds_s3_credentials_answer(&got, text, &err), EDS_ERR_MALFORMED);
    }
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_sources(void **state)
{
    struct eds_s3_config config = {.profile = "default"};
    char home[EDS_TEMP_DIR_SIZE], path[EDS_TEMP_DIR_SIZE + 32];
    struct eds_s3_credentials got;
    struct eds_error err;

    (void)state;
    temp_dir_make(home);
    setenv("HOME", home, 1);
    setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
    unsetenv("AWS_SHARED_CREDENTIALS_FILE");
    unsetenv("AWS_ACCESS_KEY_ID");
    unsetenv("AWS_SECRET_ACCESS_KEY");
    unsetenv("AWS_SESSION_TOKEN");
    /* Nowhere: each place is named. */
    assert_int_equal(eds_s3_credentials_load(&got, &config, &err), EDS_ERR_NOT_FOUND);
    assert_non_null(strstr(err.text, "AWS_ACCESS_KEY_ID"));
    assert_non_null(strstr(err.text, ".aws/credentials"));
    assert_non_null(strstr(err.text, "AWS_EC2_METADATA_DISABLED"));

    snprintf(path, sizeof path, "%s/.aws", home);
    assert_int_equal(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/.aws/credentials", home);
    write_file(path, "[default]\naws_access_key_id=HOME\naws_secret_access_key=s\n");
    assert_int_equal(eds_s3_credentials_load(&got, &config, &err), EDS_OK);
    assert_string_equal(got.access_key, "HOME");
    snprintf(path, sizeof path, "%s/elsewhere", home);
    write_file(path, "[default]\naws_access_key_id=GIVEN\naws_secret_access_key=s\n");
    setenv("AWS_SHARED_CREDENTIALS_FILE", path, 1);
    assert_int_equal(eds_s3_credentials_load(&got, &config, &err), EDS_OK);
    assert_string_equal(got.access_key, "GIVEN");

    /* The environment goes first, whole or not at all. */
    setenv("AWS_ACCESS_KEY_ID", "ENV", 1);
    assert_int_equal(eds_s3_credentials_load(&got, &config, &err), EDS_OK);
    assert_string_equal(got.access_key, "GIVEN");
    setenv("AWS_SECRET_ACCESS_KEY", "s", 1);
    setenv("AWS_SESSION_TOKEN", "t", 1);
    assert_int_equal(eds_s3_credentials_load(&got, &config, &err), EDS_OK);
    assert_string_equal(got.access_key, "ENV");
    assert_string_equal(got.token, "t");
    config.source = EDS_S3_FILE;
    assert_int_equal(eds_s3_credentials_load(&got, &config, &err), EDS_OK);
    assert_string_equal(got.access_key, "GIVEN");

    /* A bad file is not passed over for the next place. */
    config.source = EDS_S3_ANY;
    unsetenv("AWS_ACCESS_KEY_ID");
    write_file(path, "[default]\naws_access_key_id=GIVEN\n");
    assert_int_equal(eds_s3_credentials_load(&got, &config, &err), EDS_ERR_MALFORMED);
    assert_non_null(strstr(err.text, path));
    config.source = EDS_S3_INSTANCE;
    assert_int_equal(eds_s3_credentials_load(&got, &config, &err), EDS_ERR_NOT_FOUND);
    temp_dir_remove(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_sources),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
