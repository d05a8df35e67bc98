/* writer.h - devices as a file has them; what is written is read again as the same
 * (fleet/reader.h). */
#ifndef EDS_FLEET_WRITER_H
#define EDS_FLEET_WRITER_H

#include "fleet/reader.h"

/* Bytes that hold any device's text in any form, and a NUL. */
#define EDS_FLEET_WRITE_MAX 65536u

/* eds_fleet_head is what a file begins with, eds_fleet_tail what it ends with. */
const char *eds_fleet_head(enum eds_fleet_format format);
const char *eds_fleet_tail(enum eds_fleet_format format, uint64_t count);

/* eds_fleet_write writes a device as the file's next one; index counts from 0.
 * Returns the length without the NUL, or 0 for texts that are not UTF-8. */
size_t eds_fleet_write(char out[EDS_FLEET_WRITE_MAX], enum eds_fleet_format format, uint64_t index,
                       const struct eds_enrolment *it);

#endif
