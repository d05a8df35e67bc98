/* agent_burst.c - see agent_burst.h.
 *
 * A record that is reported has been synced, and a sync costs the same for one record as
 * for many.  Where lines come faster than a disk syncs, they wait in our input anyhow:
 * what has gathered there by the time that the disk is ready goes with the next sync. */
#include "cli/agent_burst.h"

#include <string.h>

#include "cli/agent_class.h"

#define BURST_SIZE_MAX (256u * 1024u) /* bytes of payloads: a write that does not take long */

/* The event that a line stands for; false: it has to be looked at by itself. */
static bool read_line(const struct eds_agent_job *job, const char *line, size_t size,
                      struct eds_event *out)
{
    *out = (struct eds_event){.priority = job->priority};
    if (size > EDS_AGENT_PAYLOAD_MAX ||
        (job->line_has_class && eds_agent_class_take(&out->priority, &line, &size, NULL) != EDS_OK))
        return false;
    out->payload = line;
    out->payload_size = size;
    return true;
}

/* Fills events from the front of text. */
static void collect(const struct eds_agent_job *job, const char *text, size_t size,
                    struct eds_event events[EDS_EVENTS_MAX], struct eds_agent_burst *out)
{
    size_t payloads_size = 0;
    const char *newline;

    *out = (struct eds_agent_burst){.size = 0};
    while (out->count < EDS_EVENTS_MAX &&
           (newline = memchr(text + out->size, '\n', size - out->size)) != NULL) {
        const char *line = text + out->size;
        size_t line_size = (size_t)(newline - line);

        if (line_size > 0) { /* an empty line is none */
            if (line_size > BURST_SIZE_MAX - payloads_size ||
                !read_line(job, line, line_size, &events[out->count]))
                return;
            payloads_size += line_size;
            out->count++;
        }
        out->size += line_size + 1;
    }
}

int32_t eds_agent_burst_record(struct eds_agent_job *job, const char *text, size_t size,
                               struct eds_agent_burst *out, struct eds_error *err)
{
    struct eds_event events[EDS_EVENTS_MAX];

    *out = (struct eds_agent_burst){.size = 0};
    if (!job->gives_up_payloads)
        collect(job, text, size, events, out);
    if (out->count < 2)
        return EDS_ERR_NOT_FOUND;
    return eds_agent_job_record_many(job, events, out->count, &out->first_sequence, err);
}
