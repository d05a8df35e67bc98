/* diag_server.c - see diag_server.h.  HTTP/1.0: the answer ends with the connection. */
#include "cli/diag_server.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "transport/socket_address.h"

#define ANSWER_MAX ((size_t)1 << 20) /* bytes */
#define WAIT_S     5

static int open_connection(const struct eds_socket_address *address)
{
    const struct timeval wait = {.tv_sec = WAIT_S};
    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait) == 0 &&
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait) == 0 &&
        connect(fd, (const struct sockaddr *)&address->storage, address->size) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Asks and reads the whole answer; its size, or -1 and errno. */
static ptrdiff_t ask(const struct eds_socket_address *address, const char *path, char *out)
{
    char request[128];
    int size =
        snprintf(request, sizeof request, "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n", path);
    int fd = open_connection(address);
    ptrdiff_t used = 0, got = 1;

    if (fd < 0)
        return -1;
    if (send(fd, request, (size_t)size, MSG_NOSIGNAL) != size)
        got = -1;
    while (got > 0 && (size_t)used < ANSWER_MAX) {
        got = recv(fd, out + used, ANSWER_MAX - (size_t)used, 0);
        used += got > 0 ? got : 0;
    }
    close(fd);
    out[used] = '\0';
    return got < 0 ? -1 : used;
}

static void print_answer(const struct eds_socket_address *address, const char *path)
{
    char *answer = malloc(ANSWER_MAX + 1), *body;

    printf("\n[%s]\n", path + 1);
    if (answer == NULL || ask(address, path, answer) < 0) {
        printf("no-answer = %s\n", strerror(answer == NULL ? ENOMEM : errno));
    } else if ((body = strstr(answer, "\r\n\r\n")) == NULL) {
        puts("no-answer = not HTTP");
    } else {
        printf("# %.*s\n%s", (int)strcspn(answer, "\r\n"), answer, body + 4);
        if (body[4] != '\0' && body[strlen(body) - 1] != '\n')
            putchar('\n');
    }
    free(answer);
}

void eds_diag_server_print(const char *address)
{
    struct eds_socket_address parsed;
    struct eds_error err;

    printf("\n[server]\nadmin-addr = %s\n", address);
    if (strcmp(address, "off") == 0)
        return;
    if (eds_socket_address_parse(&parsed, address, &err) != EDS_OK) {
        printf("no-answer = %s\n", err.text);
        return;
    }
    print_answer(&parsed, "/readyz");
    print_answer(&parsed, "/metrics");
}
