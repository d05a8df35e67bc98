/* payload_file.c - see payload_file.h. */
#include "evidence/payload_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"

void eds_payload_reader_init(struct eds_payload_reader *reader,
                             ptrdiff_t (*read)(void *context, void *buf, size_t size),
                             void *context)
{
    memset(reader, 0, sizeof *reader);
    reader->read = read;
    reader->context = context;
}

static int32_t say(const struct eds_payload_reader *reader, int32_t code, const char *what,
                   struct eds_error *err)
{
    return eds_error_set(err, code, "payloads file: %s at byte %" PRIu64 " (payload %" PRIu64 ")",
                         what, reader->position, reader->count);
}

/* Makes sure of at least one byte in buf.  EDS_ERR_NOT_FOUND at the end. */
static int32_t fill(struct eds_payload_reader *reader, struct eds_error *err)
{
    ptrdiff_t got;

    if (reader->start < reader->end)
        return EDS_OK;
    got = reader->read(reader->context, reader->buf, sizeof reader->buf);
    if (got < 0)
        return eds_error_set(err, EDS_ERR_IO, "%s (os error %d): payloads file", strerror(errno),
                             errno);
    reader->start = 0;
    reader->end = (size_t)got;
    return got > 0 ? EDS_OK : EDS_ERR_NOT_FOUND;
}

static void advance(struct eds_payload_reader *reader, size_t size)
{
    reader->start += size;
    reader->position += size;
}

/* The next byte that is no white space, consumed; '\0' at the end. */
static int32_t next_token(struct eds_payload_reader *reader, char *token, struct eds_error *err)
{
    for (;;) {
        int32_t rc = fill(reader, err);

        *token = '\0';
        if (rc == EDS_ERR_NOT_FOUND)
            return EDS_OK;
        if (rc != EDS_OK)
            return rc;
        *token = reader->buf[reader->start];
        if (*token == '\0')
            return say(reader, EDS_ERR_MALFORMED, "a NUL byte", err);
        advance(reader, 1);
        if (strchr(" \t\r\n", *token) == NULL)
            return EDS_OK;
    }
}

static int32_t expect_failed(struct eds_payload_reader *reader, char token, const char *expected,
                             struct eds_error *err)
{
    char text[80];

    if (token == '\0')
        return say(reader, EDS_ERR_TRUNCATED, "the file ends too early", err);
    reader->position--; /* where the byte stands, not behind it */
    strcpy(text, "expected ");
    strcat(text, expected);
    return say(reader, EDS_ERR_MALFORMED, text, err);
}

/* Appends digits, the memory doubling as they come. */
static int32_t grow(char **digits, size_t *capacity, size_t needed)
{
    size_t wanted = *capacity > 0 ? *capacity : 1024;
    char *grown;

    if (needed <= *capacity)
        return EDS_OK;
    while (wanted < needed)
        wanted *= 2;
    grown = realloc(*digits, wanted);
    if (grown == NULL)
        return EDS_ERR_NO_MEMORY;
    *digits = grown;
    *capacity = wanted;
    return EDS_OK;
}

/* Collects the digits up to the closing quote. */
static int32_t take_digits(struct eds_payload_reader *reader, char **digits, size_t *size,
                           struct eds_error *err)
{
    size_t capacity = 0;
    bool closed = false;

    *size = 0;
    while (!closed) {
        int32_t rc = fill(reader, err);
        const char *at = reader->buf + reader->start;
        size_t left = reader->end - reader->start;
        const char *quote = left > 0 ? memchr(at, '"', left) : NULL;
        size_t piece = quote != NULL ? (size_t)(quote - at) : left;

        if (rc == EDS_ERR_NOT_FOUND)
            return say(reader, EDS_ERR_TRUNCATED, "the file ends too early", err);
        if (rc != EDS_OK)
            return rc;
        if (piece > 2 * (size_t)EDS_PAYLOAD_SIZE_MAX - *size)
            return say(reader, EDS_ERR_TOO_LARGE, "a payload of more than 64 MiB", err);
        if (grow(digits, &capacity, *size + piece + 1) != EDS_OK)
            return say(reader, EDS_ERR_NO_MEMORY, "out of memory", err);
        memcpy(*digits + *size, at, piece);
        *size += piece;
        closed = quote != NULL;
        advance(reader, piece + closed);
    }
    return EDS_OK;
}

/* Everything before a payload's first digit: "[" or ",", and the quote. */
static int32_t begin(struct eds_payload_reader *reader, struct eds_error *err)
{
    char token;
    int32_t rc = next_token(reader, &token, err);

    if (rc != EDS_OK)
        return rc;
    if (!reader->begun) {
        if (token != '[')
            return expect_failed(reader, token, "'[': a JSON array of hex strings", err);
        reader->begun = true;
        rc = next_token(reader, &token, err);
        if (rc != EDS_OK)
            return rc;
        if (token == ']')
            reader->finished = true;
    } else if (token == ']') {
        reader->finished = true;
    } else if (token != ',') {
        return expect_failed(reader, token, "',' or ']'", err);
    } else {
        rc = next_token(reader, &token, err);
        if (rc != EDS_OK)
            return rc;
    }
    if (!reader->finished)
        return token == '"' ? EDS_OK : expect_failed(reader, token, "a hex string", err);
    rc = next_token(reader, &token, err);
    if (rc != EDS_OK)
        return rc;
    return token == '\0' ? EDS_ERR_NOT_FOUND
                         : expect_failed(reader, token, "nothing after ']'", err);
}

int32_t eds_payload_reader_next(struct eds_payload_reader *reader, void **out, size_t *out_size,
                                struct eds_error *err)
{
    char *digits = NULL;
    size_t size = 0;
    uint64_t position;
    struct eds_error why;
    int32_t rc;

    if (reader->finished)
        return EDS_ERR_NOT_FOUND;
    rc = begin(reader, err);
    if (rc != EDS_OK)
        return rc;
    position = reader->position;
    rc = take_digits(reader, &digits, &size, err);
    if (rc == EDS_OK && eds_hex_decode((uint8_t *)digits, digits, size, &why) != EDS_OK) {
        reader->position = position; /* where the string begins */
        rc = say(reader, EDS_ERR_MALFORMED, why.text, err);
    }
    if (rc != EDS_OK) {
        free(digits);
        return rc;
    }
    reader->count++;
    *out = digits;
    *out_size = size / 2;
    return EDS_OK;
}
