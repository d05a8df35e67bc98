/* agent_burst.h - lines that came together, recorded with one durable write. */
#ifndef EDS_CLI_AGENT_BURST_H
#define EDS_CLI_AGENT_BURST_H

#include "cli/agent_job.h"

struct eds_agent_burst {
    size_t size;             /* bytes of the lines that it took, newlines included */
    size_t count;            /* lines with something in them */
    uint64_t first_sequence; /* their records follow one another */
};

/* eds_agent_burst_record records as many whole lines from the front of text as may go
 * together, all or none.  It leaves to one by one what has an answer of its own: a line
 * that is too long or has no class, and all where payloads may be given up, which is
 * decided for each event.
 *
 *   out  count and size also tell of a burst that failed
 *
 * EDS_OK; EDS_ERR_NOT_FOUND if fewer than two lines may go together; otherwise as
 * eds_agent_record_many, and nothing is recorded. */
int32_t eds_agent_burst_record(struct eds_agent_job *job, const char *text, size_t size,
                               struct eds_agent_burst *out, struct eds_error *err);

#endif
