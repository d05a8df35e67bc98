/* test_s3_sign.c - signatures are those of AWS's own examples; and one request of the kind
 * that needs them, whose header names begin alike. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/s3_sign.h"

#define VECTORS   "tests/vectors/sigv4"
#define TEXT_SIZE 4096u
#define CASE_MIN  10u

/* Of all the examples. */
static const struct eds_s3_credentials credentials = {
    .access_key = "AKIDEXAMPLE", .secret_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"};

static void read_text(char out[TEXT_SIZE], const char *name, const char *file)
{
    char path[512];
    size_t size;
    FILE *opened;

    snprintf(path, sizeof path, VECTORS "/%s/%s", name, file);
    opened = fopen(path, "r");
    if (opened == NULL)
        fail_msg("%s", path);
    size = fread(out, 1, TEXT_SIZE - 1, opened);
    fclose(opened);
    while (size > 0 && out[size - 1] == '\n')
        size--;
    out[size] = '\0';
}

/* A header of a canonical request, as it would be sent, before those we have: order and
 * letters are the signer's affair. */
static struct curl_slist *add_before(struct curl_slist *headers, const char *line)
{
    size_t name_size = strcspn(line, ":");
    char sent[TEXT_SIZE];
    struct curl_slist *first;

    snprintf(sent, sizeof sent, "%.*s: %s", (int)name_size, line, line + name_size + 1);
    sent[0] = (char)(sent[0] - 'a' + 'A');
    first = curl_slist_append(NULL, sent);
    assert_non_null(first);
    first->next = headers;
    return first;
}

static void check(const char *name)
{
    char text[TEXT_SIZE], expected[TEXT_SIZE], authorization[EDS_S3_AUTHORIZATION_SIZE];
    char *lines[40], *state = text;
    struct eds_s3_signing signing = {.region = "us-east-1", .service = "service"};
    struct curl_slist *headers = NULL;
    size_t count = 0;

    read_text(text, name, "header-canonical-request.txt");
    while (state != NULL && count < sizeof lines / sizeof lines[0])
        lines[count++] = strsep(&state, "\n");
    assert_in_range(count, 7, 39);
    signing.method = lines[0];
    signing.path = lines[1];
    assert_string_equal(lines[2], "");
    for (size_t i = 3; lines[i][0] != '\0'; i++) {
        if (strncmp(lines[i], "x-amz-date:", 11) == 0)
            signing.date = lines[i] + 11;
        headers = add_before(headers, lines[i]);
    }
    signing.headers = headers;
    signing.payload_sha256 = lines[count - 1];
    assert_int_equal(eds_s3_sign(authorization, &signing, &credentials, NULL), EDS_OK);
    read_text(expected, name, "header-signature.txt");
    if (strcmp(strstr(authorization, "Signature=") + 10, expected) != 0)
        fail_msg("%s: %s, not %s", name, authorization, expected);
    assert_non_null(strstr(authorization, lines[count - 2]));
    curl_slist_free_all(headers);
}

static void test_examples(void **state)
{
    DIR *folder = opendir(VECTORS);
    unsigned count = 0;

    (void)state;
    assert_non_null(folder);
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;)
        if (strncmp(entry->d_name, "get-", 4) == 0 || strncmp(entry->d_name, "post-", 5) == 0) {
            check(entry->d_name);
            count++;
        }
    closedir(folder);
    assert_true(count >= CASE_MIN);
}

static void test_names_that_begin_alike(void **state)
{
    struct eds_s3_signing signing = {.method = "PUT",
                                     .path = "/b/k",
                                     .date = "20150830T123600Z",
                                     .payload_sha256 = "00",
                                     .region = "r",
                                     .service = "s3"};
    char authorization[EDS_S3_AUTHORIZATION_SIZE];
    struct curl_slist *headers = NULL;
    struct eds_error err;

    (void)state;
    headers = curl_slist_append(headers, "x-amz-server-side-encryption-aws-kms-key-id: k");
    headers = curl_slist_append(headers, "x-amz-server-side-encryption: aws:kms");
    signing.headers = headers;
    assert_int_equal(eds_s3_sign(authorization, &signing, &credentials, NULL), EDS_OK);
    assert_non_null(strstr(authorization, "SignedHeaders=x-amz-server-side-encryption;"
                                          "x-amz-server-side-encryption-aws-kms-key-id, "));
    for (unsigned i = 2; i < EDS_S3_HEADERS_MAX; i++)
        headers = curl_slist_append(headers, "a: b");
    assert_int_equal(eds_s3_sign(authorization, &signing, &credentials, &err), EDS_OK);
    headers = curl_slist_append(headers, "a: b");
    assert_int_equal(eds_s3_sign(authorization, &signing, &credentials, &err), EDS_ERR_TOO_LARGE);
    curl_slist_free_all(headers);
}

static void test_date(void **state)
{
    char date[EDS_S3_DATE_SIZE];

    (void)state;
    eds_s3_date(date, 1440938160999u);
    assert_string_equal(date, "20150830T123600Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples),
        cmocka_unit_test(test_names_that_begin_alike),
        cmocka_unit_test(test_date),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
