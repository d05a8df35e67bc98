/* port.h - the two things that base and core ask of the world.
 *
 * port_posix.c answers on a system with an OS; a firmware build leaves that
 * file out and defines these two functions itself. */
#ifndef EDS_BASE_PORT_H
#define EDS_BASE_PORT_H

#include <stddef.h>
#include <stdint.h>

/* eds_port_random fills out with bytes fit for keys.  0, or -1 if there are
 * none to be had. */
int eds_port_random(void *out, size_t size);

/* eds_port_time_ms tells the Unix time in milliseconds. */
uint64_t eds_port_time_ms(void);

#endif
