/* limits.c - see limits.h. */
#include "ingest/limits.h"

#include <string.h>

#include "ingest/netpolicy.h"
#include "ingest/queue.h"

#define SOURCES_MAX 65536u /* 1 MiB of buckets, as for devices */
#define DEVICES_MAX 65536u
#define NS_PER_S    1000000000u
#define V6_NET_SIZE 8u /* bytes: whoever has one address has the other 2^64 as well */

int32_t eds_limits_init(struct eds_limits *limits, const struct eds_ingest_config *config)
{
    int32_t source = eds_rate_limit_init(&limits->source, config->rate_per_source, SOURCES_MAX);
    int32_t device = eds_rate_limit_init(&limits->device, config->rate_per_device, DEVICES_MAX);

    return source != EDS_OK ? source : device;
}

void eds_limits_free(struct eds_limits *limits)
{
    eds_rate_limit_free(&limits->source);
    eds_rate_limit_free(&limits->device);
}

static bool take(struct eds_rate_limit *limit, const void *name, size_t name_size, size_t count,
                 unsigned *retry_after_s)
{
    uint64_t missing_ns = eds_rate_limit_take(limit, name, name_size, count, eds_queue_now_ns());

    if (missing_ns == 0)
        return true;
    *retry_after_s = (unsigned)((missing_ns + NS_PER_S - 1) / NS_PER_S);
    return false;
}

bool eds_limits_source(struct eds_limits *limits, const char *source, size_t count,
                       unsigned *retry_after_s)
{
    struct eds_address address;

    if (limits->source.interval_ns == 0)
        return true;
    if (eds_address_parse(&address, source, strlen(source), NULL) == EDS_OK && address.is_v6)
        return take(&limits->source, address.bytes, V6_NET_SIZE, count, retry_after_s);
    return take(&limits->source, source, strlen(source), count, retry_after_s);
}

bool eds_limits_device(struct eds_limits *limits, const char *device_id, unsigned *retry_after_s)
{
    return take(&limits->device, device_id, strlen(device_id), 1, retry_after_s);
}
