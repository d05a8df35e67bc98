/* agent_class.c - see agent_class.h. */
#include "cli/agent_class.h"

#include <stdlib.h>
#include <string.h>

#include "edgesentry/buffer.h"

const char *const eds_agent_classes[] = {"low", "normal", "high", "alarm", NULL};
const char *const eds_agent_line_classes[] = {"low", "normal", "high", "alarm", "line", NULL};

bool eds_agent_class_of(enum eds_priority *out, const char *name, size_t name_size)
{
    for (int i = 0; i < EDS_PRIORITY_COUNT; i++)
        if (strlen(eds_agent_classes[i]) == name_size &&
            memcmp(eds_agent_classes[i], name, name_size) == 0) {
            *out = (enum eds_priority)i;
            return true;
        }
    return false;
}

int32_t eds_agent_class_take(enum eds_priority *out, const char **line, size_t *size,
                             struct eds_error *err)
{
    const char *space = memchr(*line, ' ', *size);
    size_t name_size = space != NULL ? (size_t)(space - *line) : *size;

    if (space == NULL || !eds_agent_class_of(out, *line, name_size))
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "a line begins with its class and a space: low, normal, high or "
                             "alarm");
    *line = space + 1;
    *size -= name_size + 1;
    return EDS_OK;
}

int32_t eds_agent_class_check_percent(const char *text, struct eds_error *err)
{
    int32_t rc = eds_check_u64(text, err);

    if (rc == EDS_OK && strtoull(text, NULL, 10) > EDS_RESERVE_PERCENT_MAX)
        rc = eds_error_set(err, EDS_ERR_USAGE, "0 to %u are possible", EDS_RESERVE_PERCENT_MAX);
    return rc;
}
