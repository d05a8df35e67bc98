/* fuzz_proxy.c - any bytes as the header of a proxy, and as the fields that proxies
 * write.
 *
 * A header is found the same however its bytes come in, and never in fewer bytes than
 * it has; the address in it, written in the plainest header, is the address again.  A
 * list leads to an address that one of the trusted has named, or not away from the
 * sender. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/forwarded.h"
#include "transport/proxy_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_again(const struct eds_address *source)
{
    char text[EDS_ADDRESS_TEXT_SIZE], line[128];
    struct eds_address again;
    size_t used;
    int size;

    eds_address_text(text, source);
    size = snprintf(line, sizeof line, "PROXY TCP%s %s %s 1 2\r\n", source->is_v6 ? "6" : "4", text,
                    text);
    check(eds_proxy_header_read(&again, line, (size_t)size, &used) == EDS_PROXY_SOURCE);
    check(used == (size_t)size && memcmp(&again, source, sizeof again) == 0);
}

static void check_header(const uint8_t *data, size_t size)
{
    struct eds_address source, early;
    size_t used, cut_used;
    enum eds_proxy_header found = eds_proxy_header_read(&source, data, size, &used);

    check(used <= size && used <= EDS_PROXY_HEADER_SIZE_MAX);
    check((used > 0) == (found == EDS_PROXY_SOURCE || found == EDS_PROXY_LOCAL));
    check(found != EDS_PROXY_PART || size < EDS_PROXY_HEADER_SIZE_MAX);
    for (size_t cut = 0; cut < size && cut < 300; cut++) {
        uint8_t *exact = malloc(cut + 1);
        enum eds_proxy_header part;

        check(exact != NULL);
        memcpy(exact, data, cut);
        part = eds_proxy_header_read(&early, exact, cut, &cut_used);
        free(exact);
        check(part == EDS_PROXY_PART || (part == found && cut_used == used && cut >= used));
    }
    if (found == EDS_PROXY_SOURCE)
        check_again(&source);
}

static void check_list(const uint8_t *data, size_t size, enum eds_forwarded_kind kind)
{
    struct eds_netpolicy trusted = {.network_count = 0};
    struct eds_address source = {.bytes = {10, 0, 0, 1}}, before = source;
    char *first = calloc(1, size + 1), *second = first + size / 2;
    const char *values[2] = {first, second};
    int32_t rc;

    check(first != NULL);
    memcpy(first, data, size);
    check(eds_forwarded_source(&source, &trusted, kind, values, 1, NULL) == EDS_OK ||
          memcmp(&source, &before, sizeof source) == 0); /* a stranger is not asked */
    check(memcmp(&source, &before, sizeof source) == 0);
    check(eds_netpolicy_allow_list(&trusted, "10.0.0.0/8", NULL) == EDS_OK);
    rc = eds_forwarded_source(&source, &trusted, kind, values, 2, NULL);
    check(rc == EDS_OK ||
          (rc == EDS_ERR_MALFORMED && memcmp(&source, &before, sizeof source) == 0));
    free(first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nothing[1];

    check_header(size > 0 ? data : nothing, size);
    check_list(size > 0 ? data : nothing, size, EDS_FORWARDED_FOR);
    check_list(size > 0 ? data : nothing, size, EDS_FORWARDED_RFC);
    return 0;
}
