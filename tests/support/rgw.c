/* rgw.c - see rgw.h. */
#include "support/rgw.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define SUPPORT EDS_TEST_VECTORS "/../support/"

bool rgw_start(struct rgw *rgw)
{
    char line[1024], answer[256] = "";
    FILE *pipe;
    int status;

    temp_dir_make(rgw->directory);
    snprintf(line, sizeof line, SUPPORT "rgw.sh start '%s' %ld", rgw->directory, (long)getpid());
    pipe = popen(line, "r");
    if (pipe == NULL || fgets(answer, sizeof answer, pipe) == NULL)
        answer[0] = '\0';
    status = pipe == NULL ? -1 : pclose(pipe);
    if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("skipped: %s", answer);
        temp_dir_remove(rgw->directory);
        return false;
    }
    rgw->port = atoi(answer);
    if (status != 0 || rgw->port <= 0) {
        fprintf(stderr, "the object gateway did not start\n");
        exit(1);
    }
    setenv("AWS_ACCESS_KEY_ID", RGW_ACCESS, 1);
    setenv("AWS_SECRET_ACCESS_KEY", RGW_SECRET, 1);
    return true;
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
