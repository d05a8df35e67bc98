/* fleet_property.h - what holds of any bytes that are read as devices.
 *
 * What is read does not depend on how the bytes came; a fault has words; a device
 * that is read is written and read again as the same, in every form; and where it
 * is registered so, the file changes nothing. */
#ifndef EDS_TESTS_FUZZ_FLEET_PROPERTY_H
#define EDS_TESTS_FUZZ_FLEET_PROPERTY_H

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "fleet/merge.h"
#include "fleet/writer.h"

#define NOW_MS UINT64_C(1795305600123)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes as a file that gives so many at once. */
struct bytes_file {
    const uint8_t *data;
    size_t size, at, piece;
};

static void check(bool holds)
{
    if (!holds)
        abort();
}

static ptrdiff_t read_bytes(void *context, void *buf, size_t size)
{
    struct bytes_file *file = context;
    size_t left = file->size - file->at;

    if (size > left)
        size = left;
    if (size > file->piece)
        size = file->piece;
    if (size > 0)
        memcpy(buf, file->data + file->at, size);
    file->at += size;
    return (ptrdiff_t)size;
}

static bool is_same(const struct eds_enrolment *a, const struct eds_enrolment *b)
{
    bool same = strcmp(a->id, b->id) == 0 && a->state == b->state &&
                a->attest_required == b->attest_required && strcmp(a->site, b->site) == 0 &&
                strcmp(a->cohort, b->cohort) == 0 && strcmp(a->firmware, b->firmware) == 0 &&
                a->key_count == b->key_count;

    for (uint32_t i = 0; same && i < a->key_count; i++)
        same = memcmp(a->keys[i].public_key, b->keys[i].public_key, EDS_PUBLIC_KEY_SIZE) == 0 &&
               a->keys[i].not_before_ms == b->keys[i].not_before_ms &&
               a->keys[i].not_after_ms == b->keys[i].not_after_ms &&
               a->keys[i].not_after_sequence == b->keys[i].not_after_sequence &&
               a->keys[i].revoked == b->keys[i].revoked;
    return same;
}

/* A file of this one device, read again. */
static void check_again(const struct eds_enrolment *it, enum eds_fleet_format format)
{
    char *text = malloc(EDS_FLEET_WRITE_MAX + 256);
    struct eds_fleet_reader *reader = malloc(sizeof *reader);
    struct eds_fleet_entry *entry = malloc(sizeof *entry);
    struct eds_enrolment again;
    struct bytes_file file = {.piece = SIZE_MAX};
    char changes[EDS_FLEET_CHANGES_SIZE];
    size_t size, used;

    check(text != NULL && reader != NULL && entry != NULL);
    used = strlen(eds_fleet_head(format));
    memcpy(text, eds_fleet_head(format), used);
    size = eds_fleet_write(text + used, format, 0, it);
    check(size > 0);
    strcpy(text + used + size, eds_fleet_tail(format, 1));
    file.data = (const uint8_t *)text;
    file.size = strlen(text);
    eds_fleet_reader_init(reader, EDS_FLEET_GUESS, read_bytes, &file);
    check(eds_fleet_reader_next(reader, entry, NULL) == EDS_OK);
    check(reader->format == format);
    check(eds_fleet_merge(&again, changes, entry, NULL, NOW_MS + 1, NULL) == EDS_OK);
    check(is_same(&again, it));
    check(eds_fleet_merge(&again, changes, entry, it, NOW_MS + 1, NULL) == EDS_OK);
    check(changes[0] == '\0' && is_same(&again, it));
    check(eds_fleet_reader_next(reader, entry, NULL) == EDS_ERR_NOT_FOUND);
    free(text);
    free(reader);
    free(entry);
}

static void note(uint64_t *hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        *hash = (*hash ^ ((const uint8_t *)bytes)[i]) * 1099511628211u;
}

/* A device that was read, as a new one. */
static void take(const struct eds_fleet_entry *entry, bool is_first_reading)
{
    char changes[EDS_FLEET_CHANGES_SIZE];
    struct eds_enrolment it;

    check(entry->it.key_count > 0 && entry->it.id[0] != '\0' && entry->line > 0);
    check(eds_fleet_merge(&it, changes, entry, NULL, NOW_MS, NULL) == EDS_OK);
    if (!is_first_reading)
        return;
    check_again(&it, EDS_FLEET_CSV);
    check_again(&it, EDS_FLEET_JSON);
    check_again(&it, EDS_FLEET_NDJSON);
}

/* Reads all of it in pieces and returns a hash of what that gave. */
static uint64_t read_devices(const uint8_t *data, size_t size, enum eds_fleet_format format,
                             size_t piece)
{
    uint64_t hash = 14695981039346656037u;
    struct bytes_file file = {.data = data, .size = size, .piece = piece};
    struct eds_fleet_reader *reader = malloc(sizeof *reader);
    struct eds_fleet_entry *entry = malloc(sizeof *entry);
    int32_t rc = EDS_OK;

    check(reader != NULL && entry != NULL);
    eds_fleet_reader_init(reader, format, read_bytes, &file);
    while (rc != EDS_ERR_NOT_FOUND) {
        struct eds_error err = {EDS_OK, ""};
        bool was_broken = reader->broken;

        rc = eds_fleet_reader_next(reader, entry, &err);
        if (rc == EDS_OK) {
            take(entry, piece == SIZE_MAX);
            note(&hash, &entry->it, eds_enrolment_size(&entry->it));
            note(&hash, &entry->given, sizeof entry->given);
            note(&hash, &entry->line, sizeof entry->line);
        } else if (rc != EDS_ERR_NOT_FOUND) {
            check(!was_broken && err.code == rc && err.text[0] != '\0' &&
                  eds_utf8_valid(err.text, strlen(err.text)));
            note(&hash, err.text, strlen(err.text));
        }
    }
    check(reader->broken || reader->consumed == size);
    free(reader);
    free(entry);
    return hash;
}

static void check_devices(const uint8_t *data, size_t size, enum eds_fleet_format format)
{
    uint64_t whole = read_devices(data, size, format, SIZE_MAX);

    check(read_devices(data, size, format, 1 + size / 3) == whole);
    if (size < 2000)
        check(read_devices(data, size, format, 1 + (size > 0 ? data[0] % 7 : 0)) == whole);
}

#endif
