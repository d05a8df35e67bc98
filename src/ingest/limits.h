/* limits.h - the rates that ingest keeps: of each source, in requests and in bytes, and
 * of each device. */
#ifndef EDS_INGEST_LIMITS_H
#define EDS_INGEST_LIMITS_H

#include "ingest/ingest.h"

struct eds_limits {
    struct eds_rate_limit source, source_bytes, device;
};

/* eds_limits_init and eds_limits_free as those of eds_rate_limit. */
int32_t eds_limits_init(struct eds_limits *limits, const struct eds_ingest_config *config);
void eds_limits_free(struct eds_limits *limits);

/* eds_limits_source takes count tokens of a source, eds_limits_device of a device.
 * True, or false and *retry_after_s.  A device's are never more than it may have at
 * once: of so many none are taken. */
bool eds_limits_source(struct eds_limits *limits, const char *source, size_t count,
                       unsigned *retry_after_s);
bool eds_limits_device(struct eds_limits *limits, const char *device_id, size_t count,
                       unsigned *retry_after_s);

/* eds_limits_bytes takes size bytes of a source's rate, as eds_rate_limit_reserve does.
 * True and *wait_ms, or false and *retry_after_s. */
bool eds_limits_bytes(struct eds_limits *limits, const char *source, uint64_t size,
                      unsigned patience_ms, unsigned *wait_ms, unsigned *retry_after_s);

#endif
