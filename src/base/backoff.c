/* backoff.c - see backoff.h. */
#include "base/backoff.h"

#include <stdint.h>

#include "base/port.h"

unsigned eds_random_between(unsigned low, unsigned high)
{
    uint32_t random = 0;

    if (eds_port_random(&random, sizeof random) != 0 || high <= low)
        return low;
    return low + (unsigned)(random % ((uint64_t)high - low + 1));
}

unsigned eds_backoff_next_ms(unsigned first_ms, unsigned max_ms, unsigned previous_ms)
{
    unsigned most_ms = previous_ms < max_ms / 3 ? previous_ms * 3 : max_ms;

    return eds_random_between(first_ms < max_ms ? first_ms : max_ms, most_ms);
}
