/* http_script.c - see http_script.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "support/http_script.h"

/* Reads one request; false at the end of the connection. */
static bool read_request(struct http_script *script, int fd)
{
    char buf[262144];
    size_t used = 0, body = 0, wanted = 0;
    char *end = NULL;

    while (end == NULL || body < wanted) {
        ssize_t size = recv(fd, buf + used, sizeof buf - 1 - used, 0);

        if (size <= 0)
            return false;
        used += (size_t)size;
        buf[used] = '\0';
        end = strstr(buf, "\r\n\r\n");
        if (end != NULL) {
            const char *length = strstr(buf, "Content-Length: ");

            wanted = length != NULL ? (size_t)strtoul(length + 16, NULL, 10) : 0;
            body = used - (size_t)(end + 4 - buf);
        }
    }
    snprintf(script->head, sizeof script->head, "%.*s", (int)(end + 4 - buf), buf);
    if (atomic_load(&script->requests) < HTTP_SCRIPT_STEPS)
        snprintf(script->targets[atomic_load(&script->requests)], sizeof script->targets[0], "%.*s",
                 (int)strcspn(buf, "\r"), buf);
    return true;
}

static void serve(struct http_script *script, int fd)
{
    struct timeval patience = {.tv_sec = 5};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    while (read_request(script, fd)) {
        unsigned at = atomic_fetch_add(&script->requests, 1);
        const char *step;

        while (at >= HTTP_SCRIPT_STEPS || script->steps[at] == NULL)
            at--; /* the last one again */
        step = script->steps[at];
        if (strcmp(step, "close") == 0)
            return;
        if (strcmp(step, HTTP_SILENT) == 0) {
            char one;

            (void)!recv(fd, &one, 1, 0);
            return;
        }
        if (send(fd, step, strlen(step), MSG_NOSIGNAL) < 0 ||
            strstr(step, "Content-Length") == NULL)
            return;
    }
}

static void *run_script(void *context)
{
    struct http_script *script = context;

    while (!atomic_load(&script->ended)) {
        struct pollfd fd = {.fd = script->listen_fd, .events = POLLIN};
        int peer = poll(&fd, 1, 20) > 0 ? accept(script->listen_fd, NULL, NULL) : -1;

        if (peer < 0)
            continue;
        atomic_fetch_add(&script->connections, 1);
        serve(script, peer);
        close(peer);
    }
    return NULL;
}

void http_script_start(struct http_script *script)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;

    script->listen_fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(script->listen_fd, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(script->listen_fd, 16), 0);
    getsockname(script->listen_fd, (struct sockaddr *)&address, &size);
    script->port = ntohs(address.sin_port);
    assert_int_equal(pthread_create(&script->thread, NULL, run_script, script), 0);
}

void http_script_stop(struct http_script *script)
{
    atomic_store(&script->ended, true);
    pthread_join(script->thread, NULL);
    close(script->listen_fd);
}
