/* limits.h - the rates that ingest keeps: of each source, of each device. */
#ifndef EDS_INGEST_LIMITS_H
#define EDS_INGEST_LIMITS_H

#include "ingest/ingest.h"

struct eds_limits {
    struct eds_rate_limit source, device;
};

/* eds_limits_init and eds_limits_free as those of eds_rate_limit. */
int32_t eds_limits_init(struct eds_limits *limits, const struct eds_ingest_config *config);
void eds_limits_free(struct eds_limits *limits);

/* eds_limits_source takes count tokens of a source, eds_limits_device one of a
 * device.  True, or false and *retry_after_s. */
bool eds_limits_source(struct eds_limits *limits, const char *source, size_t count,
                       unsigned *retry_after_s);
bool eds_limits_device(struct eds_limits *limits, const char *device_id, unsigned *retry_after_s);

#endif
