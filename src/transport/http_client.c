/* http_client.c - see http_client.h.
 *
 * A record may be posted any number of times: the server takes it once and
 * calls the others duplicates.  So whatever leaves the outcome open (a broken
 * connection, a 5xx, an answer that is none) is tried again, after a pause with
 * decorrelated jitter: devices that lost the server together do not come back
 * together. */
#include "transport/http_client.h"

#include <curl/curl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/backoff.h"
#include "base/hex.h"

#define INGEST_PATH        "/api/v1/ingest"
#define BATCH_PATH         "/api/v1/ingest/batch"
#define OBJECTS_PATH       "/api/v1/objects/"
#define PUT_RATE_MIN       1024u  /* bytes a ms: so much longer a payload may take */
#define ANSWER_SIZE_MAX    65536u /* bytes; of what a server says, of one record ... */
#define RESULT_SIZE_MAX    4096u  /* ... and of each of many */
#define BACKOFF_MS_MAX     10000u
#define RETRY_AFTER_MS_MAX 60000u /* a server cannot send us to sleep for a day */

struct eds_http_client {
    CURL *easy;
    struct curl_slist *headers;
    char *url;      /* where records go */
    char *url_text; /* the same without user and password, for messages */
    char *put_url;  /* where payloads go, with room for a hash at put_hash */
    size_t put_hash;
    long timeout_ms;
    unsigned attempt_max, backoff_ms_first;
    char curl_error[CURL_ERROR_SIZE];
    bool to_batch;
    char *answer;
    size_t answer_size, answer_room; /* bytes */
};

/* What one attempt came to. */
enum outcome { DECIDED, TRY_AGAIN, HOPELESS };

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

static int32_t add_headers(struct eds_http_client *client)
{
    /* No "Expect: 100-continue": it costs a round trip, or a second of waiting
     * at a server that does not know it. */
    const char *const headers[] = {client->to_batch ? "Content-Type: application/x-ndjson"
                                                    : "Content-Type: application/json",
                                   "Accept: application/json", "Expect:"};

    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        struct curl_slist *longer = curl_slist_append(client->headers, headers[i]);

        if (longer == NULL)
            return EDS_ERR_NO_MEMORY;
        client->headers = longer;
    }
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
    if (config->ca_file != NULL)
        SET(CURLOPT_CAINFO, config->ca_file);
#undef SET
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
    client->answer_room =
        ANSWER_SIZE_MAX + (config->to_batch ? EDS_HTTP_BATCH_MAX * RESULT_SIZE_MAX : 0);
    client->answer = malloc(client->answer_room);
    client->easy = curl_easy_init();
    if (client->answer == NULL || client->easy == NULL || add_headers(client) != EDS_OK) {
        eds_error_set(err, rc, "out of memory for the HTTP client");
        goto out;
    }
    rc = take_url(client, config->url, err);
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

/* Says what a refusal without a readable body means. */
static void explain_refusal(struct eds_delivery *out)
{
    const char *hint = "";

    if (out->status == 404 || out->status == 405)
        hint = "; is this the URL of an ingest server?";
    else if (out->status == 401 || out->status == 403)
        hint = "; may this address send?";
    out->answer.accepted = false;
    snprintf(out->answer.error, sizeof out->answer.error, "the server answered HTTP %u%s",
             out->status, hint);
}

static void count_result(void *context, size_t index, const struct eds_result *result)
{
    (void)result;
    *(size_t *)context = index + 1;
}

/* Whether the answer has results, all of them whole. */
static bool has_results(const struct eds_http_client *client, unsigned status)
{
    size_t count = 0;

    return client->to_batch && (status == 202 || status == 207) &&
           eds_json_results_decode(client->answer, client->answer_size, count_result, &count,
                                   NULL) == EDS_OK &&
           count > 0;
}

static enum outcome judge_answer(struct eds_http_client *client, struct eds_delivery *out,
                                 struct eds_error *err)
{
    struct eds_error unreadable;
    const char *location = NULL;
    bool is_answer = eds_json_answer_decode(&out->answer, client->answer, client->answer_size,
                                            &unreadable) == EDS_OK;

    if (has_results(client, out->status) ||
        (!client->to_batch && out->status == 202 && is_answer && out->answer.accepted))
        return DECIDED;
    if (is_answer && out->answer.accepted) /* an "accepted" under another status is none */
        is_answer = false;
    if (out->status >= 300 && out->status < 400) {
        curl_easy_getinfo(client->easy, CURLINFO_REDIRECT_URL, &location);
        eds_error_set(err, EDS_ERR_IO, "%s redirects (HTTP %u) to %s; give that URL instead",
                      client->url_text, out->status, location != NULL ? location : "elsewhere");
        return HOPELESS;
    }
    if (out->status >= 400 && out->status < 500 && out->status != 408 && out->status != 429) {
        if (!is_answer)
            explain_refusal(out);
        return DECIDED;
    }
    if (out->status >= 400)
        eds_error_set(err, EDS_ERR_IO,
                      "%s answered HTTP %u%s%s; it cannot take records now, send again later",
                      client->url_text, out->status, is_answer ? ": " : "",
                      is_answer ? out->answer.error : "");
    else
        eds_error_set(err, EDS_ERR_IO,
                      "%s answered HTTP %u without a verdict; is this the URL of an ingest server?",
                      client->url_text, out->status);
    return TRY_AGAIN;
}

static enum outcome judge_failure(struct eds_http_client *client, CURLcode code,
                                  struct eds_error *err)
{
    const char *reason =
        client->curl_error[0] != '\0' ? client->curl_error : curl_easy_strerror(code);

    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
        return HOPELESS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        eds_error_set(err, EDS_ERR_IO,
                      "%s is not trusted: %s; check the certificate, its name and the CA file",
                      client->url_text, reason);
        return HOPELESS;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        eds_error_set(err, EDS_ERR_IO,
                      "cannot reach %s: %s; check that the server runs and listens there",
                      client->url_text, reason);
        return TRY_AGAIN;
    case CURLE_WRITE_ERROR:
        eds_error_set(err, EDS_ERR_IO,
                      "%s answered more than %zu bytes; is this the URL of an ingest server?",
                      client->url_text, client->answer_room);
        return TRY_AGAIN;
    default:
        eds_error_set(err, EDS_ERR_IO, "no verdict from %s: %s; the record may be sent again",
                      client->url_text, reason);
        return TRY_AGAIN;
    }
}

/* What a server says of a payload alone. */
static enum outcome judge_put(struct eds_http_client *client, struct eds_delivery *out,
                              struct eds_error *err)
{
    if (out->status == 200 || out->status == 201) {
        out->answer = (struct eds_answer){.accepted = true};
        return DECIDED;
    }
    if (out->status == 501) { /* nor will it tomorrow */
        explain_refusal(out);
        return DECIDED;
    }
    return judge_answer(client, out, err);
}

static enum outcome attempt(struct eds_http_client *client, bool is_put, struct eds_delivery *out,
                            struct eds_error *err)
{
    CURLcode code;
    long status = 0;

    client->answer_size = 0;
    client->curl_error[0] = '\0';
    out->status = 0;
    out->retry_after_ms = 0;
    code = curl_easy_perform(client->easy);
    if (code != CURLE_OK)
        return judge_failure(client, code, err);
    curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &status);
    out->status = (unsigned)status;
    out->retry_after_ms = retry_after_ms(client);
    return is_put ? judge_put(client, out, err) : judge_answer(client, out, err);
}

/* Tries until it is decided, or as often as it may be tried. */
static int32_t persist(struct eds_http_client *client, bool is_put, struct eds_delivery *out,
                       struct eds_error *err)
{
    unsigned backoff_ms = client->backoff_ms_first;
    enum outcome outcome = TRY_AGAIN;
    struct eds_error reason = {.code = EDS_ERR_IO};

    *out = (struct eds_delivery){.status = 0};
    while (outcome == TRY_AGAIN && out->attempts < client->attempt_max) {
        if (out->attempts > 0)
            backoff_ms = pause_ms(client, backoff_ms, out->retry_after_ms);
        out->attempts++;
        outcome = attempt(client, is_put, out, &reason);
    }
    if (outcome == DECIDED)
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
    return persist(client, false, out, err);
}

/* The fields of a put; libcurl adds "Expect: 100-continue" where the payload is
 * large, so that a refusal comes before it. */
static struct curl_slist *put_headers(const EdsAuditRecord *record)
{
    char signature[sizeof "EdgeSentry-Signature: " + 2 * EDS_SIGNATURE_SIZE];
    char device[sizeof "EdgeSentry-Device: " + EDS_DEVICE_ID_SIZE];
    char hex[2 * EDS_SIGNATURE_SIZE + 1];
    const char *const lines[] = {device, signature, "Content-Type: application/octet-stream",
                                 "Accept: application/json"};
    struct curl_slist *headers = NULL;

    eds_hex_encode(hex, record->signature, sizeof record->signature);
    snprintf(signature, sizeof signature, "EdgeSentry-Signature: %s", hex);
    snprintf(device, sizeof device, "EdgeSentry-Device: %s", (const char *)record->device_id);
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        struct curl_slist *longer = curl_slist_append(headers, lines[i]);

        if (longer == NULL) {
            curl_slist_free_all(headers);
            return NULL;
        }
        headers = longer;
    }
    return headers;
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
        rc = persist(client, true, out, err);
    else
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, NULL);
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, client->headers);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, client->timeout_ms);
    if (curl_easy_setopt(easy, CURLOPT_URL, client->url) != CURLE_OK && rc == EDS_OK)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
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
