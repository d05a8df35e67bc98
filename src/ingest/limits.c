/* limits.c - see limits.h. */
#include "ingest/limits.h"

#include <string.h>

#include "ingest/netpolicy.h"
#include "ingest/queue.h"

#define SOURCES_MAX 65536u /* 1 MiB of buckets, as for devices */
#define DEVICES_MAX 65536u
#define NS_PER_S    1000000000u
#define NS_PER_MS   1000000u
#define V6_NET_SIZE 8u /* bytes: whoever has one address has the other 2^64 as well */

int32_t eds_limits_init(struct eds_limits *limits, const struct eds_ingest_config *config)
{
    int32_t source = eds_rate_limit_init(&limits->source, config->rate_per_source, SOURCES_MAX);
    int32_t bytes =
        eds_rate_limit_init(&limits->source_bytes, config->bytes_per_source, SOURCES_MAX);
    int32_t device = eds_rate_limit_init(&limits->device, config->rate_per_device, DEVICES_MAX);

    if (source == EDS_OK)
        source = bytes;
    return source != EDS_OK ? source : device;
}

void eds_limits_free(struct eds_limits *limits)
{
    eds_rate_limit_free(&limits->source);
    eds_rate_limit_free(&limits->source_bytes);
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

/* Whose bucket a source's is: the address as text, or the network of one of IPv6. */
static const void *name_of(const char *source, struct eds_address *address, size_t *size)
{
    *size = strlen(source);
    if (eds_address_parse(address, source, *size, NULL) != EDS_OK || !address->is_v6)
        return source;
    *size = V6_NET_SIZE;
    return address->bytes;
}

bool eds_limits_source(struct eds_limits *limits, const char *source, size_t count,
                       unsigned *retry_after_s)
{
    struct eds_address address;
    const void *name;
    size_t size;

    if (atomic_load(&limits->source.per_second) == 0)
        return true;
    name = name_of(source, &address, &size);
    return take(&limits->source, name, size, count, retry_after_s);
}

bool eds_limits_bytes(struct eds_limits *limits, const char *source, uint64_t size,
                      unsigned patience_ms, unsigned *wait_ms, unsigned *retry_after_s)
{
    struct eds_address address;
    uint64_t wait_ns = 0;
    const void *name;
    size_t name_size;
    bool is_taken = true;

    if (atomic_load(&limits->source_bytes.per_second) > 0) {
        name = name_of(source, &address, &name_size);
        is_taken =
            eds_rate_limit_reserve(&limits->source_bytes, name, name_size, size,
                                   (uint64_t)patience_ms * NS_PER_MS, eds_queue_now_ns(), &wait_ns);
    }
    if (is_taken)
        *wait_ms = (unsigned)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
    else
        *retry_after_s = (unsigned)((wait_ns + NS_PER_S - 1) / NS_PER_S);
    return is_taken;
}

bool eds_limits_device(struct eds_limits *limits, const char *device_id, size_t count,
                       unsigned *retry_after_s)
{
    if (atomic_load(&limits->device.per_second) == 0)
        return true;
    *retry_after_s = 1;
    return eds_rate_limit_holds(&limits->device, count) &&
           take(&limits->device, device_id, strlen(device_id), count, retry_after_s);
}
