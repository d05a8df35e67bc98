/* agent_job.c - see agent_job.h: recording, and what is said of it. */
#include "cli/agent_job.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cli/say.h"

bool eds_agent_job_pause(struct eds_agent_job *job, int timeout_ms)
{
    struct pollfd ending = {.fd = job->ending_fd, .events = POLLIN};

    return poll(&ending, 1, timeout_ms) > 0;
}

void eds_agent_job_trouble(struct eds_agent_job *job, const char *format, ...)
{
    char text[EDS_ERROR_TEXT_SIZE];
    struct timespec now;
    va_list args;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!eds_repeat_is_news(&job->trouble,
                            (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (job->trouble.count > 1)
        eds_say_warning("%s (%" PRIu64 " times now)", text, job->trouble.count);
    else
        eds_say_warning("%s", text);
}

/* The server's word on this device goes into the chain when it changes. */
static void note_standing(struct eds_agent_job *job)
{
    char text[EDS_ERROR_TEXT_SIZE];
    bool changed;

    pthread_mutex_lock(&job->held_mutex);
    changed = job->held_changed;
    job->held_changed = false;
    memcpy(text, job->held, sizeof text);
    pthread_mutex_unlock(&job->held_mutex);
    if (changed)
        (void)eds_agent_note(job->agent, "standing",
                             text[0] != '\0' ? text : "the server takes records again", NULL);
}

/* Once, and not before there is something else to record. */
static void note_firmware(struct eds_agent_job *job)
{
    if (job->firmware != NULL &&
        eds_agent_note(job->agent, "firmware", job->firmware, NULL) == EDS_OK)
        job->firmware = NULL;
}

int32_t eds_agent_job_record_many(struct eds_agent_job *job, const struct eds_event *events,
                                  size_t count, uint64_t *first_sequence, struct eds_error *err)
{
    struct eds_entry *entries = malloc(count * sizeof *entries);
    int32_t rc;

    if (entries == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a record");
    note_firmware(job);
    note_standing(job);
    rc = eds_agent_record_many(job->agent, events, count, entries, err);
    if (rc == EDS_OK) {
        *first_sequence = entries[0].record.sequence;
        job->recorded += count;
    }
    free(entries);
    return rc;
}

int32_t eds_agent_job_record(struct eds_agent_job *job, const void *payload, size_t payload_size,
                             const char *object_ref, enum eds_priority priority, uint64_t *sequence,
                             struct eds_error *err)
{
    struct eds_event event = {.payload = payload,
                              .payload_size = payload_size,
                              .object_ref = object_ref,
                              .priority = priority};

    return eds_agent_job_record_many(job, &event, 1, sequence, err);
}
