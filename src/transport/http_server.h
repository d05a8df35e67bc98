/* http_server.h - POST /api/v1/ingest over HTTP, on libmicrohttpd.
 *
 * Knows addresses, bodies, limits and status codes; what is in a body is the
 * codec's, whether it is good is ingest's.  docs/SPEC.md has the answers. */
#ifndef EDS_TRANSPORT_HTTP_SERVER_H
#define EDS_TRANSPORT_HTTP_SERVER_H

#include "ingest/ingest.h"
#include "ingest/netpolicy.h"
#include "store/objects.h"
#include "transport/forwarded.h"

struct eds_http_server;
struct eds_command_desk; /* ingest/command_question.h */
struct eds_tls;          /* transport/tls.h */

struct eds_http_config {
    const char *address; /* "0.0.0.0:8080", "[::]:8080"; port 0 picks a free one */
    int listen_fd;       /* from eds_http_listen: taken over instead of address; else 0 */
    const struct eds_netpolicy *netpolicy;
    /* Proxies that may say for whom they speak, by a PROXY header before everything
     * else or in the head's fields of this kind; NULL: none. */
    const struct eds_netpolicy *trusted_proxies;
    enum eds_forwarded_kind forwarded_kind;
    struct eds_ingest *ingest;
    size_t body_size_max;     /* bytes; 0: 2 MiB (2097152), as the original */
    size_t body_memory_max;   /* bytes of all bodies at once, 503 past it; 0: 256 MiB */
    unsigned thread_count;    /* 0: one per core */
    unsigned connection_max;  /* more wait in the backlog; 0: 1024 */
    unsigned idle_timeout_s;  /* of a connection that says nothing; 0: 30 */
    unsigned drain_timeout_s; /* at stop, for requests still being sent; 0: 5 */
    struct eds_tls *tls;      /* NULL: plain HTTP */

    struct eds_command_desk *desk; /* for devices that ask for commands; NULL: 501 */

    struct eds_objects *uploaded; /* for payloads that come before their records; NULL: 501 */
    const char *no_uploads;       /* what that says then; NULL: that this server takes none */
    uint64_t object_size_max;     /* bytes of one, at most EDS_OBJECT_SIZE_MAX; 0: 501 */
};

/* eds_http_listen opens a listening socket at the address in text, so that one
 * that is not to be had shows before anything else is begun; peers wait in its
 * backlog.
 * EDS_OK and *fd, EDS_ERR_USAGE, EDS_ERR_IO ("Address already in use (os error
 * 98)"). */
int32_t eds_http_listen(int *fd, const char *text, struct eds_error *err);

/* eds_http_server_start binds, listens and serves.  The pointers in config
 * outlive the server; listen_fd is the server's or, on failure, closed.  EDS_OK; EDS_ERR_USAGE for
 * a bad address ("invalid socket address syntax"); EDS_ERR_IO ("server error: Address already in
 * use (os error 98)", with "TLS " in front over TLS); EDS_ERR_UNSUPPORTED for TLS in a build
 * without; EDS_ERR_NO_MEMORY. */
int32_t eds_http_server_start(struct eds_http_server **out, const struct eds_http_config *config,
                              struct eds_error *err);

/* eds_http_server_set puts other lists and another limit into effect, from the next
 * connection and request on; both lists are copied. */
void eds_http_server_set(struct eds_http_server *server, const struct eds_netpolicy *netpolicy,
                         const struct eds_netpolicy *trusted_proxies, uint64_t object_size_max);

/* eds_http_server_port tells the port it listens on. */
unsigned eds_http_server_port(const struct eds_http_server *server);

/* What it has done and holds; the counts of requests are since the start. */
struct eds_http_counts {
    uint64_t answered;                     /* requests, whatever the answer */
    uint64_t connections, denied;          /* open now; denied ones wait for their 403 */
    uint64_t connection_max;               /* more wait in the backlog */
    uint64_t body_memory, body_memory_max; /* bytes */
    uint64_t objects_stored, objects_stored_bytes;
    uint64_t waiting;          /* connections, for their source's rate of bytes, now */
    uint64_t waits;            /* since the start */
    int64_t certificate_end_s; /* Unix time; 0: plain HTTP */
    uint64_t certificate_reloads, certificate_failures;
};
void eds_http_server_counts(const struct eds_http_server *server, struct eds_http_counts *out);

/* eds_http_server_stop takes no new connection, answers what was taken (new
 * requests on old connections with 503), closes and frees.  Call before eds_ingest_stop. */
void eds_http_server_stop(struct eds_http_server *server);

#endif
