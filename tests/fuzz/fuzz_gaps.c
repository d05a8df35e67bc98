/* fuzz_gaps.c - any text as a file of gap records.
 *
 * What is read can be a gap, has canonical bytes, and is read as the very same
 * again once it is written, in either style. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/json_gap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static int32_t compare(void *context, const struct eds_gap *gap)
{
    check(memcmp(context, gap, sizeof *gap) == 0);
    return EDS_OK;
}

static void check_again(const struct eds_gap *gap, enum eds_json_style style)
{
    static char text[EDS_JSON_GAP_SIZE_MAX + 2];
    struct eds_gap wanted = *gap;
    size_t size = eds_json_gap_encode(text + 1, EDS_JSON_GAP_SIZE_MAX, gap, style, 2);

    check(size > 0);
    text[0] = '[';
    text[size + 1] = ']';
    check(eds_json_gaps_decode(text, size + 2, compare, &wanted, NULL) == EDS_OK);
}

static int32_t take(void *context, const struct eds_gap *gap)
{
    static const uint8_t key[EDS_PUBLIC_KEY_SIZE];
    uint8_t bytes[EDS_GAP_SIZE_MAX];

    (void)context;
    check(eds_gap_check(gap, NULL) == EDS_OK);
    check(eds_gap_encode(bytes, gap) <= sizeof bytes);
    check(!eds_gap_verify(gap, key));
    check_again(gap, EDS_JSON_COMPACT);
    check_again(gap, EDS_JSON_PRETTY);
    return EDS_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eds_error err = {.code = EDS_OK};
    int32_t rc = eds_json_gaps_decode((const char *)data, size, take, NULL, &err);

    check(rc == EDS_OK || (err.code == rc && err.text[0] != '\0'));
    return 0;
}
