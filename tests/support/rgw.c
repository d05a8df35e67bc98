/* rgw.c - see rgw.h. */
#include "support/rgw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/service.h"

#define SUPPORT EDS_TEST_VECTORS "/../support/"

bool rgw_start(struct rgw *rgw)
{
    rgw->port = service_start("rgw.sh", rgw->directory);
    setenv("AWS_ACCESS_KEY_ID", RGW_ACCESS, 1);
    setenv("AWS_SECRET_ACCESS_KEY", RGW_SECRET, 1);
    return rgw->port > 0;
}

static void need(int status, const char *line)
{
    if (status != 0) {
        fprintf(stderr, "failed: %s\n", line);
        exit(1);
    }
}

void rgw_do(const struct rgw *rgw, const char *command)
{
    char line[1024];

    snprintf(line, sizeof line, SUPPORT "rgw.sh %s '%s'", command, rgw->directory);
    need(system(line), line);
}

void rgw_s3(const struct rgw *rgw, char *out, size_t out_size, const char *format, ...)
{
    char line[2048];
    va_list arguments;
    size_t used;
    FILE *pipe;

    used = (size_t)snprintf(line, sizeof line, SUPPORT "s3.py %d ", rgw->port);
    va_start(arguments, format);
    vsnprintf(line + used, sizeof line - used, format, arguments);
    va_end(arguments);
    pipe = popen(line, "r");
    used = pipe != NULL && out != NULL ? fread(out, 1, out_size - 1, pipe) : 0;
    if (out != NULL)
        out[used] = '\0';
    need(pipe != NULL ? pclose(pipe) : 1, line);
}

void rgw_remove(const struct rgw *rgw)
{
    rgw_do(rgw, "remove");
}
