/* s3_sign.c - see s3_sign.h.  The form is that of AWS's "Signature Version 4 signing
 * process"; S3 takes the path as it is sent. */
#include "store/s3_sign.h"

#include <ctype.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/hex.h"
#include "base/wipe.h"
#include "store/instant.h"

#define DIGEST_SIZE 32u /* bytes */
#define HEX_SIZE    (2 * DIGEST_SIZE + 1)
#define DAY_SIZE    8 /* of the date: 20151231 */
#define NAMES_SIZE  1024u
#define ALGORITHM   "AWS4-HMAC-SHA256"

void eds_s3_date(char out[EDS_S3_DATE_SIZE], uint64_t unix_ms)
{
    char text[EDS_INSTANT_SIZE];
    size_t used = 0;

    eds_instant_format(text, unix_ms);
    for (const char *at = text; *at != '\0' && *at != '.' && used + 2 < EDS_S3_DATE_SIZE; at++)
        if (*at != '-' && *at != ':')
            out[used++] = *at;
    out[used++] = 'Z';
    out[used] = '\0';
}

static size_t name_size(const char *line)
{
    return strcspn(line, ":");
}

/* By the name alone: the rest of the line would put "a-b: 1" before "a: 1". */
static int compare_names(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;
    size_t left_size = name_size(*left), right_size = name_size(*right);
    size_t common = left_size < right_size ? left_size : right_size;
    int order = strncasecmp(*left, *right, common);

    return order != 0 ? order : (left_size > right_size) - (left_size < right_size);
}

static void put(crypto_hash_sha256_state *state, const char *text, size_t size)
{
    crypto_hash_sha256_update(state, (const unsigned char *)text, size);
}

static void put_text(crypto_hash_sha256_state *state, const char *text)
{
    put(state, text, strlen(text));
}

/* Hashes "name:value\n" and adds the name to the list of those that are signed. */
static int32_t put_header(crypto_hash_sha256_state *state, const char *line, char names[NAMES_SIZE],
                          struct eds_error *err)
{
    size_t size = name_size(line), used = strlen(names);
    const char *value = line + size + (line[size] != '\0');

    if (used + size + 2 > NAMES_SIZE)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "the headers of a request to S3 are too long");
    if (used > 0)
        names[used++] = ';';
    for (size_t i = 0; i < size; i++)
        names[used + i] = (char)tolower((unsigned char)line[i]);
    names[used + size] = '\0';
    put(state, names + used, size);
    put_text(state, ":");
    put_text(state, value + (*value == ' '));
    put_text(state, "\n");
    return EDS_OK;
}

/* The digest of the canonical request, in hex, and the signed headers' names. */
static int32_t hash_request(char out[HEX_SIZE], char names[NAMES_SIZE],
                            const struct eds_s3_signing *signing, struct eds_error *err)
{
    const char *lines[EDS_S3_HEADERS_MAX];
    uint8_t digest[DIGEST_SIZE];
    crypto_hash_sha256_state state;
    size_t count = 0;
    int32_t rc = EDS_OK;

    for (const struct curl_slist *at = signing->headers; at != NULL; at = at->next) {
        if (count == EDS_S3_HEADERS_MAX)
            return eds_error_set(err, EDS_ERR_TOO_LARGE, "a request to S3 with over %u headers",
                                 EDS_S3_HEADERS_MAX);
        lines[count++] = at->data;
    }
    qsort(lines, count, sizeof lines[0], compare_names);
    names[0] = '\0';
    crypto_hash_sha256_init(&state);
    put_text(&state, signing->method);
    put_text(&state, "\n");
    put_text(&state, signing->path);
    put_text(&state, "\n\n"); /* no query */
    for (size_t i = 0; rc == EDS_OK && i < count; i++)
        rc = put_header(&state, lines[i], names, err);
    put_text(&state, "\n");
    put_text(&state, names);
    put_text(&state, "\n");
    put_text(&state, signing->payload_sha256);
    crypto_hash_sha256_final(&state, digest);
    eds_hex_encode(out, digest, sizeof digest);
    return rc;
}

static void hmac(uint8_t out[DIGEST_SIZE], const void *key, size_t key_size, const char *text,
                 size_t size)
{
    crypto_auth_hmacsha256_state state;

    crypto_auth_hmacsha256_init(&state, key, key_size);
    crypto_auth_hmacsha256_update(&state, (const unsigned char *)text, size);
    crypto_auth_hmacsha256_final(&state, out);
    eds_wipe(&state, sizeof state);
}

/* The key of a day, region and service. */
static void derive_key(uint8_t key[DIGEST_SIZE], const struct eds_s3_signing *signing,
                       const struct eds_s3_credentials *credentials)
{
    const char *const words[] = {signing->region, signing->service, "aws4_request"};
    char secret[sizeof credentials->secret_key + 4];

    snprintf(secret, sizeof secret, "AWS4%s", credentials->secret_key);
    hmac(key, secret, strlen(secret), signing->date, DAY_SIZE);
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        hmac(key, key, DIGEST_SIZE, words[i], strlen(words[i]));
    eds_wipe(secret, sizeof secret);
}

int32_t eds_s3_sign(char out[EDS_S3_AUTHORIZATION_SIZE], const struct eds_s3_signing *signing,
                    const struct eds_s3_credentials *credentials, struct eds_error *err)
{
    char request[HEX_SIZE], names[NAMES_SIZE], scope[256], text[512], signature[HEX_SIZE];
    uint8_t key[DIGEST_SIZE], digest[DIGEST_SIZE];
    int32_t rc = hash_request(request, names, signing, err);

    if (rc != EDS_OK)
        return rc;
    snprintf(scope, sizeof scope, "%.*s/%s/%s/aws4_request", DAY_SIZE, signing->date,
             signing->region, signing->service);
    snprintf(text, sizeof text, ALGORITHM "\n%s\n%s\n%s", signing->date, scope, request);
    derive_key(key, signing, credentials);
    hmac(digest, key, sizeof key, text, strlen(text));
    eds_wipe(key, sizeof key);
    eds_hex_encode(signature, digest, sizeof digest);
    snprintf(out, EDS_S3_AUTHORIZATION_SIZE,
             ALGORITHM " Credential=%s/%s, SignedHeaders=%s, Signature=%s", credentials->access_key,
             scope, names, signature);
    return EDS_OK;
}
