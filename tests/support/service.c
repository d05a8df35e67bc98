/* service.c - see service.h. */
#include "support/service.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

int service_start(const char *script, char directory[EDS_TEMP_DIR_SIZE])
{
    char line[1024], answer[256] = "";
    FILE *pipe;
    int status, port;

    temp_dir_make(directory);
    snprintf(line, sizeof line, "'%s/../support/%s' start '%s' %ld", EDS_TEST_VECTORS, script,
             directory, (long)getpid());
    pipe = popen(line, "r");
    if (pipe == NULL || fgets(answer, sizeof answer, pipe) == NULL)
        answer[0] = '\0';
    status = pipe == NULL ? -1 : pclose(pipe);
    if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("skipped: %s", answer);
        temp_dir_remove(directory);
        return 0;
    }
    port = atoi(answer);
    if (status != 0 || port <= 0) {
        fprintf(stderr, "%s did not start it\n", script);
        exit(1);
    }
    return port;
}
