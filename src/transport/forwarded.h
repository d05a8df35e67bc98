/* forwarded.h - for whom a proxy says that it speaks, in X-Forwarded-For or Forwarded
 * (RFC 7239).
 *
 * Each proxy appends whom it heard the request from, so the list is read from its end,
 * and only as far as those who wrote it are trusted: what is in front of the first
 * stranger, he may have written himself. */
#ifndef EDS_TRANSPORT_FORWARDED_H
#define EDS_TRANSPORT_FORWARDED_H

#include "ingest/netpolicy.h"

#define EDS_FORWARDED_FIELDS_MAX 8u  /* of one request */
#define EDS_FORWARDED_HOPS_MAX   32u /* in all of them */

enum eds_forwarded_kind {
    EDS_FORWARDED_FOR, /* X-Forwarded-For: ADDRESS, ADDRESS */
    EDS_FORWARDED_RFC, /* Forwarded: for=ADDRESS;proto=https, for=ADDRESS */
};

/* eds_forwarded_source follows the fields' values, in their order in the head.
 *
 *   source   in: who sent the request; out: whom it is from, as far as is known
 *   trusted  proxies; a source that is none of them is not asked further
 *
 * EDS_OK, or EDS_ERR_MALFORMED if a proxy has written what is no address (or a field
 * has too many of them): *source is then unchanged. */
int32_t eds_forwarded_source(struct eds_address *source, const struct eds_netpolicy *trusted,
                             enum eds_forwarded_kind kind, const char *const *values,
                             size_t value_count, struct eds_error *err);

#endif
