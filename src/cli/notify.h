/* notify.h - a server and the service manager that started it (systemd's
 * sd_notify and socket activation; nothing happens under another one).
 *
 * The protocol is a datagram of a line or two, so no library is linked for it. */
#ifndef EDS_CLI_NOTIFY_H
#define EDS_CLI_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#include "edgesentry/error.h"

/* eds_notify sends a state: "READY=1", "STOPPING=1", "WATCHDOG=1". */
void eds_notify(const char *state);

/* eds_notify_reloading says that a reload begins; READY=1 ends it. */
void eds_notify_reloading(void);

/* eds_notify_watchdog_ms tells how often WATCHDOG=1 is waited for; 0: never. */
uint64_t eds_notify_watchdog_ms(void);

/* eds_notify_listen_fd gives the listening socket that the manager handed over, or
 * 0 if it did not.  EDS_OK, or EDS_ERR_USAGE for more than one, or none that
 * listens. */
int32_t eds_notify_listen_fd(int *fd, struct eds_error *err);

#endif
