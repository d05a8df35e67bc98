/* mqtt_guard.h - libmosquitto's reading, where a broker can make it abort.
 *
 * libmosquitto 2.0.11, as Debian 12 has it, checks with assert() what comes over
 * the wire: a property that MQTT 5 does not know ends the process, with all that
 * is on its way.  A guarded read comes back from that with MQTT_GUARD_ABORTED.
 * What an abort leaves behind is not to be read or written any more; it may be
 * destroyed.
 *
 * Aborts of our own are not caught: whoever is called back says so. */
#ifndef EDS_TRANSPORT_MQTT_GUARD_H
#define EDS_TRANSPORT_MQTT_GUARD_H

#include <mosquitto.h>

#define MQTT_GUARD_ABORTED (-1000) /* none of libmosquitto's codes */

/* mqtt_guard_begin takes SIGABRT over for the whole process, in which it still
 * ends the process outside of a guarded read; mqtt_guard_end gives it back. */
void mqtt_guard_begin(void);
void mqtt_guard_end(void);

/* mqtt_guard_read is mosquitto_loop_read. */
int mqtt_guard_read(struct mosquitto *mosquitto);

/* mqtt_guard_suspend and mqtt_guard_resume enclose what is called back from a
 * guarded read; outside of one they do nothing. */
void mqtt_guard_suspend(void);
void mqtt_guard_resume(void);

#endif
