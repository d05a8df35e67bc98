/* gateway_devices.h - the devices that a gateway verifies early: those of --device,
 * and of a file that "device export" has written where the server is. */
#ifndef EDS_CLI_GATEWAY_DEVICES_H
#define EDS_CLI_GATEWAY_DEVICES_H

#include "cli/args.h"
#include "registry/registry.h"

/* Zeroed at first. */
struct eds_gateway_devices {
    struct eds_registry *registry; /* the caller's */
    const char *path;              /* NULL: there is no file */
    int64_t changed_ns;            /* when the file was, as it was read last */
    char **ids;                    /* of the devices in it, in order */
    size_t id_count;
};

/* eds_gateway_devices_open reads the file into a registry.  EDS_OK; the errors of
 * reading it; EDS_ERR_MALFORMED ("FILE: line 3: ...") for a file with a fault.
 *
 *   path, registry  outlive it */
int32_t eds_gateway_devices_open(struct eds_gateway_devices *devices, const char *path,
                                 struct eds_registry *registry, struct eds_error *err);

/* eds_gateway_devices_reload reads the file again if that is asked for, or if it has
 * changed, and says so in the log.  A device that is no longer in it is retired; a
 * file with a fault changes nothing, nor does one without devices. */
void eds_gateway_devices_reload(struct eds_gateway_devices *devices, bool asked);

void eds_gateway_devices_close(struct eds_gateway_devices *devices);

#endif
