/* http_head.c - see http_head.h. */
#include "transport/http_head.h"

#include <string.h>
#include <strings.h>

#include "transport/route.h"

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static size_t token_size(const char *text)
{
    size_t size = 0;

    while (is_token_char(text[size]))
        size++;
    return size;
}

static void take_length(struct eds_http_head *head, const char *value)
{
    uint64_t length = 0;

    head->content_length_count++;
    if (*value == '\0')
        head->malformed = true;
    for (; *value != '\0'; value++) {
        if (*value < '0' || *value > '9' || length > (UINT64_MAX - 9) / 10) {
            head->malformed = true;
            return;
        }
        length = length * 10 + (uint64_t)(*value - '0');
    }
    head->content_length = length;
}

static bool has_control(const char *value)
{
    for (; *value != '\0'; value++)
        if (((uint8_t)*value < ' ' && *value != '\t') || *value == 0x7f)
            return true;
    return false;
}

/* A field of ours that says who: two of them could be read one way and the other. */
static void take_once(struct eds_http_head *head, const char **field, const char *value)
{
    if (*field != NULL)
        head->malformed = true;
    *field = value;
}

void eds_http_head_take(struct eds_http_head *head, const char *name, const char *value)
{
    if (*name == '\0' || name[token_size(name)] != '\0' || has_control(value)) {
        head->malformed = true;
    } else if (strcasecmp(name, "Content-Length") == 0) {
        take_length(head, value);
    } else if (strcasecmp(name, "Transfer-Encoding") == 0) {
        head->transfer_encoding_count++;
        if (strcasecmp(value, "chunked") != 0)
            head->malformed = true;
    } else if (strcasecmp(name, "Content-Type") == 0) {
        if (head->content_type == NULL)
            head->content_type = value;
    } else if (strcasecmp(name, "Host") == 0) {
        head->host_count++;
    } else if (strcasecmp(name, "traceparent") == 0) {
        head->traceparent = head->traceparent_count++ == 0 ? value : NULL;
    } else if (head->forwarded_by != NULL && strcasecmp(name, head->forwarded_by) == 0) {
        if (head->forwarded_count == EDS_FORWARDED_FIELDS_MAX)
            head->malformed = true;
        else
            head->forwarded[head->forwarded_count++] = value;
    } else if (strcasecmp(name, "EdgeSentry-Device") == 0) {
        take_once(head, &head->device, value);
    } else if (strcasecmp(name, "EdgeSentry-Signature") == 0) {
        take_once(head, &head->signature, value);
    } else if (strcasecmp(name, EDS_ROUTE_GATEWAY_FIELD) == 0) {
        head->gateway = head->gateway == NULL ? value : "";
    } else if (strcasecmp(name, EDS_ROUTE_TAGS_FIELD) == 0) {
        head->tags = head->tags == NULL ? value : "";
    } else if (strcasecmp(name, "Expect") == 0) {
        head->expects_continue = true;
    }
}

const char *eds_http_head_fault(const struct eds_http_head *head, bool is_http_1_0)
{
    if (head->malformed || head->content_length_count + head->transfer_encoding_count > 1 ||
        (is_http_1_0 && head->transfer_encoding_count > 0)) /* HTTP/1.0 has no chunks */
        return "ambiguous message framing";
    if (head->host_count > 1 || (head->host_count == 0 && !is_http_1_0))
        return "one Host field is required";
    return NULL;
}

/* The subtype of application/SUBTYPE, and its size; NULL if it is another type or
 * has something odd behind it. */
static const char *application_subtype(const char *content_type, size_t *size)
{
    static const char prefix[] = "application/";
    const char *subtype, *rest;

    content_type += strspn(content_type, " \t");
    if (strncasecmp(content_type, prefix, strlen(prefix)) != 0)
        return NULL;
    subtype = content_type + strlen(prefix);
    *size = token_size(subtype);
    rest = subtype + *size + strspn(subtype + *size, " \t");
    return *rest == '\0' || *rest == ';' ? subtype : NULL;
}

static bool is_subtype(const char *content_type, const char *wanted)
{
    size_t size;
    const char *subtype = application_subtype(content_type, &size);

    return subtype != NULL && size == strlen(wanted) && strncasecmp(subtype, wanted, size) == 0;
}

bool eds_http_is_json(const char *content_type)
{
    size_t size;
    const char *subtype = application_subtype(content_type, &size);

    return subtype != NULL && ((size == 4 && strncasecmp(subtype, "json", 4) == 0) ||
                               (size > 5 && strncasecmp(subtype + size - 5, "+json", 5) == 0));
}

bool eds_http_is_ndjson(const char *content_type)
{
    return is_subtype(content_type, "x-ndjson") || is_subtype(content_type, "ndjson");
}

bool eds_http_is_bytes(const char *content_type)
{
    return is_subtype(content_type, "octet-stream");
}
