/* fuzz_record.c - any bytes that decode must encode back to the very same bytes:
 * a record has one byte form, or its hash would not be one hash. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_record(const uint8_t *data, size_t size)
{
    EdsAuditRecord record, before;
    uint8_t again[EDS_RECORD_SIZE_MAX], hash[EDS_HASH_SIZE], expected[EDS_HASH_SIZE];
    struct eds_error err = {0};
    size_t again_size;

    memset(&record, 0xa5, sizeof record);
    before = record;
    if (eds_record_decode(&record, data, size, &err) != EDS_OK) {
        check(memcmp(&record, &before, sizeof record) == 0);
        check(err.code == EDS_ERR_MALFORMED && err.text[0] != '\0');
        return;
    }
    check(eds_record_encode(again, &again_size, &record) == EDS_OK);
    check(again_size == size && memcmp(again, data, size) == 0);
    check(eds_record_digest(hash, &record) == EDS_OK);
    eds_blake3(expected, data, size);
    check(memcmp(hash, expected, sizeof hash) == 0);
}

/* Entries one after the other, as in a file: each takes just its own bytes, and
 * what is cut off is called so. */
static void check_entries(const uint8_t *data, size_t size)
{
    struct eds_entry entry;
    uint8_t again[EDS_COMPACT_SIZE_MAX];
    size_t used, again_size;

    while (size > 0 && eds_compact_decode(&entry, data, size, &used, NULL) == EDS_OK) {
        check(used > 0 && used <= size);
        check(eds_compact_encode(again, &again_size, &entry) == EDS_OK);
        check(again_size == used && memcmp(again, data, used) == 0);
        check(eds_compact_decode(&entry, data, used - 1, &again_size, NULL) == EDS_ERR_TRUNCATED);
        data += used;
        size -= used;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_record(data, size);
    check_entries(data, size);
    return 0;
}
