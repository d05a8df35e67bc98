/* forwarded.c - see forwarded.h. */
#include "transport/forwarded.h"

#include <string.h>
#include <strings.h>

/* A piece of a value. */
struct piece {
    const char *text;
    size_t size;
};

static struct piece trim(struct piece piece)
{
    while (piece.size > 0 && (*piece.text == ' ' || *piece.text == '\t')) {
        piece.text++;
        piece.size--;
    }
    while (piece.size > 0 &&
           (piece.text[piece.size - 1] == ' ' || piece.text[piece.size - 1] == '\t'))
        piece.size--;
    return piece;
}

/* Cuts the first piece off, up to a separator outside of quotes; false at the end. */
static bool next_piece(struct piece *rest, char separator, struct piece *out)
{
    bool quoted = false;
    size_t at = 0;

    if (rest->text == NULL)
        return false;
    for (; at < rest->size && (quoted || rest->text[at] != separator); at++)
        quoted = quoted != (rest->text[at] == '"');
    *out = trim((struct piece){rest->text, at});
    if (at < rest->size)
        *rest = (struct piece){rest->text + at + 1, rest->size - at - 1};
    else
        rest->text = NULL;
    return true;
}

/* Finds what an element says with for=, without quotes; false if it does not, or
 * does so twice. */
static bool find_for(struct piece element, struct piece *out)
{
    struct piece pair;
    unsigned count = 0;

    while (next_piece(&element, ';', &pair)) {
        if (pair.size < 4 || strncasecmp(pair.text, "for=", 4) != 0)
            continue;
        *out = (struct piece){pair.text + 4, pair.size - 4};
        count++;
    }
    if (count != 1)
        return false;
    if (out->size >= 2 && out->text[0] == '"' && out->text[out->size - 1] == '"')
        *out = (struct piece){out->text + 1, out->size - 2};
    return true;
}

static bool is_port(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (text[i] < '0' || text[i] > '9')
            return false;
    return size > 0 && size <= 5;
}

/* "10.0.0.1", "10.0.0.1:80", "[fd00::1]", "[fd00::1]:80" or, in X-Forwarded-For alone,
 * "fd00::1". */
static bool read_node(struct eds_address *out, struct piece node, enum eds_forwarded_kind kind)
{
    const char *close =
        node.size > 0 && *node.text == '[' ? memchr(node.text, ']', node.size) : NULL;
    const char *end = node.text + node.size, *port = close != NULL ? close + 1 : NULL;
    struct piece address = node;

    if (close != NULL) {
        address = (struct piece){node.text + 1, (size_t)(close - node.text - 1)};
    } else {
        const char *colon = memchr(node.text, ':', node.size);

        if (colon != NULL && memchr(colon + 1, ':', (size_t)(end - colon - 1)) == NULL) {
            address.size = (size_t)(colon - node.text);
            port = colon;
        } else if (colon != NULL && kind == EDS_FORWARDED_RFC) {
            return false;
        }
    }
    if (port != NULL && port < end &&
        (*port != ':' || !is_port(port + 1, (size_t)(end - port - 1))))
        return false;
    if (eds_address_parse(out, address.text, address.size, NULL) != EDS_OK ||
        (close != NULL && !out->is_v6))
        return false;
    eds_address_unmap(out);
    return true;
}

static bool read_element(struct eds_address *out, struct piece element,
                         enum eds_forwarded_kind kind)
{
    struct piece node = element;

    return (kind == EDS_FORWARDED_FOR || find_for(element, &node)) && read_node(out, node, kind);
}

int32_t eds_forwarded_source(struct eds_address *source, const struct eds_netpolicy *trusted,
                             enum eds_forwarded_kind kind, const char *const *values,
                             size_t value_count, struct eds_error *err)
{
    const char *name = kind == EDS_FORWARDED_FOR ? "X-Forwarded-For" : "Forwarded";
    struct piece elements[EDS_FORWARDED_HOPS_MAX];
    struct eds_address address = *source;
    size_t count = 0;

    for (size_t i = 0; i < value_count; i++) {
        struct piece rest = {values[i], strlen(values[i])}, element;

        while (next_piece(&rest, ',', &element)) {
            if (count == EDS_FORWARDED_HOPS_MAX)
                return eds_error_set(err, EDS_ERR_MALFORMED, "%s names more than %u addresses",
                                     name, EDS_FORWARDED_HOPS_MAX);
            elements[count++] = element;
        }
    }
    while (count > 0 && eds_netpolicy_check(trusted, &address, NULL) == EDS_OK)
        if (!read_element(&address, elements[--count], kind))
            return eds_error_set(err, EDS_ERR_MALFORMED, "%s has no address from its proxy", name);
    *source = address;
    return EDS_OK;
}
