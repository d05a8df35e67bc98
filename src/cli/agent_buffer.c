/* agent_buffer.c - the limits of the agent's buffer. */
#include <stdlib.h>

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
        .age_max_ms = age_s < UINT64_MAX / 1000 ? age_s * 1000 : 0,
        .reserve_percent = (unsigned)strtoul(eds_args_text(args, "reserve"), NULL, 10)};
}

void eds_agent_job_set_limits(struct eds_agent_job *job, const struct eds_agent_settings *settings)
{
    struct eds_buffer_limits limits = limits_of(job->args, settings);

    (void)eds_buffer_set_limits(job->buffer, &limits, NULL); /* --reserve is checked */
}
