/* ledger_postgres_array.c - many rows of one column as one parameter.
 *
 * PostgreSQL's binary array: dimensions, has-null flag, element type, length,
 * lower bound; then each element as its size and its bytes, -1 for NULL.  All
 * numbers are big-endian. */
#include "store/ledger_postgres.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_SIZE 20u /* bytes */

static void put_u32(uint8_t *at, uint32_t number)
{
    at[0] = (uint8_t)(number >> 24);
    at[1] = (uint8_t)(number >> 16);
    at[2] = (uint8_t)(number >> 8);
    at[3] = (uint8_t)number;
}

/* Room for size more bytes, or NULL. */
static uint8_t *grow(struct postgres_array *array, size_t size)
{
    uint8_t *at;

    if (array->failed)
        return NULL;
    if (size > array->capacity - array->size) {
        size_t needed = array->size + size;
        size_t capacity = array->capacity < 2048 ? 4096 : 2 * array->capacity;
        uint8_t *bytes;

        if (capacity < needed)
            capacity = needed;
        bytes = realloc(array->bytes, capacity);
        if (bytes == NULL) {
            array->failed = true;
            return NULL;
        }
        array->bytes = bytes;
        array->capacity = capacity;
    }
    at = array->bytes + array->size;
    array->size += size;
    return at;
}

void eds_postgres_array_begin(struct postgres_array *array, enum postgres_type type)
{
    uint8_t *header;

    array->size = 0;
    array->count = 0;
    array->failed = false;
    header = grow(array, HEADER_SIZE);
    if (header == NULL)
        return;
    put_u32(header, 1);     /* one dimension */
    put_u32(header + 4, 0); /* no NULL so far */
    put_u32(header + 8, (uint32_t)type);
    put_u32(header + 12, 0); /* its length: at the end */
    put_u32(header + 16, 1); /* counted from 1 */
}

void eds_postgres_array_add(struct postgres_array *array, const void *bytes, size_t size)
{
    uint8_t *at = grow(array, 4 + size);

    if (at == NULL)
        return;
    put_u32(at, (uint32_t)size); /* far below 2^31: eds_postgres_send_objects sees to it */
    if (size > 0)
        memcpy(at + 4, bytes, size);
    array->count++;
}

void eds_postgres_array_add_text(struct postgres_array *array, const char *text)
{
    eds_postgres_array_add(array, text, strlen(text));
}

void eds_postgres_array_add_u64(struct postgres_array *array, uint64_t number)
{
    uint8_t bytes[8];

    eds_postgres_put_u64(bytes, number);
    eds_postgres_array_add(array, bytes, sizeof bytes);
}

void eds_postgres_array_add_bool(struct postgres_array *array, bool value)
{
    uint8_t byte = value ? 1 : 0;

    eds_postgres_array_add(array, &byte, 1);
}

void eds_postgres_array_add_null(struct postgres_array *array)
{
    uint8_t *at = grow(array, 4);

    if (at == NULL)
        return;
    put_u32(at, UINT32_MAX);
    put_u32(array->bytes + 4, 1);
    array->count++;
}

bool eds_postgres_array_finish(struct postgres_array *array, struct postgres_params *params)
{
    if (array->failed || array->size > INT_MAX)
        return false;
    put_u32(array->bytes + 12, array->count);
    eds_postgres_add_bytes(params, array->bytes, array->size);
    return true;
}
