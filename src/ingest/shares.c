/* shares.c - see shares.h. */
#include "ingest/shares.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#include "base/port.h"
#include "ingest/netpolicy.h"

#define V6_NET_SIZE 8u /* bytes: whoever has one address has the other 2^64 as well */

int32_t eds_shares_init(struct eds_shares *shares, size_t memory_max, size_t body_size_max,
                        struct eds_error *err)
{
    size_t part = memory_max / EDS_SHARE_PART;

    shares->share_max = part > 2 * body_size_max ? part : 2 * body_size_max;
    if (eds_port_random(shares->secret, sizeof shares->secret) != 0)
        return eds_error_set(err, EDS_ERR_PANIC, "server error: no randomness to be had");
    return EDS_OK;
}

atomic_size_t *eds_shares_of(struct eds_shares *shares, const char *source)
{
    struct eds_address address;
    const void *name = source;
    size_t size = strlen(source);
    uint64_t hash;

    static_assert(sizeof shares->secret == crypto_shorthash_KEYBYTES, "a SipHash key");
    static_assert(sizeof hash == crypto_shorthash_BYTES, "its hash");
    if (eds_address_parse(&address, source, size, NULL) == EDS_OK && address.is_v6) {
        name = address.bytes;
        size = V6_NET_SIZE;
    }
    crypto_shorthash((uint8_t *)&hash, name, size, shares->secret);
    return &shares->held[hash % EDS_SHARE_COUNT];
}

bool eds_shares_reserve(const struct eds_shares *shares, atomic_size_t *share, size_t size)
{
    if (atomic_fetch_add(share, size) + size <= shares->share_max)
        return true;
    atomic_fetch_sub(share, size);
    return false;
}

void eds_shares_give_back(atomic_size_t *share, size_t size)
{
    if (size > 0)
        atomic_fetch_sub(share, size);
}
