/* proxy_header.h - the header that a proxy puts in front of a connection to say whose
 * it is: the PROXY protocol, version 2 (binary) and 1 (text), as its specification of
 * 2020 has it.
 *
 * Only to be asked for what comes from a proxy that is trusted: anybody can write such
 * a header. */
#ifndef EDS_TRANSPORT_PROXY_HEADER_H
#define EDS_TRANSPORT_PROXY_HEADER_H

#include "ingest/netpolicy.h"

#define EDS_PROXY_HEADER_SIZE_MAX 2048u /* bytes, with what version 2 may carry besides */

enum eds_proxy_header {
    EDS_PROXY_NONE,      /* what comes is no such header */
    EDS_PROXY_PART,      /* more bytes have to come */
    EDS_PROXY_SOURCE,    /* for the address in *source */
    EDS_PROXY_LOCAL,     /* the proxy speaks for itself, or does not know for whom */
    EDS_PROXY_MALFORMED, /* it begins like one and is none */
};

/* eds_proxy_header_read looks at the first bytes of a connection.
 *
 *   used  out: the header's size, for EDS_PROXY_SOURCE and EDS_PROXY_LOCAL
 *
 * An IPv4-mapped address is given as the IPv4 address that it is. */
enum eds_proxy_header eds_proxy_header_read(struct eds_address *source, const void *bytes,
                                            size_t size, size_t *used);

#endif
