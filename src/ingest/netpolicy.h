/* netpolicy.h - which addresses may send at all: deny by default.
 *
 * Rules only ever add.  Addresses are read as Rust's IpAddr::from_str reads
 * them (no leading zeros, no zone).  A peer with an IPv4-mapped IPv6 address
 * (::ffff:10.0.0.1) is judged, and named, as the IPv4 address that it is. */
#ifndef EDS_INGEST_NETPOLICY_H
#define EDS_INGEST_NETPOLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

#define EDS_ADDRESS_TEXT_SIZE 48u /* bytes, NUL included */

struct eds_address {
    bool is_v6;
    uint8_t bytes[16]; /* the first 4 for IPv4 */
};

struct eds_network {
    struct eds_address address;
    unsigned prefix_size; /* bits */
};

#define EDS_NETWORKS_MAX 256u

struct eds_netpolicy {
    struct eds_network networks[EDS_NETWORKS_MAX];
    unsigned network_count;
};

/* eds_address_parse reads one address, not terminated.  EDS_OK or
 * EDS_ERR_MALFORMED ("invalid IP 'abc': invalid IP address syntax"). */
int32_t eds_address_parse(struct eds_address *out, const char *text, size_t size,
                          struct eds_error *err);

/* eds_address_unmap turns an IPv4-mapped IPv6 address into IPv4. */
void eds_address_unmap(struct eds_address *address);

/* eds_address_text writes the usual spelling (RFC 5952). */
void eds_address_text(char out[EDS_ADDRESS_TEXT_SIZE], const struct eds_address *address);

/* eds_netpolicy_allow adds one "10.1.2.3", "10.0.0.0/8" or "fd00::/8".  EDS_OK,
 * EDS_ERR_MALFORMED ("invalid CIDR '10.0.0.0/99': expected <addr>/<prefix_len>")
 * or EDS_ERR_TOO_LARGE. */
int32_t eds_netpolicy_allow(struct eds_netpolicy *policy, const char *text, size_t size,
                            struct eds_error *err);

/* eds_netpolicy_allow_list adds a comma-separated list; an empty item is an
 * error, as an empty list is. */
int32_t eds_netpolicy_allow_list(struct eds_netpolicy *policy, const char *list,
                                 struct eds_error *err);

/* eds_netpolicy_check decides.  EDS_OK, or EDS_ERR_NOT_FOUND with
 * "source 10.1.2.3 is not in the allowlist". */
int32_t eds_netpolicy_check(const struct eds_netpolicy *policy, const struct eds_address *source,
                            struct eds_error *err);

#endif
