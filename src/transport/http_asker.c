/* http_asker.c - see http_asker.h. */
#include "transport/http_asker.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "edgesentry/json.h"
#include "transport/curl_identity.h"

#define PATH "/api/v1/commands"

/* Three characters for each byte of the longest id. */
#define QUESTION_SIZE (sizeof PATH + sizeof "?device=&nonce=" + 3 * EDS_DEVICE_ID_SIZE + 64)

struct eds_http_asker {
    CURL *easy;
    char *url;      /* up to the path, and room for that and the question */
    char *question; /* in url */
    char curl_error[CURL_ERROR_SIZE];
    char answer[EDS_JSON_SIGNED_ORDER_SIZE_MAX];
    size_t answer_size;
};

static size_t take_answer(char *bytes, size_t unit, size_t count, void *context)
{
    struct eds_http_asker *asker = context;
    size_t size = unit * count;

    if (size > sizeof asker->answer - asker->answer_size)
        return 0; /* ends the transfer with CURLE_WRITE_ERROR */
    memcpy(asker->answer + asker->answer_size, bytes, size);
    asker->answer_size += size;
    return size;
}

/* Commands are beside the records, behind the same prefix of a proxy. */
static size_t base_size(const char *url)
{
    static const char *const tails[] = {"/api/v1/ingest/batch", "/api/v1/ingest", "/"};
    size_t size = strcspn(url, "?#");

    for (size_t i = 0; i < sizeof tails / sizeof tails[0]; i++) {
        size_t tail_size = strlen(tails[i]);

        if (size >= tail_size && strncmp(url + size - tail_size, tails[i], tail_size) == 0)
            return size - tail_size;
    }
    return size;
}

static int32_t make_url(struct eds_http_asker *asker, const struct eds_http_asker_config *config,
                        struct eds_error *err)
{
    size_t size = base_size(config->url);

    asker->url = malloc(size + QUESTION_SIZE);
    if (asker->url == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for an HTTP client");
    memcpy(asker->url, config->url, size);
    asker->question = asker->url + size;
    return EDS_OK;
}

static int32_t set_question(struct eds_http_asker *asker, const char *device_id,
                            const uint8_t nonce[EDS_NONCE_SIZE], struct eds_error *err)
{
    char *device = curl_easy_escape(asker->easy, device_id, 0);
    char digits[2 * EDS_NONCE_SIZE + 1];

    if (device == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for an HTTP client");
    eds_hex_encode(digits, nonce, EDS_NONCE_SIZE);
    snprintf(asker->question, QUESTION_SIZE, PATH "?device=%s&nonce=%s", device, digits);
    curl_free(device);
    if (curl_easy_setopt(asker->easy, CURLOPT_URL, asker->url) != CURLE_OK)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for an HTTP client");
    return EDS_OK;
}

static int32_t set_options(struct eds_http_asker *asker, const struct eds_http_asker_config *config,
                           struct eds_error *err)
{
    long timeout_ms = config->timeout_ms > 0 ? (long)config->timeout_ms : 30000;
    CURL *easy = asker->easy;
    CURLcode code = CURLE_OK;

#define SET(option, value)                                                                         \
    if (code == CURLE_OK)                                                                          \
    code = curl_easy_setopt(easy, option, value)
    SET(CURLOPT_PROTOCOLS_STR, "http,https");
    SET(CURLOPT_HTTPGET, 1L);
    SET(CURLOPT_USERAGENT, "edgesentry/" EDS_VERSION);
    SET(CURLOPT_TIMEOUT_MS, timeout_ms);
    SET(CURLOPT_CONNECTTIMEOUT_MS, timeout_ms < 10000 ? timeout_ms : 10000);
    SET(CURLOPT_NOSIGNAL, 1L);
    SET(CURLOPT_ERRORBUFFER, asker->curl_error);
    SET(CURLOPT_WRITEFUNCTION, take_answer);
    SET(CURLOPT_WRITEDATA, asker);
#undef SET
    if (code == CURLE_OK)
        code = eds_curl_set_identity(easy, config->ca_file, config->cert_file, config->key_file);
    if (code != CURLE_OK)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "cannot set up an HTTP client: %s",
                             curl_easy_strerror(code));
    return EDS_OK;
}

int32_t eds_http_asker_open(struct eds_http_asker **out, const struct eds_http_asker_config *config,
                            struct eds_error *err)
{
    struct eds_http_asker *asker = calloc(1, sizeof *asker);
    int32_t rc = EDS_ERR_NO_MEMORY;

    if (asker != NULL)
        asker->easy = curl_easy_init();
    if (asker == NULL || asker->easy == NULL)
        eds_error_set(err, rc, "out of memory for an HTTP client");
    else
        rc = make_url(asker, config, err);
    if (rc == EDS_OK)
        rc = set_options(asker, config, err);
    if (rc == EDS_OK)
        *out = asker;
    else
        eds_http_asker_close(asker);
    return rc;
}

void eds_http_asker_close(struct eds_http_asker *asker)
{
    if (asker == NULL)
        return;
    curl_easy_cleanup(asker->easy);
    free(asker->url);
    free(asker);
}

static int32_t judge(struct eds_http_asker *asker, long status, struct eds_signed_order *out,
                     struct eds_error *err)
{
    struct eds_error fault;

    switch (status) {
    case 200:
        if (eds_json_signed_order_decode(out, asker->answer, asker->answer_size, &fault) == EDS_OK)
            return EDS_OK;
        return eds_error_set(err, EDS_ERR_MALFORMED, "the server's command can't be read: %s",
                             fault.text);
    case 204:
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "there is no command");
    case 404:
    case 405:
    case 501:
        return eds_error_set(err, EDS_ERR_UNSUPPORTED, "the server gives no commands (HTTP %ld)",
                             status);
    case 400:
    case 401:
    case 403:
        return eds_error_set(err, EDS_ERR_REFUSED, "the server answered HTTP %ld", status);
    default:
        return eds_error_set(err, EDS_ERR_IO, "the server answered HTTP %ld", status);
    }
}

int32_t eds_http_asker_ask(struct eds_http_asker *asker, const char *device_id,
                           const uint8_t nonce[EDS_NONCE_SIZE], struct eds_signed_order *out,
                           struct eds_error *err)
{
    int32_t rc = set_question(asker, device_id, nonce, err);
    CURLcode code;
    long status = 0;

    if (rc != EDS_OK)
        return rc;
    asker->answer_size = 0;
    asker->curl_error[0] = '\0';
    code = curl_easy_perform(asker->easy);
    if (code != CURLE_OK)
        return eds_error_set(err, EDS_ERR_IO, "no answer to a question for commands: %s",
                             asker->curl_error[0] != '\0' ? asker->curl_error
                                                          : curl_easy_strerror(code));
    curl_easy_getinfo(asker->easy, CURLINFO_RESPONSE_CODE, &status);
    return judge(asker, status, out, err);
}
