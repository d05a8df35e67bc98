/* s3_instance.c - credentials from the instance's metadata service (IMDSv2): a
 * token first, with it the name of the role, with both the credentials. */
#include "store/s3_credentials.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "store/instant.h"

#define SERVICE     "http://169.254.169.254"
#define TIMEOUT_MS  2000L /* it is on this machine, or not at all */
#define ANSWER_SIZE 16384u

struct answer {
    char text[ANSWER_SIZE];
    size_t size;
};

static size_t take(char *bytes, size_t one, size_t size, void *context)
{
    struct answer *answer = context;

    (void)one;
    if (size >= sizeof answer->text - answer->size)
        return 0;
    memcpy(answer->text + answer->size, bytes, size);
    answer->size += size;
    answer->text[answer->size] = '\0';
    return size;
}

/* One request; the answer must be 200 and a text without control characters
 * inside, because two of three become a part of the next request. */
static int32_t ask(CURL *curl, struct answer *answer, const char *path, const char *header,
                   bool put, struct eds_error *err)
{
    const char *service = getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT");
    struct curl_slist *headers = curl_slist_append(NULL, header);
    char url[1024];
    long status = 0;
    CURLcode code;

    answer->size = 0;
    answer->text[0] = '\0';
    snprintf(url, sizeof url, "%s%s", service != NULL && service[0] != '\0' ? service : SERVICE,
             path);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, put ? "PUT" : "GET");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
    code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_slist_free_all(headers);
    if (code != CURLE_OK)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "the instance's metadata service: %s",
                             curl_easy_strerror(code));
    if (status == 404)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "the instance has no role");
    if (status != 200)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "the instance's metadata service: HTTP %ld",
                             status);
    return EDS_OK;
}

/* A word for a header or a path: what is in it is shown to nobody. */
static int32_t take_word(char *out, size_t size, const struct answer *answer, const char *what,
                         struct eds_error *err)
{
    size_t used = strcspn(answer->text, "\r\n");

    if (used == 0 || used >= size)
        return eds_error_set(err, EDS_ERR_MALFORMED, "the instance's metadata service gave no %s",
                             what);
    for (size_t i = 0; i < used; i++)
        if (answer->text[i] <= ' ' || answer->text[i] > '~')
            return eds_error_set(err, EDS_ERR_MALFORMED,
                                 "the instance's metadata service gave no %s", what);
    memcpy(out, answer->text, used);
    out[used] = '\0';
    return EDS_OK;
}

static int32_t ask_all(struct eds_s3_credentials *out, CURL *curl, struct answer *answer,
                       struct eds_error *err)
{
    static const char roles[] = "/latest/meta-data/iam/security-credentials/";
    char token[1024], header[1100], role[256], path[512];
    int32_t rc = ask(curl, answer, "/latest/api/token", "X-aws-ec2-metadata-token-ttl-seconds: 300",
                     true, err);

    if (rc == EDS_OK)
        rc = take_word(token, sizeof token, answer, "token", err);
    if (rc != EDS_OK)
        return rc;
    snprintf(header, sizeof header, "X-aws-ec2-metadata-token: %s", token);
    rc = ask(curl, answer, roles, header, false, err);
    if (rc == EDS_OK)
        rc = take_word(role, sizeof role, answer, "role", err);
    if (rc == EDS_OK) {
        snprintf(path, sizeof path, "%s%s", roles, role);
        rc = ask(curl, answer, path, header, false, err);
    }
    if (rc == EDS_OK)
        rc = eds_s3_credentials_answer(out, answer->text, err);
    eds_wipe(token, sizeof token);
    eds_wipe(header, sizeof header);
    return rc;
}

int32_t eds_s3_credentials_ask(struct eds_s3_credentials *out, struct eds_error *err)
{
    const char *disabled = getenv("AWS_EC2_METADATA_DISABLED");
    struct answer *answer;
    CURL *curl;
    int32_t rc;

    if (disabled != NULL && strcasecmp(disabled, "true") == 0)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "AWS_EC2_METADATA_DISABLED is true");
    curl = curl_easy_init();
    answer = malloc(sizeof *answer);
    if (curl == NULL || answer == NULL)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    else
        rc = ask_all(out, curl, answer, err);
    if (answer != NULL)
        eds_wipe(answer, sizeof *answer);
    free(answer);
    curl_easy_cleanup(curl);
    return rc;
}

/* Copies the string that a member of a flat JSON object has.  The service writes
 * no escapes; a value with one is none of its. */
static bool find_member(char *out, size_t size, const char *json, const char *name)
{
    char quoted[64];
    const char *at;
    size_t value_size;

    snprintf(quoted, sizeof quoted, "\"%s\"", name);
    at = strstr(json, quoted);
    if (at == NULL)
        return false;
    at += strlen(quoted);
    at += strspn(at, " \t\r\n");
    if (*at++ != ':')
        return false;
    at += strspn(at, " \t\r\n");
    if (*at++ != '"')
        return false;
    value_size = strcspn(at, "\"\\\r\n");
    if (at[value_size] != '"' || value_size == 0 || value_size >= size)
        return false;
    memcpy(out, at, value_size);
    out[value_size] = '\0';
    return true;
}

int32_t eds_s3_credentials_answer(struct eds_s3_credentials *out, const char *json,
                                  struct eds_error *err)
{
    char until[EDS_INSTANT_SIZE], with_ms[EDS_INSTANT_SIZE + 8];

    memset(out, 0, sizeof *out);
    if (!find_member(out->access_key, sizeof out->access_key, json, "AccessKeyId") ||
        !find_member(out->secret_key, sizeof out->secret_key, json, "SecretAccessKey") ||
        !find_member(out->token, sizeof out->token, json, "Token") ||
        !find_member(until, sizeof until - 4, json, "Expiration") || strlen(until) < 2 ||
        until[strlen(until) - 1] != 'Z')
        goto out;
    snprintf(with_ms, sizeof with_ms, "%.*s.000Z", (int)strlen(until) - 1, until);
    if (eds_instant_parse(&out->expires_ms, with_ms))
        return EDS_OK;
out:
    eds_s3_credentials_wipe(out);
    return eds_error_set(err, EDS_ERR_MALFORMED,
                         "the instance's metadata service gave no credentials");
}
