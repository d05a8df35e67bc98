/* http_filter.h - what of a connection's bytes libmicrohttpd gets to see.
 *
 * Every request passes through here first.  A head is held back until it is whole,
 * and then given on only if it can be read in one way: one length or "chunked" and not
 * both, names that are tokens, lines that end in CR LF, one Host, no control
 * characters (RFC 9112).  Chunks are read here, and written anew in their plainest
 * form.  At the first fault the rest of the connection is forgotten: in the place of
 * a bad head comes a harmless one, and a bad body ends, so that the handler is asked
 * for the answer and the library never has one of its own to give.
 *
 * Knows neither sockets nor the library; one thread. */
#ifndef EDS_TRANSPORT_HTTP_FILTER_H
#define EDS_TRANSPORT_HTTP_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HTTP_HEAD_SIZE_MAX 8192u /* bytes; 431 past it */
#define HTTP_FIELDS_MAX    64u   /* likewise */

/* Bytes that the filter holds at most: a whole head, and a little of what follows. */
#define HTTP_FILTER_ROOM (HTTP_HEAD_SIZE_MAX + 4096u)

enum http_filter_state {
    HTTP_FILTER_HEAD,
    HTTP_FILTER_GIVING,     /* a good head goes on, left bytes of it to come */
    HTTP_FILTER_BODY,       /* of known size */
    HTTP_FILTER_CHUNK_SIZE, /* a line of digits */
    HTTP_FILTER_CHUNK,
    HTTP_FILTER_CHUNK_END, /* CR LF */
    HTTP_FILTER_LAST,      /* CR LF behind the last one */
    HTTP_FILTER_FAULTY,    /* nothing is let through any more */
};

struct http_filter {
    enum http_filter_state state;
    enum http_filter_state next; /* after GIVING */
    uint64_t left;               /* bytes of GIVING, BODY, CHUNK */
    uint64_t body_size;          /* of the head that is going on */
    unsigned blank_count;        /* empty lines before the head */
    size_t scanned;              /* bytes of a head that hold no fault by themselves */
    char made[64];               /* bytes of ours to be given first */
    size_t made_at, made_size;
    unsigned head_count;   /* heads given on so far, the substitute included */
    bool is_fault_in_head; /* else in the body that follows it */
    unsigned fault_status; /* 0: no fault */
    const char *fault;     /* its words */
};

/* http_filter_init prepares for a new connection. */
void http_filter_init(struct http_filter *filter);

/* http_filter_run moves bytes from in to out.
 *
 *   in, in_size  not given on yet; at most HTTP_FILTER_ROOM
 *   used         out: how many of them are done with
 *
 * Returns how many bytes were written to out.  If that is 0 and out has room, more
 * bytes have to come.  The request that a fault is in is number head_count, from 1. */
size_t http_filter_run(struct http_filter *filter, const char *in, size_t in_size, size_t *used,
                       char *out, size_t out_size);

/* http_filter_unseen tells how many of the next bytes are a body's and may go on
 * without passing through here, while nothing is held back; http_filter_passed says
 * that so many have. */
uint64_t http_filter_unseen(const struct http_filter *filter);
void http_filter_passed(struct http_filter *filter, size_t size);

#endif
