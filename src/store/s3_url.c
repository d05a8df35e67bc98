/* s3_url.c - see s3_url.h. */
#include "store/s3_url.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "store/instant.h"

#define SCHEME "s3://"

/* One parameter of the URL. */
struct parameter {
    const char *name;
    /* Takes the value; EDS_ERR_USAGE if it is none. */
    int32_t (*take)(struct eds_s3_config *config, const char *value, struct eds_error *err);
};

static int32_t copy(char *out, size_t size, const char *value, const char *name,
                    struct eds_error *err)
{
    if (strlen(value) >= size || value[0] == '\0')
        return eds_error_set(err, EDS_ERR_USAGE, "s3 URL: %s is %s", name,
                             value[0] == '\0' ? "empty" : "too long");
    for (const char *at = value; *at != '\0'; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f) /* it may become a header */
            return eds_error_set(err, EDS_ERR_USAGE, "s3 URL: %s has a control character", name);
    strcpy(out, value);
    return EDS_OK;
}

static int32_t expected(struct eds_error *err, const char *name, const char *what,
                        const char *value)
{
    return eds_error_set(err, EDS_ERR_USAGE, "s3 URL: %s must be %s, got '%s'", name, what, value);
}

static int32_t take_number(unsigned *out, const char *name, const char *value, unsigned least,
                           unsigned most, struct eds_error *err)
{
    char range[48], *end;
    unsigned long number = strtoul(value, &end, 10);

    snprintf(range, sizeof range, "a number from %u to %u", least, most);
    if (!isdigit((unsigned char)value[0]) || *end != '\0' || number < least || number > most)
        return expected(err, name, range, value);
    *out = (unsigned)number;
    return EDS_OK;
}

static int32_t take_endpoint(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    static const char what[] = "http://HOST[:PORT] or https://HOST[:PORT]";
    char without_slash[1024];
    const char *host;
    size_t size;

    if (strncmp(value, "https://", 8) != 0 && strncmp(value, "http://", 7) != 0)
        return expected(err, "endpoint", what, value);
    host = strstr(value, "://") + 3;
    if (strchr(host, '@') != NULL)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "s3 URL: credentials do not belong into the endpoint; the environment "
                             "(AWS_ACCESS_KEY_ID) and ~/.aws/credentials keep them private");
    size = strcspn(host, "/?#");
    if (size == 0 || (host[size] != '\0' && strcmp(host + size, "/") != 0))
        return expected(err, "endpoint", what, value);
    snprintf(without_slash, sizeof without_slash, "%.*s", (int)((size_t)(host - value) + size),
             value);
    return copy(c->endpoint, sizeof c->endpoint, without_slash, "endpoint", err);
}

static int32_t take_region(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    if (value[strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")] !=
        '\0')
        return expected(err, "region", "letters, digits and hyphens", value);
    return copy(c->region, sizeof c->region, value, "region", err);
}

static int32_t take_style(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    c->virtual_host = strcmp(value, "virtual") == 0;
    return c->virtual_host || strcmp(value, "path") == 0
               ? EDS_OK
               : expected(err, "style", "path or virtual", value);
}

static int32_t take_keys(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    c->by_reference = strcmp(value, "ref") == 0;
    return c->by_reference || strcmp(value, "hash") == 0
               ? EDS_OK
               : expected(err, "keys", "hash or ref", value);
}

static int32_t take_credentials(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    if (strcmp(value, "env") == 0)
        c->source = EDS_S3_ENVIRONMENT;
    else if (strcmp(value, "file") == 0)
        c->source = EDS_S3_FILE;
    else if (strcmp(value, "imds") == 0)
        c->source = EDS_S3_INSTANCE;
    else
        return eds_error_set(err, EDS_ERR_USAGE,
                             "s3 URL: credentials must be env, file or imds: where they are found, "
                             "not what they are");
    return EDS_OK;
}

static int32_t take_profile(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    return copy(c->profile, sizeof c->profile, value, "profile", err);
}

static int32_t take_ca(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    return copy(c->ca, sizeof c->ca, value, "ca", err);
}

static int32_t take_lock(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    if (strcmp(value, "governance") == 0)
        strcpy(c->lock_mode, "GOVERNANCE");
    else if (strcmp(value, "compliance") == 0)
        strcpy(c->lock_mode, "COMPLIANCE");
    else
        return expected(err, "lock", "governance or compliance", value);
    return EDS_OK;
}

static int32_t take_retain_days(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    return take_number(&c->retain_days, "retain-days", value, 1, 36500, err);
}

static int32_t take_retain_until(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    char with_ms[32];
    uint64_t moment;
    size_t size = strlen(value);

    if (size < 2 || size > 24 || value[size - 1] != 'Z' ||
        snprintf(with_ms, sizeof with_ms, "%.*s.000Z", (int)size - 1, value) < 0 ||
        !eds_instant_parse(&moment, with_ms))
        return expected(err, "retain-until", "a moment like 2036-01-01T00:00:00Z", value);
    return copy(c->retain_until, sizeof c->retain_until, value, "retain-until", err);
}

static int32_t take_sse(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    if (strcmp(value, "AES256") != 0 && strcmp(value, "aws:kms") != 0)
        return expected(err, "sse", "AES256 or aws:kms", value);
    return copy(c->sse, sizeof c->sse, value, "sse", err);
}

static int32_t take_sse_key(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    return copy(c->sse_kms_key_id, sizeof c->sse_kms_key_id, value, "sse-kms-key-id", err);
}

static int32_t take_connections(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    return take_number(&c->connections, "connections", value, 1, 256, err);
}

static int32_t take_attempts(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    return take_number(&c->attempts, "attempts", value, 1, 20, err);
}

static int32_t take_timeout(struct eds_s3_config *c, const char *value, struct eds_error *err)
{
    return take_number(&c->timeout_s, "timeout", value, 1, 600, err);
}

static const struct parameter parameters[] = {
    {"endpoint", take_endpoint},
    {"region", take_region},
    {"style", take_style},
    {"keys", take_keys},
    {"credentials", take_credentials},
    {"profile", take_profile},
    {"ca", take_ca},
    {"lock", take_lock},
    {"retain-days", take_retain_days},
    {"retain-until", take_retain_until},
    {"sse", take_sse},
    {"sse-kms-key-id", take_sse_key},
    {"connections", take_connections},
    {"attempts", take_attempts},
    {"timeout", take_timeout},
};
#define PARAMETER_COUNT (sizeof parameters / sizeof parameters[0])

/* The value of a parameter, percent-decoded; false if it is none. */
static bool decode(char *out, size_t size, const char *text, size_t text_size)
{
    size_t used = 0;

    for (size_t i = 0; i < text_size; i++) {
        uint8_t byte = (uint8_t)text[i];

        if (byte == '%') {
            if (text_size - i < 3 || eds_hex_decode(&byte, text + i + 1, 2, NULL) != EDS_OK ||
                byte == 0)
                return false;
            i += 2;
        }
        if (used + 1 >= size)
            return false;
        out[used++] = (char)byte;
    }
    out[used] = '\0';
    return true;
}

/* Takes one "name=value"; *seen has a bit for each parameter met so far. */
static int32_t take_parameter(struct eds_s3_config *config, const char *text, size_t size,
                              uint32_t *seen, struct eds_error *err)
{
    const char *equals = memchr(text, '=', size);
    size_t name_size = equals != NULL ? (size_t)(equals - text) : size;
    char value[1024];

    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        if (strlen(parameters[i].name) != name_size ||
            memcmp(parameters[i].name, text, name_size) != 0)
            continue;
        if (equals == NULL || !decode(value, sizeof value, equals + 1, size - name_size - 1))
            return eds_error_set(err, EDS_ERR_USAGE, "s3 URL: %s has no readable value",
                                 parameters[i].name);
        if ((*seen & (uint32_t)1 << i) != 0)
            return eds_error_set(err, EDS_ERR_USAGE, "s3 URL: %s is given twice",
                                 parameters[i].name);
        *seen |= (uint32_t)1 << i;
        return parameters[i].take(config, value, err);
    }
    /* Not shown whole: somebody may have taken this for the place of a secret. */
    return eds_error_set(err, EDS_ERR_USAGE,
                         "s3 URL: unknown parameter '%.*s'; there are endpoint, region, style, "
                         "keys, credentials, profile, ca, lock, retain-days, retain-until, sse, "
                         "sse-kms-key-id, connections, attempts and timeout",
                         (int)(name_size < 40 ? name_size : 40), text);
}

static const char *from_environment(const char *first, const char *second)
{
    const char *value = getenv(first);

    if (value == NULL || value[0] == '\0')
        value = getenv(second);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* What the URL leaves open. */
static int32_t complete(struct eds_s3_config *config, bool style_given, struct eds_error *err)
{
    const char *region = from_environment("AWS_REGION", "AWS_DEFAULT_REGION");
    const char *endpoint = from_environment("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL");
    const char *profile = from_environment("AWS_PROFILE", "AWS_PROFILE");
    int32_t rc = EDS_OK;

    if (config->region[0] == '\0')
        rc = take_region(config, region != NULL ? region : "us-east-1", err);
    if (rc == EDS_OK && config->endpoint[0] == '\0' && endpoint != NULL)
        rc = take_endpoint(config, endpoint, err);
    if (config->endpoint[0] == '\0')
        snprintf(config->endpoint, sizeof config->endpoint, "https://s3.%s.amazonaws.com",
                 config->region);
    if (!style_given)
        config->virtual_host = strstr(config->endpoint, ".amazonaws.com") != NULL;
    if (rc == EDS_OK && config->profile[0] == '\0')
        rc = take_profile(config, profile != NULL ? profile : "default", err);
    if (rc != EDS_OK)
        return rc;
    if ((config->lock_mode[0] != '\0') !=
        (config->retain_days > 0 || config->retain_until[0] != '\0'))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "s3 URL: lock goes together with retain-days or retain-until");
    if (config->retain_days > 0 && config->retain_until[0] != '\0')
        return eds_error_set(err, EDS_ERR_USAGE,
                             "s3 URL: retain-days and retain-until exclude each other");
    if (config->sse_kms_key_id[0] != '\0' && strcmp(config->sse, "aws:kms") != 0)
        return eds_error_set(err, EDS_ERR_USAGE, "s3 URL: sse-kms-key-id wants sse=aws:kms");
    return EDS_OK;
}

static int32_t take_place(struct eds_s3_config *config, const char *place, size_t size,
                          struct eds_error *err)
{
    const char *slash = memchr(place, '/', size);
    size_t bucket_size = slash != NULL ? (size_t)(slash - place) : size;
    char prefix[EDS_S3_PREFIX_SIZE];
    size_t prefix_size;

    snprintf(config->bucket, sizeof config->bucket, "%.*s", (int)bucket_size, place);
    if (bucket_size == 0 || bucket_size >= sizeof config->bucket ||
        config->bucket[strspn(
            config->bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_")] !=
            '\0')
        return eds_error_set(err, EDS_ERR_USAGE,
                             "s3 URL: expected s3://BUCKET/PREFIX with a bucket of at most 63 "
                             "letters, digits, dots and hyphens");
    if (slash == NULL)
        return EDS_OK;
    if (!decode(prefix, sizeof prefix - 1, slash + 1, size - bucket_size - 1))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "s3 URL: the prefix is longer than %u bytes, or has a bad %%-sign",
                             EDS_S3_PREFIX_SIZE - 2);
    prefix_size = strlen(prefix);
    while (prefix_size > 0 && prefix[prefix_size - 1] == '/')
        prefix_size--;
    if (prefix_size > 0)
        snprintf(config->prefix, sizeof config->prefix, "%.*s/", (int)prefix_size, prefix);
    return EDS_OK;
}

int32_t eds_s3_url_parse(struct eds_s3_config *out, const char *url, struct eds_error *err)
{
    const char *place = url + strlen(SCHEME), *at = place + strcspn(place, "?");
    uint32_t seen = 0;
    int32_t rc;

    *out = (struct eds_s3_config){.connections = 32, .attempts = 5, .timeout_s = 30};
    rc = take_place(out, place, (size_t)(at - place), err);
    while (rc == EDS_OK && *at != '\0') {
        size_t size;

        at++; /* past ? or & */
        size = strcspn(at, "&");
        rc = take_parameter(out, at, size, &seen, err);
        at += size;
    }
    return rc == EDS_OK ? complete(out, (seen & 1u << 2) != 0, err) : rc;
}

/* Appends what is to stand in a URL's path as it is. */
static void append_encoded(struct eds_text *text, const char *key)
{
    for (; *key != '\0'; key++) {
        if (isalnum((unsigned char)*key) || strchr("-._~/", *key) != NULL) {
            eds_text_char(text, *key);
        } else {
            char digits[3];

            eds_hex_encode(digits, key, 1);
            eds_text_char(text, '%');
            eds_text_char(text, (char)toupper((unsigned char)digits[0]));
            eds_text_char(text, (char)toupper((unsigned char)digits[1]));
        }
    }
}

int32_t eds_s3_address(char out[EDS_S3_ADDRESS_SIZE], const struct eds_s3_config *config,
                       const struct eds_object_name *name, struct eds_error *err)
{
    const char *host = strstr(config->endpoint, "://") + 3;
    struct eds_text text;

    eds_text_begin(&text, out, EDS_S3_ADDRESS_SIZE);
    eds_text_bytes(&text, config->endpoint, (size_t)(host - config->endpoint));
    if (config->virtual_host) {
        eds_text_string(&text, config->bucket);
        eds_text_char(&text, '.');
    }
    eds_text_string(&text, host);
    eds_text_char(&text, '/');
    if (!config->virtual_host) {
        eds_text_string(&text, config->bucket);
        eds_text_char(&text, '/');
    }
    append_encoded(&text, config->prefix);
    if (config->by_reference && name->object_ref[0] == '\0')
        return eds_error_set(err, EDS_ERR_EXISTS, "an empty reference cannot be a key");
    if (config->by_reference)
        append_encoded(&text, name->object_ref);
    else
        eds_text_hex(&text, name->payload_hash, EDS_HASH_SIZE);
    return EDS_OK;
}
