/* notify.c - see notify.h. */
#include "cli/notify.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define LISTEN_FD_FIRST 3 /* SD_LISTEN_FDS_START */
#define US_PER_MS       1000u

static uint64_t number_of(const char *variable)
{
    const char *text = getenv(variable);

    return text != NULL ? strtoull(text, NULL, 10) : 0;
}

void eds_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t size = path != NULL ? strlen(path) : 0;
    int fd;

    if (size < 2 || size >= sizeof address.sun_path || (path[0] != '/' && path[0] != '@'))
        return;
    memcpy(address.sun_path, path, size);
    if (path[0] == '@') /* a name that is no file */
        address.sun_path[0] = '\0';
    fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    /* If it does not arrive, the manager's own time limit says so. */
    (void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                  (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size));
    close(fd);
}

void eds_notify_reloading(void)
{
    struct timespec now;
    char state[64];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
             (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    eds_notify(state);
}

uint64_t eds_notify_watchdog_ms(void)
{
    uint64_t pid = number_of("WATCHDOG_PID");

    return pid == 0 || pid == (uint64_t)getpid() ? number_of("WATCHDOG_USEC") / US_PER_MS : 0;
}

int32_t eds_notify_listen_fd(int *fd, struct eds_error *err)
{
    uint64_t count = number_of("LISTEN_FDS");
    int listening = 0;
    socklen_t size = sizeof listening;

    *fd = 0;
    if (count == 0 || number_of("LISTEN_PID") != (uint64_t)getpid())
        return EDS_OK;
    if (count > 1)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "%" PRIu64 " sockets were handed over, but one is wanted", count);
    if (getsockopt(LISTEN_FD_FIRST, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 ||
        !listening)
        return eds_error_set(err, EDS_ERR_USAGE, "the socket that was handed over does not listen");
    if (fcntl(LISTEN_FD_FIRST, F_SETFD, FD_CLOEXEC) != 0 ||
        fcntl(LISTEN_FD_FIRST, F_SETFL, O_NONBLOCK) != 0)
        return eds_error_set(err, EDS_ERR_IO, "the socket that was handed over is not usable");
    *fd = LISTEN_FD_FIRST;
    return EDS_OK;
}
