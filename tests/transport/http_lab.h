/* http_lab.h - an ingest server in the test's own process, devices that make
 * records for it, and a client that writes raw bytes to its socket. */
#ifndef EDS_TESTS_TRANSPORT_HTTP_LAB_H
#define EDS_TESTS_TRANSPORT_HTTP_LAB_H

#include <stdbool.h>

#include "ingest/ingest.h"
#include "ingest/netpolicy.h"
#include "transport/http_server.h"
#include "transport/lab.h"

struct http_lab {
    struct lab_ledger ledger;
    struct eds_registry *registry;
    struct eds_ingest *ingest;
    struct eds_netpolicy netpolicy;
    struct eds_http_server *server;
    unsigned port;
    struct eds_entry plug_entry; /* of lab_hold */
    struct eds_submission plug;
};

/* lab_start starts a server with 127.0.0.1 allowed (or `allowed`, if it is not
 * NULL); what config leaves 0 is the server's default, its address and
 * pointers are filled in. */
void lab_start(struct http_lab *lab, const struct eds_http_config *config, const char *allowed);
void lab_stop(struct http_lab *lab);

/* lab_await_queued waits until so many records are with ingest and wait for the store. */
void lab_await_queued(struct http_lab *lab, uint64_t count);

/* lab_hold keeps the store busy with one commit of its own until lab_release;
 * whatever comes meanwhile waits behind it. */
void lab_hold(struct http_lab *lab);
void lab_release(struct http_lab *lab);

/* What the ledger holds of a device. */
uint64_t lab_head(struct http_lab *lab, const char *device_id);

/* lab_device_make makes device number `number` and registers it. */
void lab_device_make(struct lab_device *device, struct http_lab *lab, unsigned number);

struct lab_reply {
    unsigned status; /* 0: the connection ended, or nothing came for 5 s */
    char head[4096];
    char body[8192];
    size_t body_size;
};

/* A connection; what has been read and not yet used stays in buf. */
struct lab_peer {
    int fd;
    char buf[16384];
    size_t used;
};

void lab_connect(struct lab_peer *peer, const struct http_lab *lab);
void lab_connect_ipv6(struct lab_peer *peer, const struct http_lab *lab); /* as ::1 */
void lab_connect_from(struct lab_peer *peer, const struct http_lab *lab, const char *address);
void lab_close(struct lab_peer *peer);

/* lab_send writes all; false if the server closed meanwhile. */
bool lab_send(struct lab_peer *peer, const void *bytes, size_t size);
bool lab_print(struct lab_peer *peer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* lab_post writes a whole request with the usual head. */
bool lab_post(struct lab_peer *peer, const char *body, size_t body_size);

/* lab_read reads one answer; has_body is false for the answer to HEAD. */
void lab_read(struct lab_peer *peer, struct lab_reply *reply, bool has_body);

/* lab_closed says whether the server closed the connection, after at most
 * timeout_ms; bytes that come before are dropped. */
bool lab_closed(struct lab_peer *peer, int timeout_ms);

/* For what is to come: only what hangs takes so long. */
#define LAB_PATIENCE_MS 120000

#define LAB_ACCEPTED "{\"status\":\"accepted\"}"

#endif
