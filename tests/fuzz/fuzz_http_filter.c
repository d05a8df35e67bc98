/* fuzz_http_filter.c - any bytes as what comes over a connection.
 *
 * What is let through does not depend on the pieces in which the bytes came; each head
 * in it ends its lines in CR LF and has one length at most; and given to the filter
 * again it comes out as it is, byte for byte, with no fault in it: there is nothing
 * left that could be read in two ways. */
#include <stdlib.h>
#include <string.h>

#include "transport/http_filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct passed {
    char *bytes;
    size_t size;
    struct http_filter filter;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

/* Lets the bytes through, piece_in at a time, into room for piece_out at a time. */
static struct passed pass(const char *in, size_t size, size_t piece_in, size_t piece_out)
{
    struct passed passed = {.bytes = malloc(4 * size + 4096)};
    size_t held = 0, at = 0, used;
    static char hold[HTTP_FILTER_ROOM];

    check(passed.bytes != NULL);
    http_filter_init(&passed.filter);
    for (;;) {
        size_t written = http_filter_run(&passed.filter, hold, held, &used,
                                         passed.bytes + passed.size, piece_out);

        check(written <= piece_out && used <= held);
        passed.size += written;
        held -= used;
        memmove(hold, hold + used, held);
        if (written == piece_out)
            continue; /* there may be more of it */
        used = size - at < piece_in ? size - at : piece_in;
        if (used == 0)
            return passed;
        check(held < sizeof hold); /* it never waits for more than it has room for */
        if (used > sizeof hold - held)
            used = sizeof hold - held;
        memcpy(hold + held, in + at, used);
        held += used;
        at += used;
    }
}

static void compare(const struct passed *a, const struct passed *b)
{
    check(a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0);
    check(a->filter.fault_status == b->filter.fault_status);
    check(a->filter.head_count == b->filter.head_count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *in = size > 0 ? (const char *)data : "";
    struct passed whole = pass(in, size, SIZE_MAX, 1000), again;
    struct passed bytewise = pass(in, size, 1, 7), odd = pass(in, size, 13, 64);

    compare(&whole, &bytewise);
    compare(&whole, &odd);
    again = pass(whole.bytes, whole.size, 100, 100);
    check(again.filter.fault_status == 0);
    check(again.size == whole.size && memcmp(again.bytes, whole.bytes, whole.size) == 0);
    check(again.filter.head_count == whole.filter.head_count);
    free(whole.bytes);
    free(bytewise.bytes);
    free(odd.bytes);
    free(again.bytes);
    return 0;
}
