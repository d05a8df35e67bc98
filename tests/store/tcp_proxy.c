/* tcp_proxy.c - see tcp_proxy.h.  One thread, a few connections, poll. */
#include "store/tcp_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINK_MAX 16

struct link {
    int client, server; /* -1: closed */
    bool wants_answer;  /* broken as soon as the server says something */
};

struct tcp_proxy {
    int listener, server_port;
    int wake[2]; /* a pipe: closed to stop */
    pthread_t thread;
    pthread_mutex_t lock; /* of what follows, up to broken */
    enum proxy_fault fault;
    char words[64];
    size_t words_size, bytes_left;
    unsigned broken;
    struct link links[LINK_MAX];
};

static void need(bool good, const char *what)
{
    if (!good) {
        perror(what);
        exit(1);
    }
}

static void write_all(int fd, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = send(fd, bytes, size, MSG_NOSIGNAL);

        if (written <= 0)
            return; /* the other side shows as closed in the next poll */
        bytes += written;
        size -= (size_t)written;
    }
}

/* Closes with a reset, as a network that fails does. */
static void reset(int *fd)
{
    struct linger now = {1, 0};

    if (*fd < 0)
        return;
    (void)setsockopt(*fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    close(*fd);
    *fd = -1;
}

static void accept_link(struct tcp_proxy *proxy)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int client = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC);
    struct link *link = NULL;

    for (int i = 0; i < LINK_MAX && link == NULL; i++)
        if (proxy->links[i].client < 0 && proxy->links[i].server < 0)
            link = &proxy->links[i];
    if (client < 0 || link == NULL) {
        reset(&client);
        return;
    }
    address.sin_port = htons((uint16_t)proxy->server_port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *link = (struct link){client, socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), false};
    if (connect(link->server, (struct sockaddr *)&address, sizeof address) != 0) {
        reset(&link->client);
        reset(&link->server);
    }
}

/* Decides about a chunk; called with the lock. */
static enum proxy_fault fault_of(struct tcp_proxy *proxy, const char *bytes, size_t size,
                                 bool from_client)
{
    enum proxy_fault fault = proxy->fault;

    if (fault == PROXY_BYTES && proxy->bytes_left > size) {
        proxy->bytes_left -= size;
        fault = PROXY_NONE;
    } else if (fault != PROXY_NONE && fault != PROXY_BYTES &&
               (!from_client || memmem(bytes, size, proxy->words, proxy->words_size) == NULL)) {
        fault = PROXY_NONE;
    }
    if (fault != PROXY_NONE) {
        proxy->fault = PROXY_NONE;
        proxy->broken++;
    }
    return fault;
}

static void forward(struct tcp_proxy *proxy, struct link *link, bool from_client)
{
    static char bytes[65536]; /* of the one thread of the one proxy */
    int from = from_client ? link->client : link->server;
    int to = from_client ? link->server : link->client;
    ssize_t size = recv(from, bytes, sizeof bytes, 0);
    enum proxy_fault fault;

    if (size <= 0 || (!from_client && link->wants_answer)) {
        reset(&link->client);
        reset(&link->server);
        return;
    }
    pthread_mutex_lock(&proxy->lock);
    fault = fault_of(proxy, bytes, (size_t)size, from_client);
    if (fault == PROXY_BYTES)
        size = (ssize_t)proxy->bytes_left;
    pthread_mutex_unlock(&proxy->lock);
    if (fault != PROXY_BEFORE && fault != PROXY_HOLD && to >= 0)
        write_all(to, bytes, (size_t)size);
    link->wants_answer = fault == PROXY_ANSWER;
    if (fault == PROXY_NONE || fault == PROXY_ANSWER)
        return;
    reset(&link->client);
    if (fault == PROXY_AFTER) /* what was sent is still read */
        shutdown(link->server, SHUT_WR);
    else if (fault != PROXY_HOLD)
        reset(&link->server);
}

static void *serve(void *context)
{
    struct tcp_proxy *proxy = context;
    struct pollfd polled[2 + 2 * LINK_MAX];

    for (;;) {
        polled[0] = (struct pollfd){proxy->wake[0], POLLIN, 0};
        polled[1] = (struct pollfd){proxy->listener, POLLIN, 0};
        for (int i = 0; i < LINK_MAX; i++) {
            polled[2 + 2 * i] = (struct pollfd){proxy->links[i].client, POLLIN, 0};
            polled[3 + 2 * i] = (struct pollfd){proxy->links[i].server, POLLIN, 0};
        }
        need(poll(polled, 2 + 2 * LINK_MAX, -1) > 0, "poll");
        if (polled[0].revents != 0)
            return NULL;
        for (int i = 0; i < LINK_MAX; i++) {
            if (polled[2 + 2 * i].revents != 0 && proxy->links[i].client >= 0)
                forward(proxy, &proxy->links[i], true);
            if (polled[3 + 2 * i].revents != 0 && proxy->links[i].server >= 0)
                forward(proxy, &proxy->links[i], false);
        }
        if (polled[1].revents != 0)
            accept_link(proxy);
    }
}

struct tcp_proxy *tcp_proxy_start(int server_port, int *port)
{
    struct tcp_proxy *proxy = calloc(1, sizeof *proxy);
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;

    need(proxy != NULL, "tcp_proxy");
    proxy->server_port = server_port;
    proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    need(bind(proxy->listener, (struct sockaddr *)&address, size) == 0, "bind");
    need(listen(proxy->listener, 16) == 0, "listen");
    need(getsockname(proxy->listener, (struct sockaddr *)&address, &size) == 0, "getsockname");
    need(pipe2(proxy->wake, O_CLOEXEC) == 0, "pipe");
    *port = ntohs(address.sin_port);
    for (int i = 0; i < LINK_MAX; i++)
        proxy->links[i].client = proxy->links[i].server = -1;
    need(pthread_mutex_init(&proxy->lock, NULL) == 0, "mutex");
    need(pthread_create(&proxy->thread, NULL, serve, proxy) == 0, "thread");
    return proxy;
}

void tcp_proxy_arm(struct tcp_proxy *proxy, enum proxy_fault fault, const void *words,
                   size_t words_size, size_t byte_count)
{
    pthread_mutex_lock(&proxy->lock);
    need(words_size <= sizeof proxy->words, "words");
    proxy->fault = fault;
    if (words_size > 0)
        memcpy(proxy->words, words, words_size);
    proxy->words_size = words_size;
    proxy->bytes_left = byte_count;
    pthread_mutex_unlock(&proxy->lock);
}

unsigned tcp_proxy_broken(struct tcp_proxy *proxy)
{
    unsigned broken;

    pthread_mutex_lock(&proxy->lock);
    broken = proxy->broken;
    pthread_mutex_unlock(&proxy->lock);
    return broken;
}

void tcp_proxy_stop(struct tcp_proxy *proxy)
{
    close(proxy->wake[1]);
    pthread_join(proxy->thread, NULL);
    for (int i = 0; i < LINK_MAX; i++) {
        reset(&proxy->links[i].client);
        reset(&proxy->links[i].server);
    }
    close(proxy->wake[0]);
    close(proxy->listener);
    pthread_mutex_destroy(&proxy->lock);
    free(proxy);
}
