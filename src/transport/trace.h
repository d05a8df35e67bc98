/* trace.h - the one id that all log lines of a request carry, the trace that its
 * sender says it belongs to (W3C Trace Context, traceparent), and the gateway that
 * says it has passed it on.
 *
 * An id is made when the first line asks for it: most requests log nothing. */
#ifndef EDS_TRANSPORT_TRACE_H
#define EDS_TRANSPORT_TRACE_H

#include <stdbool.h>
#include <stddef.h>

#include "transport/route.h"

struct eds_trace {
    char request_id[17]; /* 16 hex digits; "": not made yet */
    char trace_id[33];   /* 32 hex digits; "": the sender named none */
    struct eds_route route;
};

/* eds_trace_begin makes the trace of a request that begins. */
static inline void eds_trace_begin(struct eds_trace *trace)
{
    trace->request_id[0] = trace->trace_id[0] = '\0';
    trace->route.gateway[0] = trace->route.tags[0] = '\0';
}

/* eds_trace_take reads a traceparent field.  What is not well-formed is as if it
 * were not there (false), as the specification wants it. */
bool eds_trace_take(struct eds_trace *trace, const char *traceparent);

/* eds_trace_id gives the trace's id; NULL for a request without one, and for no
 * request (NULL). */
static inline const char *eds_trace_id(const struct eds_trace *trace)
{
    return trace != NULL && trace->trace_id[0] != '\0' ? trace->trace_id : NULL;
}

/* eds_trace_gateway and eds_trace_tags give what a gateway says of itself; NULL where
 * nobody does. */
static inline const char *eds_trace_gateway(const struct eds_trace *trace)
{
    return trace != NULL && trace->route.gateway[0] != '\0' ? trace->route.gateway : NULL;
}

static inline const char *eds_trace_tags(const struct eds_trace *trace)
{
    return trace != NULL && trace->route.tags[0] != '\0' ? trace->route.tags : NULL;
}

/* eds_trace_request_id gives the request's id, which no other request has. */
const char *eds_trace_request_id(struct eds_trace *trace);

#endif
