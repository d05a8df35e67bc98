/* trace.c - see trace.h. */
#include "transport/trace.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/port.h"

/* version "-" trace-id "-" parent-id "-" flags */
#define VERSION_DIGITS  2u
#define TRACE_ID_DIGITS 32u
#define PARENT_DIGITS   16u
#define FLAGS_DIGITS    2u

static _Atomic uint64_t next_id;
static pthread_once_t begun = PTHREAD_ONCE_INIT;

/* Numbers from a random one on: two servers, or one before and after a restart,
 * do not meet in practice. */
static void begin(void)
{
    uint64_t first = 0;

    if (eds_port_random(&first, sizeof first) != 0)
        first = eds_port_time_ms() << 20;
    atomic_store(&next_id, first);
}

/* Lower-case hex digits, not all of them "0". */
static bool is_id(const char *text, size_t digits)
{
    return strspn(text, "0123456789abcdef") >= digits && strspn(text, "0") < digits;
}

static bool is_hex(const char *text, size_t digits)
{
    return strspn(text, "0123456789abcdef") >= digits;
}

bool eds_trace_take(struct eds_trace *trace, const char *traceparent)
{
    const char *trace_id = traceparent + VERSION_DIGITS + 1;
    const char *parent_id = trace_id + TRACE_ID_DIGITS + 1;
    const char *flags = parent_id + PARENT_DIGITS + 1;

    if (!is_hex(traceparent, VERSION_DIGITS) || strncmp(traceparent, "ff", VERSION_DIGITS) == 0 ||
        traceparent[VERSION_DIGITS] != '-')
        return false;
    if (!is_id(trace_id, TRACE_ID_DIGITS) || trace_id[TRACE_ID_DIGITS] != '-' ||
        !is_id(parent_id, PARENT_DIGITS) || parent_id[PARENT_DIGITS] != '-' ||
        !is_hex(flags, FLAGS_DIGITS))
        return false;
    /* A later version may have more after these; this one has not. */
    if (flags[FLAGS_DIGITS] != '\0' &&
        (strncmp(traceparent, "00", VERSION_DIGITS) == 0 || flags[FLAGS_DIGITS] != '-'))
        return false;
    memcpy(trace->trace_id, trace_id, TRACE_ID_DIGITS);
    trace->trace_id[TRACE_ID_DIGITS] = '\0';
    return true;
}

const char *eds_trace_request_id(struct eds_trace *trace)
{
    if (trace->request_id[0] == '\0') {
        pthread_once(&begun, begin);
        snprintf(trace->request_id, sizeof trace->request_id, "%016" PRIx64,
                 atomic_fetch_add(&next_id, 1));
    }
    return trace->request_id;
}
