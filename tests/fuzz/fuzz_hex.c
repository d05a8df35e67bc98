/* fuzz_hex.c - any text as hex digits.
 *
 * What decodes is as many pairs of digits, and encodes to the same digits in
 * lower case; what does not has its first fault where the error says; and the
 * codec's own loop comes to the same bytes. */
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/utf8.h"
#include "codec/json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static size_t count_digits(const uint8_t *data, size_t size)
{
    size_t count = 0;

    while (count < size && isxdigit(data[count]))
        count++;
    return count;
}

static void check_error(const uint8_t *data, size_t size, const struct eds_error *err)
{
    size_t good = count_digits(data, size);
    char tail[64];

    check(err->code == EDS_ERR_MALFORMED && eds_utf8_valid(err->text, strlen(err->text)));
    if (size % 2 != 0) {
        check(strcmp(err->text, "Odd number of digits") == 0);
        return;
    }
    check(good < size && strncmp(err->text, "Invalid character '", 19) == 0);
    snprintf(tail, sizeof tail, "' at position %zu", good);
    check(strlen(err->text) > strlen(tail));
    check(strcmp(err->text + strlen(err->text) - strlen(tail), tail) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    uint8_t *bytes = malloc(size / 2 + 1), *scanned = malloc(size / 2 + 1);
    char *again = malloc(size + 2);
    struct eds_error err = {EDS_OK, ""};
    size_t good = count_digits(data, size);
    int32_t rc;

    check(bytes != NULL && scanned != NULL && again != NULL);
    rc = eds_hex_decode(bytes, text, size, &err);
    check((rc == EDS_OK) == (size % 2 == 0 && good == size));
    check(eds_scan_hex(scanned, text, text + size) == text + (good & ~(size_t)1));
    if (rc == EDS_OK) {
        check(memcmp(bytes, scanned, size / 2) == 0);
        eds_hex_encode(again, bytes, size / 2);
        check(strlen(again) == size);
        for (size_t i = 0; i < size; i++)
            check(again[i] == tolower(text[i]));
        memcpy(again, text, size);
        check(eds_hex_decode((uint8_t *)again, again, size, NULL) == EDS_OK); /* in place */
        check(memcmp(again, bytes, size / 2) == 0);
    } else {
        check_error(data, size, &err);
    }
    check((eds_hex_decode_exactly(bytes, size / 2, text, size, &err) == EDS_OK) == (rc == EDS_OK));
    check(eds_hex_decode_exactly(bytes, size / 2 + 1, text, size, NULL) == EDS_ERR_MALFORMED);
    free(again);
    free(scanned);
    free(bytes);
    return 0;
}
