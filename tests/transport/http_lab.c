/* http_lab.c - see http_lab.h. */
#include "transport/http_lab.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <setjmp.h> /* for cmocka.h */
#include <stddef.h>
#include <cmocka.h>

#include "base/log.h"

#define LAB_LOG_LEVEL (getenv("EDS_TEST_LOG") != NULL ? EDS_LOG_DEBUG : EDS_LOG_ERROR)

static void forget(struct eds_submission *submission)
{
    (void)submission;
}

void lab_hold(struct http_lab *lab)
{
    lab->plug_entry = (struct eds_entry){.record = {.sequence = 1, .device_id = "plug"}};
    lab->plug = (struct eds_submission){.request = {.entry = &lab->plug_entry, .payload = ""},
                                        .done = forget};
    atomic_store(&lab->ledger.waiting, true);
    eds_ingest_submit(lab->ingest, &lab->plug); /* refused, which is a line to be stored */
    while (!atomic_load(&lab->ledger.held))
        lab_rest(1);
}

void lab_await_queued(struct http_lab *lab, uint64_t count)
{
    struct eds_ingest_counts counts = {.queued = 0};

    for (unsigned ms = 0; counts.queued < count; ms++) {
        assert_true(ms < LAB_PATIENCE_MS);
        lab_rest(1);
        eds_ingest_counts(lab->ingest, &counts);
    }
}

void lab_release(struct http_lab *lab)
{
    atomic_store(&lab->ledger.waiting, false);
}

void lab_start(struct http_lab *lab, const struct eds_http_config *config, const char *allowed)
{
    struct eds_http_config filled = *config;
    struct eds_ingest_config ingest = {.ledger = &lab->ledger.ledger};
    struct eds_error err = {.text = ""};

    memset(lab, 0, sizeof *lab);
    eds_log_configure(LAB_LOG_LEVEL, EDS_LOG_LOGFMT);
    lab_ledger_open(&lab->ledger);
    lab->registry = eds_registry_create();
    assert_non_null(lab->registry);
    ingest.registry = lab->registry;
    ingest.uploaded = config->uploaded;
    assert_int_equal(eds_ingest_start(&lab->ingest, &ingest, &err), EDS_OK);
    if (allowed == NULL)
        allowed = "127.0.0.1";
    assert_int_equal(eds_netpolicy_allow_list(&lab->netpolicy, allowed, &err), EDS_OK);
    filled.netpolicy = &lab->netpolicy;
    filled.ingest = lab->ingest;
    if (filled.address == NULL)
        filled.address = "127.0.0.1:0";
    if (filled.thread_count == 0)
        filled.thread_count = 2;
    if (eds_http_server_start(&lab->server, &filled, &err) != EDS_OK)
        fail_msg("%s", err.text);
    lab->port = eds_http_server_port(lab->server);
}

void lab_stop(struct http_lab *lab)
{
    eds_http_server_stop(lab->server);
    eds_ingest_stop(lab->ingest);
    eds_registry_destroy(lab->registry);
    lab_ledger_close(&lab->ledger);
}

uint64_t lab_head(struct http_lab *lab, const char *device_id)
{
    return lab_ledger_sequence(&lab->ledger, device_id);
}

void lab_device_make(struct lab_device *device, struct http_lab *lab, unsigned number)
{
    lab_device_register(device, lab->registry, number);
}

static void connect_to(struct lab_peer *peer, const void *address, socklen_t address_size)
{
    int on = 1;

    peer->used = 0;
    peer->fd = socket(((const struct sockaddr *)address)->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->fd >= 0);
    assert_int_equal(connect(peer->fd, address, address_size), 0);
    setsockopt(peer->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

void lab_connect(struct lab_peer *peer, const struct http_lab *lab)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)lab->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    connect_to(peer, &address, sizeof address);
}

void lab_connect_from(struct lab_peer *peer, const struct http_lab *lab, const char *address)
{
    struct sockaddr_in theirs = {.sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)lab->port),
                                 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in ours = {.sin_family = AF_INET};

    assert_int_equal(inet_pton(AF_INET, address, &ours.sin_addr), 1);
    peer->used = 0;
    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(peer->fd >= 0);
    assert_int_equal(bind(peer->fd, (struct sockaddr *)&ours, sizeof ours), 0);
    assert_int_equal(connect(peer->fd, (struct sockaddr *)&theirs, sizeof theirs), 0);
}

void lab_connect_ipv6(struct lab_peer *peer, const struct http_lab *lab)
{
    struct sockaddr_in6 address = {.sin6_family = AF_INET6,
                                   .sin6_port = htons((uint16_t)lab->port),
                                   .sin6_addr = IN6ADDR_LOOPBACK_INIT};

    connect_to(peer, &address, sizeof address);
}

void lab_close(struct lab_peer *peer)
{
    close(peer->fd);
    peer->fd = -1;
}

bool lab_send(struct lab_peer *peer, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t sent = send(peer->fd, at, size, MSG_NOSIGNAL);

        if (sent <= 0)
            return false;
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

bool lab_print(struct lab_peer *peer, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    assert_true(size >= 0 && (size_t)size < sizeof text);
    return lab_send(peer, text, (size_t)size);
}

bool lab_post(struct lab_peer *peer, const char *body, size_t body_size)
{
    return lab_print(peer,
                     "POST /api/v1/ingest HTTP/1.1\r\nHost: lab\r\n"
                     "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
                     body_size) &&
           lab_send(peer, body, body_size);
}

/* Reads more; false at the end, on an error, or when nothing comes. */
static bool read_more(struct lab_peer *peer)
{
    struct pollfd fd = {.fd = peer->fd, .events = POLLIN};
    ssize_t size;

    if (peer->used == sizeof peer->buf || poll(&fd, 1, LAB_PATIENCE_MS) <= 0)
        return false;
    size = recv(peer->fd, peer->buf + peer->used, sizeof peer->buf - peer->used, 0);
    if (size <= 0)
        return false;
    peer->used += (size_t)size;
    return true;
}

static void consume(struct lab_peer *peer, size_t size)
{
    memmove(peer->buf, peer->buf + size, peer->used - size);
    peer->used -= size;
}

static size_t body_size_of(const char *head)
{
    for (const char *line = strstr(head, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n"))
        if (strncasecmp(line + 2, "Content-Length:", 15) == 0)
            return (size_t)strtoul(line + 17, NULL, 10);
    return 0;
}

void lab_read(struct lab_peer *peer, struct lab_reply *reply, bool has_body)
{
    const char *end;
    size_t head_size;

    memset(reply, 0, sizeof *reply);
    while ((end = memmem(peer->buf, peer->used, "\r\n\r\n", 4)) == NULL)
        if (!read_more(peer))
            return;
    head_size = (size_t)(end - peer->buf) + 4;
    assert_true(head_size < sizeof reply->head);
    memcpy(reply->head, peer->buf, head_size);
    consume(peer, head_size);
    reply->body_size = has_body ? body_size_of(reply->head) : 0;
    assert_true(reply->body_size < sizeof reply->body);
    while (peer->used < reply->body_size)
        if (!read_more(peer))
            return;
    memcpy(reply->body, peer->buf, reply->body_size);
    consume(peer, reply->body_size);
    if (strncmp(reply->head, "HTTP/1.", 7) == 0)
        reply->status = (unsigned)strtoul(reply->head + 9, NULL, 10);
}

bool lab_closed(struct lab_peer *peer, int timeout_ms)
{
    struct pollfd fd = {.fd = peer->fd, .events = POLLIN};
    char dropped[512];

    while (poll(&fd, 1, timeout_ms) > 0)
        if (recv(peer->fd, dropped, sizeof dropped, 0) <= 0)
            return true;
    return false;
}
