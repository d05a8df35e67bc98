/* agent_buffer.c - the agent's buffer: its limits, and its dead letters. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/agent_job.h"
#include "cli/agent_settings.h"

static struct eds_buffer_limits limits_of(const struct eds_args *args,
                                          const struct eds_agent_settings *settings)
{
    uint64_t age_s = eds_agent_settings_get(settings, EDS_SETTING_BUFFER_AGE_MAX,
                                            eds_args_u64(args, "buffer-age-max"));

    return (struct eds_buffer_limits){
        .size_max = eds_agent_settings_get(settings, EDS_SETTING_BUFFER_SIZE_MAX,
                                           eds_args_u64(args, "buffer-size-max")),
        .age_max_ms = age_s < UINT64_MAX / 1000 ? age_s * 1000 : 0};
}

int32_t eds_agent_job_open_buffer(struct eds_agent_job *job,
                                  const struct eds_agent_settings *settings, struct eds_error *err)
{
    const char *path = eds_args_text(job->args, "buffer");
    struct eds_buffer_limits limits = limits_of(job->args, settings);
    bool is_url = strncmp(path, "sqlite:", 7) == 0 || strncmp(path, "log:", 4) == 0;
    char url[4096];

    if ((size_t)snprintf(url, sizeof url, "%s%s", is_url ? "" : "sqlite:", path) >= sizeof url)
        return eds_error_set(err, EDS_ERR_USAGE, "--buffer is too long");
    return eds_buffer_open(&job->buffer, url, &limits, err);
}

void eds_agent_job_set_limits(struct eds_agent_job *job, const struct eds_agent_settings *settings)
{
    struct eds_buffer_limits limits = limits_of(job->args, settings);

    (void)eds_buffer_set_limits(job->buffer, &limits, NULL); /* it has no share for a class */
}

int32_t eds_agent_job_revive(struct eds_buffer *buffer, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    while (rc == EDS_OK) {
        struct eds_buffer_item *item;

        rc = eds_buffer_next(buffer, NULL, 0, true, &item, err);
        if (rc != EDS_OK)
            break;
        rc = eds_buffer_settle(buffer, item, EDS_SETTLE_REVIVE, NULL, err);
        free(item);
    }
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}
