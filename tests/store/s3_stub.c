/* s3_stub.c - see s3_stub.h.  A thread for each connection. */
#include "store/s3_stub.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTION_MAX 64

struct stub {
    int listener;
    void (*answer)(void *, const struct stub_request *, char *);
    void *context;
    pthread_t acceptor, threads[CONNECTION_MAX];
    int fds[CONNECTION_MAX];
    int count;
    pthread_mutex_t lock; /* of the answering */
};

struct connection {
    struct stub *stub;
    int fd;
};

static void need(bool good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

const char *stub_header(const struct stub_request *request, const char *name, char out[1024])
{
    size_t name_size = strlen(name);

    for (const char *line = strstr(request->head, "\r\n"); line != NULL && line[2] != '\r';
         line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, name, name_size) != 0 || line[2 + name_size] != ':')
            continue;
        line += 2 + name_size + 1;
        line += strspn(line, " ");
        snprintf(out, 1024, "%.*s", (int)strcspn(line, "\r"), line);
        return out;
    }
    return NULL;
}

/* Reads one request; false at the end of the connection. */
static bool read_request(int fd, struct stub_request *request)
{
    size_t used = 0, wanted;
    char *end = NULL, length[1024];

    memset(request, 0, sizeof *request);
    while (end == NULL) {
        ssize_t got = recv(fd, request->head + used, 1, 0); /* slow, and never too much */

        if (got <= 0 || used + 2 >= sizeof request->head)
            return false;
        used += (size_t)got;
        end = strstr(request->head, "\r\n\r\n");
    }
    wanted = stub_header(request, "content-length", length) != NULL ? strtoul(length, NULL, 10) : 0;
    need(wanted < sizeof request->body, "a body of that size");
    while (request->body_size < wanted) {
        ssize_t got = recv(fd, request->body + request->body_size, wanted - request->body_size, 0);

        if (got <= 0)
            return false;
        request->body_size += (size_t)got;
    }
    return true;
}

static void *serve(void *context)
{
    struct connection connection = *(struct connection *)context;
    struct stub *stub = connection.stub;
    struct stub_request *request = malloc(sizeof *request);
    char *answer = malloc(STUB_TEXT_SIZE);

    free(context);
    need(request != NULL && answer != NULL, "memory");
    while (read_request(connection.fd, request)) {
        answer[0] = '\0';
        pthread_mutex_lock(&stub->lock);
        stub->answer(stub->context, request, answer);
        pthread_mutex_unlock(&stub->lock);
        if (answer[0] == '\0' ||
            send(connection.fd, answer, strlen(answer), MSG_NOSIGNAL) != (ssize_t)strlen(answer) ||
            strstr(answer, "Connection: close") != NULL)
            break;
    }
    shutdown(connection.fd, SHUT_RDWR);
    free(request);
    free(answer);
    return NULL;
}

static void *accept_all(void *context)
{
    struct stub *stub = context;
    int fd;

    while ((fd = accept(stub->listener, NULL, NULL)) >= 0) {
        struct connection *connection = malloc(sizeof *connection);

        need(stub->count < CONNECTION_MAX && connection != NULL, "connections");
        *connection = (struct connection){stub, fd};
        stub->fds[stub->count] = fd;
        need(pthread_create(&stub->threads[stub->count], NULL, serve, connection) == 0, "thread");
        stub->count++;
    }
    return NULL;
}

struct stub *stub_start(int *port,
                        void (*answer)(void *context, const struct stub_request *,
                                       char out[STUB_TEXT_SIZE]),
                        void *context)
{
    struct stub *stub = calloc(1, sizeof *stub);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;

    need(stub != NULL, "memory");
    stub->answer = answer;
    stub->context = context;
    pthread_mutex_init(&stub->lock, NULL);
    stub->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need(bind(stub->listener, (struct sockaddr *)&address, size) == 0, "bind");
    need(listen(stub->listener, 64) == 0, "listen");
    need(getsockname(stub->listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    *port = ntohs(address.sin_port);
    need(pthread_create(&stub->acceptor, NULL, accept_all, stub) == 0, "thread");
    return stub;
}

void stub_stop(struct stub *stub)
{
    shutdown(stub->listener, SHUT_RDWR);
    pthread_join(stub->acceptor, NULL);
    for (int i = 0; i < stub->count; i++) {
        shutdown(stub->fds[i], SHUT_RDWR);
        pthread_join(stub->threads[i], NULL);
        close(stub->fds[i]);
    }
    close(stub->listener);
    pthread_mutex_destroy(&stub->lock);
    free(stub);
}
