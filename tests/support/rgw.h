/* rgw.h - an S3 service of its own for a test program.
 *
 * tests/support/rgw.sh and s3.py do the work; a failure of theirs ends the
 * program. */
#ifndef EDS_TESTS_SUPPORT_RGW_H
#define EDS_TESTS_SUPPORT_RGW_H

#include <stdbool.h>
#include <stddef.h>

#include "support/temp_dir.h"

#define RGW_ACCESS "AKEDSTEST"
#define RGW_SECRET "SKEDSTEST/with+odd=signs"

struct rgw {
    char directory[EDS_TEMP_DIR_SIZE];
    int port; /* on 127.0.0.1 */
};

/* rgw_start makes a service and starts it, and sets the environment so that our
 * own client finds its keys.  False, with the reason on standard output, where
 * there is none to be started. */
bool rgw_start(struct rgw *rgw);

/* rgw_do runs a command of rgw.sh: kill, pause, resume, up. */
void rgw_do(const struct rgw *rgw, const char *command);

/* rgw_s3 runs a command of s3.py; its output goes to out, if that is not NULL. */
void rgw_s3(const struct rgw *rgw, char *out, size_t out_size, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* rgw_remove stops the service and removes all that it had. */
void rgw_remove(const struct rgw *rgw);

#endif
