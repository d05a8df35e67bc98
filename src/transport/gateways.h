/* gateways.h - whose certificate may bring the records of other devices.
 *
 * A gateway is known by a name of its certificate; what it may speak for is
 * listed here, device by device. */
#ifndef EDS_TRANSPORT_GATEWAYS_H
#define EDS_TRANSPORT_GATEWAYS_H

#include <stdbool.h>

#include "edgesentry/error.h"
#include "edgesentry/record.h"

struct eds_gateway_pair {
    char gateway[EDS_DEVICE_ID_SIZE], device_id[EDS_DEVICE_ID_SIZE];
};

struct eds_gateways {
    struct eds_gateway_pair *pairs; /* in order */
    size_t count, room;
};

/* eds_gateways_check reads "GATEWAY=DEVICE,DEVICE" and keeps nothing. */
int32_t eds_gateways_check(const char *text, struct eds_error *err);

/* eds_gateways_add adds what such a text lists.  EDS_OK, EDS_ERR_USAGE,
 * EDS_ERR_NO_MEMORY. */
int32_t eds_gateways_add(struct eds_gateways *gateways, const char *text, struct eds_error *err);

/* eds_gateways_allow says whether a gateway may speak for a device; gateways may
 * be NULL: it may not. */
bool eds_gateways_allow(const struct eds_gateways *gateways, const char *gateway,
                        const char *device_id);

void eds_gateways_free(struct eds_gateways *gateways);

#endif
