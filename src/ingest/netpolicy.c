/* netpolicy.c - see netpolicy.h.
 *
 * Rules and sources are both brought to one form before they meet: what is
 * IPv4 inside ::ffff:0:0/96 becomes IPv4.  So a rule holds whether the socket
 * was dual-stack or not, and ::/0 means "all of IPv6" and not IPv4 besides. */
#include "ingest/netpolicy.h"

#include <string.h>

#include "base/utf8.h"

#define MAPPED_PREFIX_SIZE 96u /* bits of ::ffff:0:0 */

static unsigned address_size(const struct eds_address *address)
{
    return address->is_v6 ? 128 : 32; /* bits */
}

/* Digits only: neither a sign nor a leading zero, which others read as octal. */
static bool parse_prefix_size(unsigned *out, const char *text, size_t size)
{
    unsigned value = 0;

    if (size == 0 || size > 3 || (size > 1 && text[0] == '0'))
        return false;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    *out = value;
    return true;
}

static void unmap_network(struct eds_network *network)
{
    if (network->prefix_size < MAPPED_PREFIX_SIZE)
        return;
    if (!network->address.is_v6)
        return;
    eds_address_unmap(&network->address);
    if (!network->address.is_v6)
        network->prefix_size -= MAPPED_PREFIX_SIZE;
}

static int32_t parse_network(struct eds_network *out, const char *text, size_t size,
                             struct eds_error *err)
{
    const char *slash = memchr(text, '/', size);
    size_t address_text_size = slash == NULL ? size : (size_t)(slash - text);

    if (slash == NULL) {
        int32_t rc = eds_address_parse(&out->address, text, size, err);

        if (rc != EDS_OK)
            return rc;
        out->prefix_size = address_size(&out->address);
    } else if (eds_address_parse(&out->address, text, address_text_size, NULL) != EDS_OK ||
               !parse_prefix_size(&out->prefix_size, slash + 1, size - address_text_size - 1) ||
               out->prefix_size > address_size(&out->address)) {
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "invalid CIDR '%.*s': expected <addr>/<prefix_len>",
                             (int)eds_utf8_valid_size(text, size > 256 ? 256 : size), text);
    }
    unmap_network(out);
    return EDS_OK;
}

int32_t eds_netpolicy_allow(struct eds_netpolicy *policy, const char *text, size_t size,
                            struct eds_error *err)
{
    struct eds_network network;
    int32_t rc = parse_network(&network, text, size, err);

    if (rc != EDS_OK)
        return rc;
    if (policy->network_count == EDS_NETWORKS_MAX)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "more than %u allowed sources",
                             EDS_NETWORKS_MAX);
    policy->networks[policy->network_count++] = network;
    return EDS_OK;
}

int32_t eds_netpolicy_allow_list(struct eds_netpolicy *policy, const char *list,
                                 struct eds_error *err)
{
    unsigned count_before = policy->network_count;

    for (;;) {
        size_t size = strcspn(list, ",");
        int32_t rc = eds_netpolicy_allow(policy, list, size, err);

        if (rc != EDS_OK) {
            policy->network_count = count_before; /* a list is taken whole or not at all */
            return rc;
        }
        if (list[size] == '\0')
            return EDS_OK;
        list += size + 1;
    }
}

static bool contains(const struct eds_network *network, const struct eds_address *address)
{
    unsigned whole = network->prefix_size / 8, rest = network->prefix_size % 8;
    const uint8_t *a = network->address.bytes, *b = address->bytes;

    if (network->address.is_v6 != address->is_v6 || memcmp(a, b, whole) != 0)
        return false;
    return rest == 0 || (a[whole] ^ b[whole]) >> (8 - rest) == 0;
}

int32_t eds_netpolicy_check(const struct eds_netpolicy *policy, const struct eds_address *source,
                            struct eds_error *err)
{
    struct eds_address address = *source;
    char text[EDS_ADDRESS_TEXT_SIZE];

    eds_address_unmap(&address);
    for (unsigned i = 0; i < policy->network_count; i++)
        if (contains(&policy->networks[i], &address))
            return EDS_OK;
    eds_address_text(text, &address);
    return eds_error_set(err, EDS_ERR_NOT_FOUND, "source %s is not in the allowlist", text);
}
