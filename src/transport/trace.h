/* trace.h - the one id that all log lines of a request carry, and the trace that
 * its sender says it belongs to (W3C Trace Context, traceparent).
 *
 * An id is made when the first line asks for it: most requests log nothing. */
#ifndef EDS_TRANSPORT_TRACE_H
#define EDS_TRANSPORT_TRACE_H

#include <stdbool.h>
#include <stddef.h>

struct eds_trace {
    char request_id[17]; /* 16 hex digits; "": not made yet */
    char trace_id[33];   /* 32 hex digits; "": the sender named none */
};

/* eds_trace_take reads a traceparent field.  What is not well-formed is as if it
 * were not there (false), as the specification wants it. */
bool eds_trace_take(struct eds_trace *trace, const char *traceparent);

/* eds_trace_id gives the trace's id; NULL for a request without one, and for no
 * request (NULL). */
static inline const char *eds_trace_id(const struct eds_trace *trace)
{
    return trace != NULL && trace->trace_id[0] != '\0' ? trace->trace_id : NULL;
}

/* eds_trace_request_id gives the request's id, which no other request has. */
const char *eds_trace_request_id(struct eds_trace *trace);

#endif
