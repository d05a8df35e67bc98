/* wipe.c - see wipe.h. */
#include "base/wipe.h"

#include <stdint.h>

void eds_wipe(void *bytes, size_t size)
{
    /* Through a volatile pointer each store is an effect that must happen. */
    volatile uint8_t *at = bytes;

    while (size-- > 0)
        *at++ = 0;
}
