/* export_piece.c - see export_piece.h.
 *
 * The array form is byte for byte what edgesentry-rs writes, so that a chain
 * that went in as a file comes out as the same file. */
#include "evidence/export_piece.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

#define TEXT_MAX      (EDS_JSON_ENTRY_SIZE_MAX + 8u) /* bytes of one record's text */
#define CAPACITY_KEPT (8u * EDS_EXPORT_PIECE_BYTES)  /* after a large payload less is kept */

/* Room for that many more bytes; NULL without memory. */
static uint8_t *make_room(struct eds_export_bytes *bytes, size_t size)
{
    size_t capacity = bytes->capacity > 0 ? bytes->capacity : 65536;
    uint8_t *grown;

    while (capacity - bytes->size < size)
        capacity *= 2;
    if (capacity > bytes->capacity) {
        grown = realloc(bytes->bytes, capacity);
        if (grown == NULL)
            return NULL;
        bytes->bytes = grown;
        bytes->capacity = capacity;
    }
    return bytes->bytes + bytes->size;
}

static void empty(struct eds_export_bytes *bytes)
{
    bytes->size = 0;
    if (bytes->capacity <= CAPACITY_KEPT)
        return;
    free(bytes->bytes);
    *bytes = (struct eds_export_bytes){NULL, 0, 0};
}

int32_t eds_export_piece_add(struct eds_export_piece *piece, const struct eds_stored *stored,
                             struct eds_error *err)
{
    const struct eds_stored_object *object = stored->object;
    struct eds_export_item *item = &piece->items[piece->count];

    assert(!eds_export_piece_is_full(piece));
    item->entry = *stored->entry;
    memcpy(item->record_hash, stored->record_hash, EDS_HASH_SIZE);
    item->is_kept = object != NULL && object->is_there && object->payload != NULL;
    if (item->is_kept) {
        uint8_t *to = make_room(&piece->payloads, object->payload_size);

        if (to == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of a payload",
                                 object->payload_size);
        memcpy(to, object->payload, object->payload_size);
        item->payload_at = piece->payloads.size;
        item->payload_size = object->payload_size;
        piece->payloads.size += object->payload_size;
    }
    piece->count++;
    return EDS_OK;
}

bool eds_export_piece_is_full(const struct eds_export_piece *piece)
{
    return piece->count == EDS_EXPORT_PIECE_MAX || piece->payloads.size >= EDS_EXPORT_PIECE_BYTES;
}

void eds_export_piece_clear(struct eds_export_piece *piece)
{
    piece->count = 0;
    piece->is_first = piece->has_failed = false;
    empty(&piece->payloads);
    empty(&piece->records);
    empty(&piece->digits);
}

void eds_export_piece_free(void *piece)
{
    struct eds_export_piece *it = piece;

    free(it->payloads.bytes);
    free(it->records.bytes);
    free(it->digits.bytes);
}

/* Writes one record; returns the size of its text, or 0. */
static size_t encode(char text[TEXT_MAX], const struct eds_entry *entry,
                     enum eds_chain_format format, bool is_first)
{
    size_t size = 0;

    switch (format) {
    case EDS_CHAIN_ARRAY:
        memcpy(text, is_first ? "[\n  " : ",\n  ", 4);
        size = eds_json_entry_encode(text + 4, EDS_JSON_ENTRY_SIZE_MAX, entry, EDS_JSON_PRETTY, 2);
        return size > 0 ? size + 4 : 0;
    case EDS_CHAIN_NDJSON:
        size = eds_json_entry_encode(text, EDS_JSON_ENTRY_SIZE_MAX, entry, EDS_JSON_COMPACT, 0);
        text[size] = '\n';
        return size > 0 ? size + 1 : 0;
    case EDS_CHAIN_COMPACT:
        if (eds_compact_encode((uint8_t *)text, &size, entry) != EDS_OK)
            return 0;
        return size;
    }
    return 0;
}

const char *eds_export_before_digits(bool is_first)
{
    return is_first ? "[\n  \"" : ",\n  \"";
}

static bool write_digits(struct eds_export_piece *piece, const struct eds_export_item *item,
                         bool is_first)
{
    const char *before = eds_export_before_digits(is_first);
    size_t before_size = strlen(before);
    char *to = (char *)make_room(&piece->digits, before_size + 2 * item->payload_size + 2);

    if (to == NULL)
        return false;
    memcpy(to, before, before_size);
    eds_hex_encode(to + before_size, piece->payloads.bytes + item->payload_at, item->payload_size);
    memcpy(to + before_size + 2 * item->payload_size, EDS_EXPORT_AFTER_DIGITS, 1);
    piece->digits.size += before_size + 2 * item->payload_size + 1;
    return true;
}

void eds_export_piece_write(struct eds_export_piece *piece, enum eds_chain_format format)
{
    for (size_t i = 0; i < piece->count && !piece->has_failed; i++) {
        struct eds_export_item *item = &piece->items[i];
        bool is_first = piece->is_first && i == 0;
        char *text = (char *)make_room(&piece->records, TEXT_MAX);
        size_t size = text != NULL ? encode(text, &item->entry, format, is_first) : 0;

        piece->records.size += size;
        item->text_end = size > 0 ? piece->records.size : 0;
        piece->has_failed = text == NULL || (item->is_kept && !write_digits(piece, item, is_first));
        item->digits_end = piece->digits.size;
    }
}
