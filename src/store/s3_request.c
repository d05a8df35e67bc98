/* s3_request.c - see s3_request.h.
 *
 * libcurl signs (SigV4).  The payload's SHA-256, which the signature covers, is
 * given to it as a header, so that the service refuses a body that was changed
 * on the way.  One kind of request is signed here, see is_signed_wrong. */
#include "store/s3_request.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/port.h"
#include "base/wipe.h"
#include "store/instant.h"
#include "store/s3_sign.h"

#define CONNECT_MS   5000L
#define PAUSE_MS     100u /* after the first attempt */
#define PAUSE_MAX_MS 5000u
#define ERROR_SIZE   2048u /* bytes of an error's text that are looked at */
#define HASH_HEADER  "x-amz-meta-blake3"
#define DAY_MS       86400000u

int32_t eds_s3_request_make(struct eds_s3_request *request, struct eds_error *err)
{
    *request = (struct eds_s3_request){.curl = curl_easy_init()};
    return request->curl != NULL ? EDS_OK : eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
}

static void forget(struct eds_s3_request *request)
{
    curl_slist_free_all(request->headers);
    free(request->body);
    request->headers = NULL;
    request->body = NULL;
    request->body_size = request->body_capacity = 0;
    request->has_hash = request->no_memory = request->too_large = false;
}

void eds_s3_request_free(struct eds_s3_request *request)
{
    forget(request);
    curl_easy_cleanup(request->curl);
}

/* Keeps the answer's body: all of a payload, the beginning of an error. */
static size_t take_body(char *bytes, size_t one, size_t size, void *context)
{
    struct eds_s3_request *request = context;
    size_t kept = size;
    long status = 0;

    (void)one;
    curl_easy_getinfo(request->curl, CURLINFO_RESPONSE_CODE, &status);
    if (request->method == EDS_S3_GET && status == 200)
        request->too_large = size > EDS_OBJECT_SIZE_MAX - request->body_size;
    else if (size > ERROR_SIZE - request->body_size)
        kept = ERROR_SIZE - request->body_size;
    if (request->too_large)
        return 0;
    if (kept > request->body_capacity - request->body_size) {
        size_t capacity = 2 * (request->body_size + kept) + 4096;
        uint8_t *grown = realloc(request->body, capacity);

        request->no_memory = grown == NULL;
        if (grown == NULL)
            return 0;
        request->body = grown;
        request->body_capacity = capacity;
    }
    memcpy(request->body + request->body_size, bytes, kept);
    request->body_size += kept;
    return size;
}

/* Looks for the one header that matters. */
static size_t take_header(char *line, size_t one, size_t size, void *context)
{
    struct eds_s3_request *request = context;
    const size_t name_size = sizeof HASH_HEADER - 1;

    (void)one;
    if (size > name_size + 1 && strncasecmp(line, HASH_HEADER ":", name_size + 1) == 0) {
        const char *value = line + name_size + 1, *end = line + size;

        while (value < end && isspace((unsigned char)*value))
            value++;
        while (end > value && isspace((unsigned char)end[-1]))
            end--;
        request->has_hash = eds_hex_decode_exactly(request->hash, EDS_HASH_SIZE, value,
                                                   (size_t)(end - value), NULL) == EDS_OK;
    }
    return size;
}

static void add_header(struct eds_s3_request *request, const char *name, const char *value)
{
    char line[9000]; /* a session token may be long */
    struct curl_slist *longer;

    snprintf(line, sizeof line, "%s: %s", name, value);
    longer = curl_slist_append(request->headers, line);
    eds_wipe(line, sizeof line);
    if (longer == NULL)
        request->no_memory = true;
    else
        request->headers = longer;
}

/* The digest of the payload, signed; where Object Lock is asked for the service
 * wants it a second time, in a form of its own. */
static void add_digest(struct eds_s3_request *request, const struct eds_s3_config *config,
                       const struct eds_object_put *put)
{
    uint8_t digest[crypto_hash_sha256_BYTES];
    char text[2 * sizeof digest + 1];

    if (request->method == EDS_S3_PUT && put->sha256 != NULL)
        memcpy(digest, put->sha256, sizeof digest);
    else
        crypto_hash_sha256(digest, put->payload,
                           request->method == EDS_S3_PUT ? put->payload_size : 0);
    eds_hex_encode(text, digest, sizeof digest);
    add_header(request, "x-amz-content-sha256", text);
    if (request->method == EDS_S3_PUT && config->lock_mode[0] != '\0') {
        char base64[sodium_base64_ENCODED_LEN(sizeof digest, sodium_base64_VARIANT_ORIGINAL)];

        sodium_bin2base64(base64, sizeof base64, digest, sizeof digest,
                          sodium_base64_VARIANT_ORIGINAL);
        add_header(request, "x-amz-checksum-sha256", base64);
    }
}

static void add_put_headers(struct eds_s3_request *request, const struct eds_s3_config *config,
                            const struct eds_object_put *put)
{
    char text[2 * EDS_HASH_SIZE + 1], until[EDS_INSTANT_SIZE];

    add_header(request, "Content-Type", "application/octet-stream");
    add_header(request, "If-None-Match", "*");
    eds_hex_encode(text, put->name.payload_hash, EDS_HASH_SIZE);
    add_header(request, HASH_HEADER, text);
    if (config->lock_mode[0] != '\0') {
        add_header(request, "x-amz-object-lock-mode", config->lock_mode);
        eds_instant_format(until, eds_port_time_ms() + (uint64_t)config->retain_days * DAY_MS);
        strcpy(strchr(until, '.'), "Z"); /* not all services take fractions of a second */
        add_header(request, "x-amz-object-lock-retain-until-date",
                   config->retain_days > 0 ? until : config->retain_until);
    }
    if (config->sse[0] != '\0')
        add_header(request, "x-amz-server-side-encryption", config->sse);
    if (config->sse_kms_key_id[0] != '\0')
        add_header(request, "x-amz-server-side-encryption-aws-kms-key-id", config->sse_kms_key_id);
}

static void set_method(struct eds_s3_request *request, const struct eds_object_put *put)
{
    if (request->method == EDS_S3_HEAD)
        curl_easy_setopt(request->curl, CURLOPT_NOBODY, 1L);
    if (request->method != EDS_S3_PUT)
        return;
    curl_easy_setopt(request->curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)put->payload_size);
    curl_easy_setopt(request->curl, CURLOPT_POSTFIELDS,
                     put->payload_size > 0 ? put->payload : (const void *)"");
    curl_easy_setopt(request->curl, CURLOPT_CUSTOMREQUEST, "PUT");
}

static void set_transfer(struct eds_s3_request *request, const struct eds_s3_config *config,
                         long timeout_ms)
{
    CURL *curl = request->curl;

    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L); /* a key may hold ".." */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
                     timeout_ms < CONNECT_MS ? timeout_ms : CONNECT_MS);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
    if (config->ca[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, config->ca);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, request);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, request);
    curl_easy_setopt(curl, CURLOPT_PRIVATE, request);
}

/* Before 8.10 libcurl sorts headers by whole lines instead of their names, so that of two
 * names the one that begins with the other comes first, and the service refuses the
 * signature: those of a put with a key of its own. */
static bool is_signed_wrong(enum eds_s3_method method, const struct eds_s3_config *config)
{
    return method == EDS_S3_PUT && config->sse_kms_key_id[0] != '\0' &&
           curl_version_info(CURLVERSION_NOW)->version_num < 0x080a00;
}

/* Signs the headers that there are, as libcurl would. */
static int32_t sign(struct eds_s3_request *request, const struct eds_s3_config *config,
                    const struct eds_s3_credentials *credentials, const char *address,
                    struct eds_error *err)
{
    const char *host = strstr(address, "://") + 3, *path = strchr(host, '/');
    const char *digest = request->headers->data; /* add_digest's, the first of all */
    char date[EDS_S3_DATE_SIZE], name[EDS_S3_ENDPOINT_SIZE + EDS_S3_BUCKET_SIZE];
    char authorization[EDS_S3_AUTHORIZATION_SIZE];
    struct eds_s3_signing signing = {.method = "PUT",
                                     .path = path,
                                     .payload_sha256 = strchr(digest, ' ') + 1,
                                     .date = date,
                                     .region = config->region,
                                     .service = "s3"};
    int32_t rc;

    eds_s3_date(date, eds_port_time_ms());
    snprintf(name, sizeof name, "%.*s", (int)(path - host), host);
    add_header(request, "Host", name);
    add_header(request, "x-amz-date", date);
    signing.headers = request->headers;
    rc = eds_s3_sign(authorization, &signing, credentials, err);
    if (rc == EDS_OK)
        add_header(request, "Authorization", authorization);
    return rc;
}

/* Who asks, or the proof of it. */
static int32_t authorize(struct eds_s3_request *request, const struct eds_s3_config *config,
                         const struct eds_s3_credentials *credentials, const char *address,
                         struct eds_error *err)
{
    char signing[128];

    if (!request->no_memory && is_signed_wrong(request->method, config))
        return sign(request, config, credentials, address, err);
    snprintf(signing, sizeof signing, "aws:amz:%s:s3", config->region);
    if (curl_easy_setopt(request->curl, CURLOPT_USERNAME, credentials->access_key) != CURLE_OK ||
        curl_easy_setopt(request->curl, CURLOPT_PASSWORD, credentials->secret_key) != CURLE_OK ||
        curl_easy_setopt(request->curl, CURLOPT_AWS_SIGV4, signing) != CURLE_OK)
        request->no_memory = true;
    return EDS_OK;
}

int32_t eds_s3_request_prepare(struct eds_s3_request *request, const struct eds_s3_config *config,
                               const struct eds_s3_credentials *credentials,
                               enum eds_s3_method method, const struct eds_object_put *put,
                               long timeout_ms, struct eds_error *err)
{
    char address[EDS_S3_ADDRESS_SIZE];
    size_t size, shown = sizeof request->key_end - 1;
    int32_t rc = eds_s3_address(address, config, &put->name, err);

    if (rc != EDS_OK)
        return rc;
    forget(request);
    curl_easy_reset(request->curl); /* keeps its connections */
    request->method = method;
    size = strlen(address);
    strcpy(request->key_end, address + (size > shown ? size - shown : 0));
    add_digest(request, config, put);
    if (method == EDS_S3_PUT)
        add_put_headers(request, config, put);
    if (credentials->token[0] != '\0')
        add_header(request, "x-amz-security-token", credentials->token);
    set_transfer(request, config, timeout_ms);
    set_method(request, put);
    rc = authorize(request, config, credentials, address, err);
    if (rc != EDS_OK)
        return rc;
    if (request->no_memory || curl_easy_setopt(request->curl, CURLOPT_URL, address) != CURLE_OK ||
        curl_easy_setopt(request->curl, CURLOPT_HTTPHEADER, request->headers) != CURLE_OK)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a request to S3");
    return EDS_OK;
}

/* The service's word for an error, <Code>NoSuchBucket</Code>; nothing else of
 * its answer is shown, because it may repeat what was sent. */
static void error_code(char out[64], const struct eds_s3_request *request)
{
    static const char begin[] = "<Code>";
    const char *at = request->body_size == 0
                         ? NULL
                         : memmem(request->body, request->body_size, begin, sizeof begin - 1);
    size_t used = 0;

    if (at != NULL) {
        const char *end = (const char *)request->body + request->body_size;

        for (at += sizeof begin - 1; at < end && isalnum((unsigned char)*at) && used < 48; at++)
            out[used++] = *at;
    }
    out[used] = '\0';
}

static enum eds_s3_outcome of_transfer(const struct eds_s3_request *request, CURLcode code)
{
    if (request->no_memory || code == CURLE_OUT_OF_MEMORY)
        return EDS_S3_NO_MEMORY;
    if (request->too_large)
        return EDS_S3_TOO_LARGE;
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_NOT_BUILT_IN:
        return EDS_S3_FAILED;
    default: /* of the network, which may be better the next time */
        return EDS_S3_AGAIN;
    }
}

static enum eds_s3_outcome of_status(const struct eds_s3_request *request, long status,
                                     const char *code)
{
    switch (status) {
    case 200:
    case 201:
    case 204:
        return EDS_S3_DONE;
    case 404:
        return request->method == EDS_S3_PUT || strcmp(code, "NoSuchBucket") == 0 ? EDS_S3_FAILED
                                                                                  : EDS_S3_ABSENT;
    case 412:
        return request->method == EDS_S3_PUT ? EDS_S3_PRESENT : EDS_S3_FAILED;
    case 400:
        /* Credentials of a session that has ended; a body that came too slowly. */
        if (strcmp(code, "ExpiredToken") == 0)
            return EDS_S3_DENIED;
        return strcmp(code, "RequestTimeout") == 0 ? EDS_S3_AGAIN : EDS_S3_FAILED;
    case 401:
    case 403:
        return EDS_S3_DENIED;
    case 408:
    case 409: /* another put of the same object is under way */
    case 425:
    case 429:
        return EDS_S3_AGAIN;
    default:
        return status >= 500 && status != 501 ? EDS_S3_AGAIN : EDS_S3_FAILED;
    }
}

enum eds_s3_outcome eds_s3_request_outcome(struct eds_s3_request *request,
                                           const struct eds_s3_config *config, CURLcode code,
                                           struct eds_error *err)
{
    static const char *const methods[] = {"PUT", "HEAD", "GET"};
    enum eds_s3_outcome outcome;
    long status = 0;
    char word[64];

    if (code != CURLE_OK) {
        outcome = of_transfer(request, code);
        eds_error_set(err, EDS_ERR_IO, "S3 bucket %s, %s ...%s: %s", config->bucket,
                      methods[request->method], request->key_end,
                      outcome == EDS_S3_TOO_LARGE ? "the object is too large"
                                                  : curl_easy_strerror(code));
        return outcome;
    }
    curl_easy_getinfo(request->curl, CURLINFO_RESPONSE_CODE, &status);
    error_code(word, request);
    outcome = of_status(request, status, word);
    if (outcome != EDS_S3_DONE)
        eds_error_set(err, EDS_ERR_IO, "S3 bucket %s, %s ...%s: HTTP %ld%s%s", config->bucket,
                      methods[request->method], request->key_end, status,
                      word[0] != '\0' ? " " : "", word);
    return outcome;
}

uint8_t *eds_s3_request_take_body(struct eds_s3_request *request, size_t *size)
{
    uint8_t *body = request->body != NULL ? request->body : malloc(1);

    *size = request->body_size;
    request->body = NULL;
    request->body_size = request->body_capacity = 0;
    return body;
}

unsigned eds_s3_pause_ms(unsigned attempt)
{
    unsigned longest = attempt < 7 ? PAUSE_MS << (attempt - 1) : PAUSE_MAX_MS;
    uint32_t random = 0;

    if (longest > PAUSE_MAX_MS)
        longest = PAUSE_MAX_MS;
    (void)eds_port_random(&random, sizeof random); /* without any the pause is the shortest */
    return longest / 2 + random % (longest / 2 + 1);
}
