/* http_wire.c - see http_wire.h.
 *
 * The library looks for more after a call that filled its buffer, and else waits for
 * the socket to say that more has come (edge-triggered).  So a call here returns less
 * than was asked for only when the socket is drained. */
#include "transport/http_wire.h"

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/features.h"
#if EDS_TRANSPORT_TLS
#include <gnutls/gnutls.h>
#endif

#define EXPORTED __attribute__((visibility("default"), used))

/* Which wire a descriptor is attached to. */
static _Atomic(struct http_wire *) wires[HTTP_WIRE_FD_MAX];

static struct http_wire *wire_of(int fd)
{
    return fd >= 0 && fd < HTTP_WIRE_FD_MAX ? atomic_load_explicit(&wires[fd], memory_order_acquire)
                                            : NULL;
}

bool http_wire_attach(struct http_wire *wire)
{
    if (wire->fd < 0 || wire->fd >= HTTP_WIRE_FD_MAX)
        return false;
    http_filter_init(&wire->filter);
    atomic_store_explicit(&wires[wire->fd], wire, memory_order_release);
    return true;
}

void http_wire_detach(struct http_wire *wire)
{
    if (wire_of(wire->fd) == wire)
        atomic_store_explicit(&wires[wire->fd], NULL, memory_order_release);
    free(wire->held);
    wire->held = NULL;
}

/* What recv would do.  Of the two calls only read counts for ThreadSanitizer as an
 * order between who sent and who receives. */
static ssize_t receive(int fd, void *out, size_t size, int flags)
{
    return flags == 0 ? read(fd, out, size) : recvfrom(fd, out, size, flags, NULL, NULL);
}

/* Reads from where the bytes of HTTP come; the rules of recv. */
typedef ssize_t read_some(void *source, void *out, size_t size);

static ssize_t again(void)
{
    errno = EAGAIN;
    return -1;
}

/* Lets size bytes that came, behind what is held, through the filter, and holds what it
 * does not give on.  False without memory. */
static bool let_through(struct http_wire *wire, const char *bytes, size_t size, char *out,
                        size_t out_size, size_t *written)
{
    size_t used;

    if (wire->held != NULL) {
        memcpy(wire->held + wire->held_size, bytes, size);
        wire->held_size += size;
        *written =
            http_filter_run(&wire->filter, wire->held, wire->held_size, &used, out, out_size);
        wire->held_size -= used;
        memmove(wire->held, wire->held + used, wire->held_size);
    } else {
        *written = http_filter_run(&wire->filter, bytes, size, &used, out, out_size);
        if (used < size) {
            wire->held = malloc(HTTP_FILTER_ROOM);
            if (wire->held == NULL)
                return false;
            wire->held_size = size - used;
            memcpy(wire->held, bytes + used, wire->held_size);
        }
    }
    if (wire->held_size == 0) { /* a silent connection holds no memory */
        free(wire->held);
        wire->held = NULL;
    }
    return true;
}

/* Gives on what is held, and what comes, until out is full or nothing comes; then, and
 * after a fault, which nothing follows, the answer is later.
 *
 *   is_stream  a read that gets less than it asked for has got all there is */
static ssize_t read_filtered(struct http_wire *wire, read_some *read, void *source, char *out,
                             size_t size, bool is_stream, ssize_t later)
{
    char bytes[HTTP_FILTER_ROOM];
    size_t written = 0, count = 0, more, room; /* count: of bytes that came */
    bool is_drained = false;

    for (;;) {
        uint64_t unseen;
        ssize_t got;

        if (!let_through(wire, bytes, count, out + written, size - written, &more)) {
            errno = ENOMEM;
            return -1;
        }
        written += more;
        if (written == size)
            return (ssize_t)written;
        if (is_drained || wire->filter.state == HTTP_FILTER_FAULTY) {
            errno = EAGAIN;
            return written > 0 ? (ssize_t)written : later;
        }
        unseen = wire->held_size == 0 ? http_filter_unseen(&wire->filter) : 0;
        room = unseen > 0 ? size - written : sizeof bytes - wire->held_size;
        if (unseen > 0 && unseen < room)
            room = (size_t)unseen;
        got = read(source, unseen > 0 ? out + written : bytes, room);
        if (got <= 0)
            return written > 0 ? (ssize_t)written : got;
        is_drained = is_stream && (size_t)got < room;
        count = unseen > 0 ? 0 : (size_t)got;
        if (unseen > 0) { /* a body goes straight where it is wanted */
            http_filter_passed(&wire->filter, (size_t)got);
            written += (size_t)got;
        }
    }
}

/* Reads the header of a proxy if there is one.  1: what follows is the peer's;
 * 0: the connection is over; -1: more has to come, or it failed (errno). */
static int read_header(struct http_wire *wire)
{
    char bytes[EDS_PROXY_HEADER_SIZE_MAX];
    ssize_t got = recvfrom(wire->fd, bytes, sizeof bytes, MSG_PEEK, NULL, NULL);
    struct eds_address source;
    size_t used;
    enum eds_proxy_header found;

    if (got <= 0)
        return (int)got;
    found = eds_proxy_header_read(&source, bytes, (size_t)got, &used);
    if (found == EDS_PROXY_PART)
        return (int)again();
    wire->awaits_header = false;
    if (found == EDS_PROXY_MALFORMED)
        wire->is_over = true;
    if (used > 0 && receive(wire->fd, bytes, used, 0) != (ssize_t)used)
        wire->is_over = true;
    if (found == EDS_PROXY_SOURCE && !wire->take_source(wire->context, &source))
        wire->is_over = true;
    return wire->is_over ? 0 : 1;
}

static ssize_t read_socket(void *source, void *out, size_t size)
{
    const struct http_wire *wire = source;

    return receive(wire->fd, out, size, 0);
}

ssize_t http_wire_recv(int fd, void *out, size_t size, int flags) __asm__("recv");

/* recv, for the whole program. */
EXPORTED ssize_t http_wire_recv(int fd, void *out, size_t size, int flags)
{
    struct http_wire *wire = wire_of(fd);

    if (wire == NULL)
        return receive(fd, out, size, flags);
    if (wire->is_over)
        return 0;
    if (wire->awaits_header) {
        int rc = read_header(wire);

        if (rc <= 0)
            return rc;
    }
    return wire->is_tls ? read_socket(wire, out, size)
                        : read_filtered(wire, read_socket, wire, out, size, true, -1);
}

#if EDS_TRANSPORT_TLS

typedef ssize_t read_record(gnutls_session_t session, void *out, size_t size);

static pthread_once_t found_once = PTHREAD_ONCE_INIT;
static read_record *real_record_recv;

static void find_record_recv(void)
{
    void *symbol = dlsym(RTLD_NEXT, "gnutls_record_recv");

    memcpy(&real_record_recv, &symbol, sizeof symbol); /* a function from an object pointer */
}

/* GnuTLS gives its own codes; where the filter is concerned only the one for "later"
 * matters, which comes back as it is. */
static ssize_t read_tls(void *source, void *out, size_t size)
{
    ssize_t got = real_record_recv(source, out, size);

    /* A client of TLS 1.2 wants to negotiate anew, which costs it little and us much.
     * The library closes the connection at any such code; so that the client knows
     * why, it is told before. */
    if (got == GNUTLS_E_REHANDSHAKE)
        (void)gnutls_alert_send(source, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
    return got;
}

ssize_t http_wire_record_recv(gnutls_session_t session, void *out,
                              size_t size) __asm__("gnutls_record_recv");

/* gnutls_record_recv, for the whole program. */
EXPORTED ssize_t http_wire_record_recv(gnutls_session_t session, void *out, size_t size)
{
    struct http_wire *wire = wire_of(gnutls_transport_get_int(session));

    pthread_once(&found_once, find_record_recv);
    if (wire == NULL || !wire->is_tls)
        return real_record_recv(session, out, size);
    return read_filtered(wire, read_tls, session, out, size, false, GNUTLS_E_AGAIN);
}

#endif

int32_t http_wire_check(struct eds_error *err)
{
    void *recv_found = dlsym(RTLD_DEFAULT, "recv");
    ssize_t (*own_recv)(int, void *, size_t, int) = http_wire_recv;
    bool is_ours = memcmp(&recv_found, &own_recv, sizeof recv_found) == 0;

#if EDS_TRANSPORT_TLS
    void *record_found = dlsym(RTLD_DEFAULT, "gnutls_record_recv");
    read_record *own_record = http_wire_record_recv;

    pthread_once(&found_once, find_record_recv);
    is_ours = is_ours && memcmp(&record_found, &own_record, sizeof record_found) == 0 &&
              real_record_recv != NULL;
#endif
    if (is_ours)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_PANIC,
                         "this program is linked so that it cannot look at requests first");
}
