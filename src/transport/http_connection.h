/* http_connection.h - what the files of the HTTP server share.
 *
 * One struct http_connection goes with each connection from its first byte to
 * its close, and is used again for every request on it: the body's buffer, the
 * decoded envelope and the submission are parts of it, so that a record on a
 * kept connection costs no allocation of ours.
 *
 * Threads: a connection belongs to one of the loops (http_loop.h) for life.  While
 * ingest has its record (state DECIDING), the submission and all that it points to
 * are ingest's until is_decided, and the connection is kept even if its peer goes;
 * a batch or a payload suspends it instead.  The door's thread looks at nothing but
 * fd, deadline_ms and hung_up_ms, under the list's mutex. */
#ifndef EDS_TRANSPORT_HTTP_CONNECTION_H
#define EDS_TRANSPORT_HTTP_CONNECTION_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "edgesentry/json.h"
#include "ingest/ingest.h"
#include "ingest/shares.h"
#include "transport/http_head.h"
#include "transport/http_linger.h"
#include "transport/http_pace.h"
#include "transport/http_server.h"
#include "transport/http_spares.h"
#include "transport/http_wire.h"
#include "transport/socket_address.h"
#include "transport/tls_peer.h"
#include "transport/trace.h"
#include "transport/verdict_log.h"

/* A body bigger than this gives its memory back once it is answered. */
#define HTTP_BODY_KEPT_MAX (16u * 1024u) /* bytes */

/* The buffer of a batch's body, of which blocks are made (http_portion.h). */
#define HTTP_BATCH_ROOM (160u * 1024u) /* bytes */

/* A refused body up to this size is read and dropped, so that the connection
 * can go on; a bigger one is not read, and the connection closed. */
#define HTTP_DISCARD_MAX (64u * 1024u) /* bytes */

/* A body must come in at this rate at least, after idle_timeout_s of grace. */
#define HTTP_BODY_RATE_MIN (4u * 1024u) /* bytes a second */

/* A source that is not allowed has one answer to come and must not stay longer;
 * past so many of them, connections of more are closed without a word. */
#define HTTP_DENIED_TIMEOUT_S 5u
#define HTTP_DENIED_MAX       32u

/* How long a connection that its peer has closed may be left to its thread. */
#define HTTP_HUNG_UP_MS 500u

enum http_state {
    HTTP_READING,  /* the body comes in */
    HTTP_REFUSED,  /* the answer stands; the rest of the body is dropped */
    HTTP_GATHERED, /* its one record is about to go to ingest */
    HTTP_DECIDING, /* ingest has it, or has had it, and the answer is asked for next */
};

struct http_batch;
struct http_loop;
struct http_object;

struct http_connection {
    struct eds_http_server *server;
    struct http_loop *loop;
    struct http_connection *next, *previous; /* in the server's list */
    atomic_uint holder_count;                /* the library, and ingest */
    struct MHD_Connection *mhd;
    int fd;
    struct http_wire wire;        /* what comes from fd comes through it */
    struct eds_address address;   /* the peer's, or whom its proxy's header names */
    bool denied;                  /* by the network policy */
    struct tls_peer *tls_peer;    /* NULL: plain HTTP */
    _Atomic uint64_t deadline_ms; /* monotonic; 0: none */

    uint64_t hung_up_ms; /* since when the peer is known to have closed; 0: it has not */

    /* Who waits for his source's bytes: of http_pace.c, with its lock. */
    struct http_connection *pace_next, *pace_previous, **pace_list; /* the last NULL: it does not */
    uint64_t go_on_ms;
    atomic_uint held_by; /* reasons; changed with the pace's lock */
    uint64_t held_ms;    /* since when */

    /* The request that is being read or decided. */
    enum http_state state;
    bool awaits_body;     /* it was held before its body was asked for */
    uint64_t pace_credit; /* bytes that were taken from the source's rate and not read yet */
    uint64_t pace_left;   /* bytes announced that are still to be taken */
    struct eds_trace trace;
    char source[EDS_ADDRESS_TEXT_SIZE]; /* whom it is from, if a proxy has passed it on */
    unsigned number;                    /* on this connection, from 1 */
    bool must_close;                    /* with the answer */
    bool must_linger;                   /* and then: some of the request is not read */
    unsigned status;                    /* HTTP_REFUSED: with it */
    char error[EDS_ERROR_TEXT_SIZE];    /* and this text */
    unsigned retry_after_s;             /* of an answer 429 */
    _Atomic uint64_t begun_ms;          /* when its head was there, and what it was held since */
    uint64_t body_announced;            /* Content-Length; 0: unknown */
    uint64_t discarded;                 /* bytes */
    uint64_t handed_over;               /* bytes, to a batch's blocks or a file */
    char *body;
    size_t body_size, body_room;    /* bytes used, bytes there */
    atomic_size_t *share;           /* of the source; where large bodies are counted as well */
    bool is_compact;                /* the one record is in the compact form */
    struct http_batch *batch;       /* NULL: it is one record */
    struct http_object *object;     /* NULL: it is not a payload alone */
    struct http_question *question; /* NULL: it does not ask for a command */
    const char *allowed_method;     /* of an answer 405 */
    struct eds_envelope envelope;
    struct eds_submission submission;
    atomic_bool is_decided; /* the submission */
};

struct eds_http_server {
    struct eds_http_config config; /* defaults filled in; its lists are the next three */
    pthread_rwlock_t policy_lock;
    struct eds_netpolicy allowed, proxies;
    _Atomic uint64_t object_size_max;
    struct eds_socket_address address;
    struct http_loop *loops;
    unsigned loop_count;
    unsigned next_loop;            /* the door's: who gets the next connection */
    struct MHD_Response *accepted; /* the answer most asked for, made once */

    int listen_fd, wake_fd;
    pthread_t door;
    bool has_door;
    atomic_bool closing;  /* the door: take no more connections */
    atomic_bool stopping; /* take no more requests */
    atomic_bool ended;    /* submit nothing more to ingest */

    atomic_uint started_count; /* connections ever; wraps */
    atomic_uint connection_count, denied_count;
    atomic_uint request_count;    /* begun and not yet answered */
    atomic_uint submission_count; /* not yet given back by ingest */
    atomic_uint taken_count;      /* went to ingest, and not yet answered */
    _Atomic uint64_t answered_count;
    atomic_size_t body_memory; /* bytes of all bodies */
    struct http_spares texts;  /* of HTTP_BATCH_ROOM */
    struct http_spares blocks; /* of http_block_size */
    struct eds_shares shares;  /* of those that are coming in */
    atomic_uint object_count;  /* payloads coming in */
    _Atomic uint64_t objects_stored, objects_stored_bytes;

    pthread_mutex_t connections_mutex;
    struct http_connection *connections;

    struct http_pace pace;
    struct http_linger linger;
    struct eds_verdict_log verdict_log;
};

/* http_now_ms tells the monotonic time. */
uint64_t http_now_ms(void);

/* http_connection_notify makes and frees the state of a connection; for
 * MHD_OPTION_NOTIFY_CONNECTION, context is its loop. */
void http_connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                            enum MHD_ConnectionNotificationCode code);

/* http_is_proxy says whether an address is that of a trusted proxy, http_check_source
 * whether it may send (EDS_OK, or as eds_netpolicy_check). */
bool http_is_proxy(struct eds_http_server *server, const struct eds_address *address);
int32_t http_check_source(struct eds_http_server *server, const struct eds_address *address,
                          struct eds_error *err);

/* http_follow_proxies finds out whom a request is from: eds_forwarded_source with what
 * the server trusts. */
int32_t http_follow_proxies(struct eds_http_server *server, const struct eds_http_head *head,
                            struct eds_address *source, struct eds_error *err);

/* http_connection_let_go is called by whoever held a connection; the last one frees it. */
void http_connection_let_go(struct http_connection *connection);

/* http_connection_rest gives the connection time for its next request (or for
 * taking its answer). */
void http_connection_rest(struct http_connection *connection);

/* http_connection_sweep shuts down connections that are past their deadline or
 * dead; their thread then closes them. */
void http_connection_sweep(struct eds_http_server *server);

/* http_body_append adds bytes.  EDS_OK; EDS_ERR_TOO_LARGE past body_size_max;
 * EDS_ERR_BUSY past body_memory_max; EDS_ERR_NO_MEMORY. */
int32_t http_body_append(struct http_connection *connection, const char *bytes, size_t size);

/* http_body_discard counts bytes of a refused body.  False when that has been
 * enough and the connection should be closed without an answer. */
bool http_body_discard(struct http_connection *connection, size_t size);

/* http_body_passed counts bytes of a body that are kept elsewhere. */
void http_body_passed(struct http_connection *connection, size_t size);

/* http_body_hand_over gives the buffer to somebody else, with what it counts for
 * in the memory of all bodies, and goes on with the bytes behind the first `used`
 * in a new one. */
int32_t http_body_hand_over(struct http_connection *connection, size_t used, char **text,
                            size_t *room);

/* http_memory_reserve takes from the memory of all bodies; false past it. */
bool http_memory_reserve(struct eds_http_server *server, size_t size);

/* http_body_clear empties the body; what is bigger than HTTP_BODY_KEPT_MAX is
 * given back. */
void http_body_clear(struct http_connection *connection);

/* http_handle is the MHD_AccessHandlerCallback, http_completed goes with
 * MHD_OPTION_NOTIFY_COMPLETED; context is the server. */
enum MHD_Result http_handle(void *context, struct MHD_Connection *mhd, const char *url,
                            const char *method, const char *version, const char *data,
                            size_t *data_size, void **request);
void http_completed(void *context, struct MHD_Connection *mhd, void **request,
                    enum MHD_RequestTerminationCode code);

/* http_answer queues the answer of that status; error goes into a JSON body
 * unless it is "".  MHD_NO without memory: the connection is then closed. */
enum MHD_Result http_answer(struct http_connection *connection, unsigned status, const char *error);

/* http_answer_body queues an answer with a body of its own, allocated by malloc,
 * which it takes over. */
enum MHD_Result http_answer_body(struct http_connection *connection, unsigned status, char *body,
                                 size_t body_size);

/* http_answer_init makes what answers have in common; http_answer_destroy
 * frees it. */
int32_t http_answer_init(struct eds_http_server *server, struct eds_error *err);
void http_answer_destroy(struct eds_http_server *server);

/* http_log_refusal writes the line of a request that got no further than the
 * transport; http_log_verdict that of a decided one. */
void http_log_refusal(struct http_connection *connection, unsigned status, const char *reason);
void http_log_verdict(struct http_connection *connection);

/* http_door_wake has the door's thread look at what it has to do. */
void http_door_wake(struct eds_http_server *server);

/* http_door_start binds, listens and takes connections in; http_door_stop ends
 * that.  Errors as eds_http_server_start. */
int32_t http_door_bind(struct eds_http_server *server, struct eds_error *err);
int32_t http_door_start(struct eds_http_server *server, struct eds_error *err);
void http_door_stop(struct eds_http_server *server);

#endif
