/* route.h - what a gateway says of the way that a record has come: its own name, and
 * tags of its site.
 *
 * For people who read logs.  Nothing is decided by it: who may bring whose records is
 * for certificates to say (gateways.h).
 *
 *   gateway  1 to 64 of A-Z a-z 0-9 . _ -
 *   tags     key=value, at most 16 of them separated by commas, 512 bytes in all;
 *            a key is 1 to 32 of a-z 0-9 . _ -, at most once each;
 *            a value is 1 to 128 of A-Z a-z 0-9 . _ - : / @ + */
#ifndef EDS_TRANSPORT_ROUTE_H
#define EDS_TRANSPORT_ROUTE_H

#include <stdbool.h>

#include "edgesentry/error.h"

#define EDS_ROUTE_GATEWAY_FIELD "EdgeSentry-Gateway" /* of an HTTP request's head; */
#define EDS_ROUTE_TAGS_FIELD    "EdgeSentry-Tags"    /* in MQTT 5 user properties */

#define EDS_ROUTE_GATEWAY_SIZE 65u  /* bytes, NUL included */
#define EDS_ROUTE_TAGS_SIZE    513u /* likewise */
#define EDS_ROUTE_TAGS_MAX     16u

struct eds_route {
    char gateway[EDS_ROUTE_GATEWAY_SIZE]; /* "": nobody says */
    char tags[EDS_ROUTE_TAGS_SIZE];
};

/* eds_route_check_gateway and eds_route_check_tags hold a text to the grammar; tags
 * may be one tag, for an option that is given once for each.  EDS_OK or
 * EDS_ERR_USAGE. */
int32_t eds_route_check_gateway(const char *text, struct eds_error *err);
int32_t eds_route_check_tags(const char *text, struct eds_error *err);

/* eds_route_add_tags adds tags to those of a route.  EDS_OK, or EDS_ERR_USAGE and the
 * route as it was. */
int32_t eds_route_add_tags(struct eds_route *route, const char *tags, struct eds_error *err);

/* eds_route_take fills a route from what a request says, either of which may be NULL.
 * What is not of the grammar is left out. */
void eds_route_take(struct eds_route *route, const char *gateway, const char *tags);

#endif
