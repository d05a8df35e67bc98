/* agent_job.h - what the doors of eds audit agent share: lines, a socket, a spool
 * directory. */
#ifndef EDS_CLI_AGENT_JOB_H
#define EDS_CLI_AGENT_JOB_H

#include <pthread.h>

#include "base/repeat.h"
#include "cli/args.h"
#include "edgesentry/agent.h"

#define EDS_AGENT_PAYLOAD_MAX (1024u * 1024u) /* bytes */

struct eds_agent_job {
    const struct eds_args *args;
    const char *client_id; /* at a broker */
    const char *firmware;  /* to be told with the next record; NULL: told, or not known */
    struct eds_agent *agent;
    struct eds_buffer *buffer;
    enum eds_priority priority; /* of what does not say its own */
    bool line_has_class;
    bool gives_up_payloads; /* of some classes, where there is no room */
    size_t alone_count;     /* lines that go one by one, after a burst that failed */
    int ending_fd;          /* readable when a signal has come */
    /* Nothing is sent while this is held: a spool file goes before its record. */
    pthread_mutex_t gate;
    char held[EDS_ERROR_TEXT_SIZE]; /* the server's word on this device; "": it takes records */
    bool held_changed;
    pthread_mutex_t held_mutex; /* for the two above */
    uint64_t recorded;
    struct eds_repeat trouble; /* lines about what cannot be recorded for now */
};

/* eds_agent_job_record signs and keeps one payload; says on standard error if
 * that failed.  object_ref may be NULL. */
int32_t eds_agent_job_record(struct eds_agent_job *job, const void *payload, size_t payload_size,
                             const char *object_ref, enum eds_priority priority, uint64_t *sequence,
                             struct eds_error *err);

/* eds_agent_job_record_many does so for 1 to EDS_EVENTS_MAX events with one write, all or
 * none; their sequences follow one another. */
int32_t eds_agent_job_record_many(struct eds_agent_job *job, const struct eds_event *events,
                                  size_t count, uint64_t *first_sequence, struct eds_error *err);

/* Each runs until a signal comes, or (lines) the input ends.  EDS_OK, or what
 * keeps it from going on. */
int32_t eds_agent_lines(struct eds_agent_job *job, struct eds_error *err);
int32_t eds_agent_listen(struct eds_agent_job *job, const char *path, struct eds_error *err);
int32_t eds_agent_spool(struct eds_agent_job *job, const char *directory, struct eds_error *err);

/* eds_agent_job_trouble warns that something cannot be recorded for now; over and over,
 * it writes fewer and fewer lines, until job->trouble is ended. */
void eds_agent_job_trouble(struct eds_agent_job *job, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* eds_agent_job_set_limits has the buffer take what the settings say, or else the command
 * line. */
struct eds_agent_settings;
void eds_agent_job_set_limits(struct eds_agent_job *job, const struct eds_agent_settings *settings);

/* eds_agent_job_pause waits, unless a signal comes: then true. */
bool eds_agent_job_pause(struct eds_agent_job *job, int timeout_ms);

#endif
