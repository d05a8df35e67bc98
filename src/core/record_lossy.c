/* record_lossy.c - the hash of a record that cannot be encoded.
 *
 * Such a record is refused everywhere but in the bridge, whose callers expect
 * the original's answer: it reads each string buffer as UTF-8 and puts U+FFFD
 * in the place of what is none.  Up to 2,304 bytes of text come of that, so it
 * is fed to the hash piece by piece and never stored. */
#include <string.h>

#include "base/utf8.h"
#include "core/fields.h"
#include "core/record_impl.h"

static const uint8_t replacement[3] = {0xef, 0xbf, 0xbd}; /* U+FFFD */

static size_t string_size(const uint8_t *string, size_t buffer_size)
{
    const uint8_t *end = memchr(string, '\0', buffer_size);

    return end != NULL ? (size_t)(end - string) : buffer_size;
}

/* Walks a string's pieces: counts their bytes, and hashes them if there is a
 * hash to feed. */
static size_t walk_string(struct eds_blake3 *hash, const uint8_t *string, size_t size)
{
    size_t total = 0;

    while (size > 0) {
        size_t valid = eds_utf8_valid_size(string, size);

        if (hash != NULL)
            eds_blake3_update(hash, string, valid);
        total += valid;
        string += valid;
        size -= valid;
        if (size > 0) {
            size_t fault = eds_utf8_fault_size(string, size);

            if (hash != NULL)
                eds_blake3_update(hash, replacement, sizeof replacement);
            total += sizeof replacement;
            string += fault;
            size -= fault;
        }
    }
    return total;
}

static void hash_varint(struct eds_blake3 *hash, uint64_t number)
{
    uint8_t bytes[10];

    eds_blake3_update(hash, bytes, eds_varint_encode(bytes, number));
}

static void hash_string(struct eds_blake3 *hash, const uint8_t *string, size_t buffer_size)
{
    size_t size = string_size(string, buffer_size);

    hash_varint(hash, walk_string(NULL, string, size));
    walk_string(hash, string, size);
}

void eds_record_digest_lossy(uint8_t out[EDS_HASH_SIZE], const EdsAuditRecord *record)
{
    struct eds_blake3 hash;

    if (eds_record_digest(out, record) == EDS_OK)
        return;
    eds_blake3_init(&hash);
    hash_string(&hash, record->device_id, sizeof record->device_id);
    hash_varint(&hash, record->sequence);
    hash_varint(&hash, record->timestamp_ms);
    eds_blake3_update(&hash, record->payload_hash, sizeof record->payload_hash);
    hash_varint(&hash, sizeof record->signature);
    eds_blake3_update(&hash, record->signature, sizeof record->signature);
    eds_blake3_update(&hash, record->prev_record_hash, sizeof record->prev_record_hash);
    hash_string(&hash, record->object_ref, sizeof record->object_ref);
    eds_blake3_final(&hash, out);
}
