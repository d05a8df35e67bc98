/* service.h - a service of its own for a test program, started by a script of this folder. */
#ifndef EDS_TESTS_SUPPORT_SERVICE_H
#define EDS_TESTS_SUPPORT_SERVICE_H

#include "support/temp_dir.h"

/* service_start has `SCRIPT start DIRECTORY PID` start one in a new directory, for no longer
 * than this process lives.  Its port; 0, with the reason on standard output and without the
 * directory, where it is not installed.  Any other failure ends the program. */
int service_start(const char *script, char directory[EDS_TEMP_DIR_SIZE]);

#endif
