/* socket_address.h - "127.0.0.1:8080", "[::]:8080": an address and a port.
 *
 * Read as Rust's SocketAddr::from_str reads them: no names, no missing port,
 * brackets around IPv6 and only there. */
#ifndef EDS_TRANSPORT_SOCKET_ADDRESS_H
#define EDS_TRANSPORT_SOCKET_ADDRESS_H

#include <sys/socket.h>

#include "ingest/netpolicy.h"

/* "[", an address, "%4294967295", "]:65535" and a NUL. */
#define EDS_SOCKET_ADDRESS_TEXT_SIZE (EDS_ADDRESS_TEXT_SIZE + 20u) /* bytes */

struct eds_socket_address {
    struct sockaddr_storage storage;
    socklen_t size; /* bytes of storage in use */
};

/* eds_socket_address_parse reads a NUL-terminated text.  EDS_OK, or
 * EDS_ERR_USAGE ("invalid socket address syntax", the original's words). */
int32_t eds_socket_address_parse(struct eds_socket_address *out, const char *text,
                                 struct eds_error *err);

/* eds_socket_address_text writes the spelling that eds_socket_address_parse
 * reads; "unknown" for what is neither IPv4 nor IPv6. */
void eds_socket_address_text(char out[EDS_SOCKET_ADDRESS_TEXT_SIZE],
                             const struct eds_socket_address *address);

/* eds_socket_address_peer takes the IP address out of a sockaddr, an
 * IPv4-mapped one as the IPv4 address that it is.  False if it holds neither
 * IPv4 nor IPv6. */
bool eds_socket_address_peer(struct eds_address *out, const struct sockaddr *address);

/* eds_socket_address_port tells the port. */
unsigned eds_socket_address_port(const struct eds_socket_address *address);

#endif
