/* socket_address.c - see socket_address.h. */
#include "transport/socket_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/text.h"

/* Reads digits up to end as a number of at most max; any number of leading
 * zeros, as in Rust. */
static bool read_number(const char *text, const char *end, uint32_t max, uint32_t *out)
{
    uint64_t number = 0;

    if (text == end)
        return false;
    for (; text < end; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (uint64_t)(*text - '0');
        if (number > max)
            return false;
    }
    *out = (uint32_t)number;
    return true;
}

static bool parse_v4(struct eds_socket_address *out, const char *text)
{
    const char *colon = strchr(text, ':');
    struct sockaddr_in *v4 = (struct sockaddr_in *)&out->storage;
    struct eds_address address;
    uint32_t port;

    if (colon == NULL || !read_number(colon + 1, colon + strlen(colon), UINT16_MAX, &port) ||
        eds_address_parse(&address, text, (size_t)(colon - text), NULL) != EDS_OK || address.is_v6)
        return false;
    v4->sin_family = AF_INET;
    v4->sin_port = htons((uint16_t)port);
    memcpy(&v4->sin_addr, address.bytes, 4);
    out->size = sizeof *v4;
    return true;
}

static bool parse_v6(struct eds_socket_address *out, const char *text)
{
    const char *close = strchr(text, ']');
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out->storage;
    struct eds_address address;
    uint32_t port, scope = 0;
    const char *end, *percent;

    if (close == NULL || close[1] != ':' ||
        !read_number(close + 2, close + strlen(close), UINT16_MAX, &port))
        return false;
    percent = memchr(text, '%', (size_t)(close - text));
    end = percent != NULL ? percent : close;
    if (percent != NULL && !read_number(percent + 1, close, UINT32_MAX, &scope))
        return false;
    if (eds_address_parse(&address, text + 1, (size_t)(end - text - 1), NULL) != EDS_OK ||
        !address.is_v6)
        return false;
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons((uint16_t)port);
    v6->sin6_scope_id = scope;
    memcpy(&v6->sin6_addr, address.bytes, 16);
    out->size = sizeof *v6;
    return true;
}

int32_t eds_socket_address_parse(struct eds_socket_address *out, const char *text,
                                 struct eds_error *err)
{
    struct eds_socket_address parsed = {.size = 0};

    if (!(text[0] == '[' ? parse_v6(&parsed, text) : parse_v4(&parsed, text)))
        return eds_error_set(err, EDS_ERR_USAGE, "invalid socket address syntax");
    *out = parsed;
    return EDS_OK;
}

bool eds_socket_address_peer(struct eds_address *out, const struct sockaddr *address)
{
    memset(out, 0, sizeof *out);
    if (address->sa_family == AF_INET) {
        memcpy(out->bytes, &((const struct sockaddr_in *)(const void *)address)->sin_addr, 4);
        return true;
    }
    if (address->sa_family == AF_INET6) {
        out->is_v6 = true;
        memcpy(out->bytes, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, 16);
        eds_address_unmap(out);
        return true;
    }
    return false;
}

unsigned eds_socket_address_port(const struct eds_socket_address *address)
{
    if (address->storage.ss_family == AF_INET6)
        return ntohs(((const struct sockaddr_in6 *)&address->storage)->sin6_port);
    return ntohs(((const struct sockaddr_in *)&address->storage)->sin_port);
}

void eds_socket_address_text(char out[EDS_SOCKET_ADDRESS_TEXT_SIZE],
                             const struct eds_socket_address *address)
{
    bool is_v6 = address->storage.ss_family == AF_INET6;
    struct eds_address ip = {.is_v6 = is_v6};
    char ip_text[EDS_ADDRESS_TEXT_SIZE];
    struct eds_text text;

    eds_text_begin(&text, out, EDS_SOCKET_ADDRESS_TEXT_SIZE);
    if (!is_v6 && address->storage.ss_family != AF_INET) {
        eds_text_string(&text, "unknown");
        return;
    }
    if (is_v6) /* as it was given: [::ffff:127.0.0.1] is not 127.0.0.1 to listen on */
        memcpy(ip.bytes, &((const struct sockaddr_in6 *)&address->storage)->sin6_addr, 16);
    else
        memcpy(ip.bytes, &((const struct sockaddr_in *)&address->storage)->sin_addr, 4);
    eds_address_text(ip_text, &ip);
    eds_text_string(&text, is_v6 ? "[" : "");
    eds_text_string(&text, ip_text);
    if (is_v6 && ((const struct sockaddr_in6 *)&address->storage)->sin6_scope_id != 0) {
        eds_text_char(&text, '%');
        eds_text_u64(&text, ((const struct sockaddr_in6 *)&address->storage)->sin6_scope_id);
    }
    eds_text_string(&text, is_v6 ? "]:" : ":");
    eds_text_u64(&text, eds_socket_address_port(address));
}
