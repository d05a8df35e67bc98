/* http_client.c - see http_client.h.
 *
 * A record may be posted any number of times: the server takes it once and
 * calls the others duplicates.  So whatever leaves the outcome open (a broken
 * connection, a 5xx, an answer that is none) is tried again, after a pause with
 * decorrelated jitter: devices that lost the server together do not come back
 * together. */
#include "transport/http_client.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/hex.h"
#include "transport/curl_identity.h"
#include "transport/http_client_impl.h"

#define INGEST_PATH        "/api/v1/ingest"
#define BATCH_PATH         "/api/v1/ingest/batch"
#define OBJECTS_PATH       "/api/v1/objects/"
#define PUT_RATE_MIN       1024u  /* bytes a ms: so much longer a payload may take */
#define ANSWER_SIZE_MAX    65536u /* bytes; of what a server says, of one record ... */
#define RESULT_SIZE_MAX    4096u  /* ... and of each of many */
#define BACKOFF_MS_MAX     10000u
#define RETRY_AFTER_MS_MAX 60000u /* a server cannot send us to sleep for a day */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void init_curl(void)
{
    curl_global_init(CURL_GLOBAL_DEFAULT);
}

static size_t take_answer(char *bytes, size_t unit, size_t count, void *context)
{
    struct eds_http_client *client = context;
    size_t size = unit * count;

    if (size > client->answer_room - client->answer_size)
        return 0; /* ends the transfer with CURLE_WRITE_ERROR */
    memcpy(client->answer + client->answer_size, bytes, size);
    client->answer_size += size;
    return size;
}

/* Takes a URL apart, adds the path if there is none, and keeps it twice. */
static int32_t take_url(struct eds_http_client *client, const char *url, struct eds_error *err)
{
    CURLU *parts = curl_url();
    char *scheme = NULL, *path = NULL, *full = NULL, *text = NULL;
    CURLUcode code = CURLUE_OUT_OF_MEMORY;
    int32_t rc = EDS_ERR_USAGE;

    if (parts != NULL)
        code = curl_url_set(parts, CURLUPART_URL, url, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_SCHEME, &scheme, 0);
    if (code == CURLUE_OK && strcmp(scheme, "http") != 0 && strcmp(scheme, "https") != 0)
        code = CURLUE_UNSUPPORTED_SCHEME;
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_PATH, &path, 0);
    if (code == CURLUE_OK && strcmp(path, "/") == 0)
        code = curl_url_set(parts, CURLUPART_PATH, client->to_batch ? BATCH_PATH : INGEST_PATH, 0);
    if (code == CURLUE_OK)
        code = curl_url_get(parts, CURLUPART_URL, &full, 0);
    if (code == CURLUE_OK) {
        curl_url_set(parts, CURLUPART_USER, NULL, 0);
        curl_url_set(parts, CURLUPART_PASSWORD, NULL, 0);
        code = curl_url_get(parts, CURLUPART_URL, &text, 0);
    }
    if (code == CURLUE_OUT_OF_MEMORY) {
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    } else if (code != CURLUE_OK) {
        eds_error_set(err, rc, "bad URL: %s; expected http://HOST:PORT or https://HOST:PORT",
                      curl_url_strerror(code));
    } else {
        client->url = strdup(full);
        client->url_text = strdup(text);
        rc = client->url != NULL && client->url_text != NULL
                 ? EDS_OK
                 : eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    }
    curl_free(scheme);
    curl_free(path);
    curl_free(full);
    curl_free(text);
    curl_url_cleanup(parts);
    return rc;
}

/* Where payloads go: beside the records, behind the same prefix of a proxy. */
static int32_t make_put_url(struct eds_http_client *client, struct eds_error *err)
{
    const char *path = client->to_batch ? BATCH_PATH : INGEST_PATH;
    size_t size = strcspn(client->url, "?#"), path_size = strlen(path);
    const char *origin = strstr(client->url, "://");

    if (size >= path_size && strncmp(client->url + size - path_size, path, path_size) == 0)
        size -= path_size;
    else if (origin != NULL)
        size = (size_t)(origin + 3 - client->url) + strcspn(origin + 3, "/?#");
    client->put_url = malloc(size + sizeof OBJECTS_PATH + 2 * EDS_HASH_SIZE);
    if (client->put_url == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    memcpy(client->put_url, client->url, size);
    strcpy(client->put_url + size, OBJECTS_PATH);
    client->put_hash = size + strlen(OBJECTS_PATH);
    return EDS_OK;
}

/* Where many records go at once: behind where one goes, if we chose that. */
static int32_t make_batch_url(struct eds_http_client *client, struct eds_error *err)
{
    size_t size = strlen(client->url), path_size = strlen(INGEST_PATH);

    if (size < path_size || strcmp(client->url + size - path_size, INGEST_PATH) != 0)
        return EDS_OK;
    client->batch_url = malloc(size + sizeof BATCH_PATH);
    if (client->batch_url == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    memcpy(client->batch_url, client->url, size - path_size);
    strcpy(client->batch_url + size - path_size, BATCH_PATH);
    return EDS_OK;
}

/* Appends lines up to a NULL, if there are any.  NULL without memory, and the list is
 * freed. */
static struct curl_slist *append_all(struct curl_slist *list, const char *const *lines)
{
    for (; lines != NULL && *lines != NULL; lines++) {
        struct curl_slist *longer = curl_slist_append(list, *lines);

        if (longer == NULL) {
            curl_slist_free_all(list);
            return NULL;
        }
        list = longer;
    }
    return list;
}

/* No "Expect: 100-continue": it costs a round trip, or a second of waiting at a server
 * that does not know it. */
static struct curl_slist *record_headers(const char *content_type, const char *const *fields)
{
    const char *const headers[] = {content_type, "Accept: application/json", "Expect:", NULL};

    struct curl_slist *list = append_all(NULL, headers);

    return list != NULL ? append_all(list, fields) : NULL;
}

/* libcurl says only later, and of a connection, that a file is not there. */
static int32_t check_files(const struct eds_http_client_config *config, struct eds_error *err)
{
    const char *const paths[] = {config->ca_file, config->cert_file, config->key_file};

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        if (paths[i] != NULL && access(paths[i], R_OK) != 0)
            return eds_error_set(err, EDS_ERR_IO, "cannot read %s: %s", paths[i], strerror(errno));
    return EDS_OK;
}

static int32_t set_options(struct eds_http_client *client,
                           const struct eds_http_client_config *config, struct eds_error *err)
{
    long timeout_ms = client->timeout_ms;
    CURL *easy = client->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                         \
    if (code == CURLE_OK)                                                                          \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_URL, client->url);
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTPHEADER, client->headers);
    SET(CURLOPT_USERAGENT, "edgesentry/" EDS_VERSION);
    SET(CURLOPT_TIMEOUT_MS, timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms < 10000 ? timeout_ms : 10000);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_TCP_KEEPALIVE, 1L);
    SET(CURLOPT_ERRORBUFFER, client->curl_error);
    SET(CURLOPT_WRITEFUNCTION, take_answer);
    SET(CURLOPT_WRITEDATA, client);
#undef SET
    if (code == CURLE_OK)
        code = eds_curl_set_identity(easy, config->ca_file, config->cert_file, config->key_file);
    if (code != CURLE_OK)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "cannot set up the HTTP client: %s",
                             curl_easy_strerror(code));
    return EDS_OK;
}

int32_t eds_http_client_open(struct eds_http_client **out,
                             const struct eds_http_client_config *config, struct eds_error *err)
{
    struct eds_http_client *client;
    int32_t rc = EDS_ERR_NO_MEMORY;

    pthread_once(&curl_once, init_curl);
    client = calloc(1, sizeof *client);
    if (client == NULL)
        return eds_error_set(err, rc, "out of memory for the HTTP client");
    client->attempt_max = config->attempt_max > 0 ? config->attempt_max : 8;
    client->backoff_ms_first = config->backoff_ms_first > 0 ? config->backoff_ms_first : 100;
    client->to_batch = config->to_batch;
    client->timeout_ms = config->timeout_ms > 0 ? (long)config->timeout_ms : 30000;
    client->answer_room = ANSWER_SIZE_MAX + RESULT_SIZE_MAX * (config->to_batch ? EDS_HTTP_BATCH_MAX
                                                                                : config->many_max);
    client->answer = malloc(client->answer_room);
    client->easy = curl_easy_init();
    client->headers = record_headers(config->to_batch ? "Content-Type: application/x-ndjson"
                                                      : "Content-Type: application/json",
                                     config->fields);
    client->batch_headers =
        record_headers("Content-Type: application/octet-stream", config->fields);
    if (client->answer == NULL || client->easy == NULL || client->headers == NULL ||
        client->batch_headers == NULL) {
        eds_error_set(err, rc, "out of memory for the HTTP client");
        goto out;
    }
    rc = check_files(config, err);
    if (rc == EDS_OK)
        rc = take_url(client, config->url, err);
    if (rc == EDS_OK && config->many_max > 0)
        rc = make_batch_url(client, err);
    if (rc == EDS_OK)
        rc = make_put_url(client, err);
    if (rc == EDS_OK)
        rc = set_options(client, config, err);
out:
    if (rc == EDS_OK)
        *out = client;
    else
        eds_http_client_close(client);
    return rc;
}

void eds_http_client_close(struct eds_http_client *client)
{
    if (client == NULL)
        return;
    curl_easy_cleanup(client->easy);
    curl_slist_free_all(client->headers);
    curl_slist_free_all(client->batch_headers);
    free(client->batch_url);
    free(client->url);
    free(client->url_text);
    free(client->put_url);
    free(client->answer);
    free(client);
}

/* What the server asked for with its last answer. */
static unsigned retry_after_ms(const struct eds_http_client *client)
{
    curl_off_t seconds = 0;

    curl_easy_getinfo(client->easy, CURLINFO_RETRY_AFTER, &seconds);
    if (seconds <= 0)
        return 0;
    return seconds < RETRY_AFTER_MS_MAX / 1000 ? (unsigned)seconds * 1000 : RETRY_AFTER_MS_MAX;
}

/* Sleeps before the next attempt and returns for how long it meant to. */
static unsigned pause_ms(const struct eds_http_client *client, unsigned previous_ms,
                         unsigned asked_ms)
{
    unsigned ms = eds_backoff_next_ms(client->backoff_ms_first, BACKOFF_MS_MAX, previous_ms);
    unsigned backoff_ms = ms;
    struct timespec rest;

    if (asked_ms > ms) /* not before then; and not all just then */
        ms = asked_ms + eds_random_between(0, asked_ms / 4);
    rest = (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&rest, NULL);
    return backoff_ms;
}

static enum http_outcome attempt(struct eds_http_client *client, enum http_request request,
                                 struct eds_delivery *out, struct eds_error *err)
{
    CURLcode code;
    long status = 0, sent_size = 0;

    client->answer_size = 0;
    client->curl_error[0] = '\0';
    out->status = 0;
    out->retry_after_ms = 0;
    code = curl_easy_perform(client->easy);
    curl_easy_getinfo(client->easy, CURLINFO_REQUEST_SIZE, &sent_size);
    out->is_broken = code != CURLE_OK && sent_size > 0;
    if (code != CURLE_OK)
        return http_client_judge_failure(client, code, err);
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    out->status = (unsigned)status;
    out->retry_after_ms = retry_after_ms(client);
    return http_client_judge(client, request, out, err);
}

/* Tries until it is decided, or as often as it may be tried. */
static int32_t persist(struct eds_http_client *client, enum http_request request,
                       struct eds_delivery *out, struct eds_error *err)
{
    unsigned backoff_ms = client->backoff_ms_first;
    enum http_outcome outcome = HTTP_TRY_AGAIN;
    struct eds_error reason = {.code = EDS_ERR_IO};

    *out = (struct eds_delivery){.status = 0};
    while (outcome == HTTP_TRY_AGAIN && out->attempts < client->attempt_max) {
        if (out->attempts > 0)
            backoff_ms = pause_ms(client, backoff_ms, out->retry_after_ms);
        out->attempts++;
        outcome = attempt(client, request, out, &reason);
    }
    if (outcome == HTTP_DECIDED)
        return EDS_OK;
    if (out->attempts > 1)
        return eds_error_set(err, reason.code, "%s (%u attempts)", reason.text, out->attempts);
    return eds_error_set(err, reason.code, "%s", reason.text);
}

int32_t eds_http_client_send(struct eds_http_client *client, const char *body, size_t body_size,
                             struct eds_delivery *out, struct eds_error *err)
{
    curl_easy_setopt(client->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size);
    curl_easy_setopt(client->easy, CURLOPT_POSTFIELDS, body);
    return persist(client, client->to_batch ? HTTP_MANY : HTTP_ENVELOPE, out, err);
}

/* Back to where single records go, after a request that went elsewhere. */
static int32_t restore(struct eds_http_client *client, int32_t rc, struct eds_error *err)
{
    curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, client->headers);
    if (curl_easy_setopt(client->easy, CURLOPT_URL, client->url) != CURLE_OK && rc == EDS_OK)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    return rc;
}

int32_t eds_http_client_send_many(struct eds_http_client *client, const void *body,
                                  size_t body_size, struct eds_delivery *out, struct eds_error *err)
{
    CURL *easy = client->easy;
    int32_t rc;

    *out = (struct eds_delivery){.status = 0};
    if (client->batch_url == NULL)
        return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                             "%s has a path of its own: many records at "
                             "once go to " BATCH_PATH,
                             client->url_text);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
    if (curl_easy_setopt(easy, CURLOPT_URL, client->batch_url) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, client->batch_headers) == CURLE_OK)
        rc = persist(client, HTTP_MANY, out, err);
    else
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    return restore(client, rc, err);
}

/* The fields of a put; libcurl adds "Expect: 100-continue" where the payload is
 * large, so that a refusal comes before it. */
static struct curl_slist *put_headers(const EdsAuditRecord *record)
{
    char signature[sizeof "EdgeSentry-Signature: " + 2 * EDS_SIGNATURE_SIZE];
    char device[sizeof "EdgeSentry-Device: " + EDS_DEVICE_ID_SIZE];
    char hex[2 * EDS_SIGNATURE_SIZE + 1];
    const char *const lines[] = {device, signature, "Content-Type: application/octet-stream",
                                 "Accept: application/json", NULL};

    eds_hex_encode(hex, record->signature, sizeof record->signature);
    snprintf(signature, sizeof signature, "EdgeSentry-Signature: %s", hex);
    snprintf(device, sizeof device, "EdgeSentry-Device: %s", (const char *)record->device_id);
    return append_all(NULL, lines);
}

int32_t eds_http_client_put(struct eds_http_client *client, const EdsAuditRecord *record,
                            const void *payload, size_t payload_size, struct eds_delivery *out,
                            struct eds_error *err)
{
    struct curl_slist *headers = put_headers(record);
    CURL *easy = client->easy;
    int32_t rc;

    *out = (struct eds_delivery){.status = 0};
    if (headers == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    eds_hex_encode(client->put_url + client->put_hash, record->payload_hash, EDS_HASH_SIZE);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)payload_size);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, payload);
    if (curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, "PUT") == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_URL, client->put_url) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
        curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS,
                         client->timeout_ms + (long)(payload_size / PUT_RATE_MIN)) == CURLE_OK)
        rc = persist(client, HTTP_PUT, out, err);
    else
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, client->timeout_ms);
    rc = restore(client, rc, err);
    curl_slist_free_all(headers);
    return rc;
}

void eds_http_client_results(const struct eds_http_client *client,
                             void (*take)(void *context, size_t index,
                                          const struct eds_result *result),
                             void *context)
{
    (void)eds_json_results_decode(client->answer, client->answer_size, take, context, NULL);
}
