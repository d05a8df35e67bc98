/* json_cursor.h - one walk over untrusted JSON, by someone who knows what has
 * to come next.
 *
 * The reading functions return nothing to check: the first failure is written
 * to *err, sticks in rc and moves the cursor to the end of the text, where
 * nothing can be read any more.  So a decoder reads like the format's own table and
 * looks at rc once.
 *
 * What fails does so at the first wrong byte, whatever follows it; a text that
 * only ends too early is EDS_ERR_TRUNCATED.  Hence a reader that gets a text in
 * pieces may try as often as it likes: only EDS_ERR_TRUNCATED can turn into
 * another verdict. */
#ifndef EDS_CODEC_JSON_CURSOR_H
#define EDS_CODEC_JSON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/error.h"

#define EDS_JSON_DEPTH_MAX 4u /* nested names: record.attest.key_id and one spare */

/* A place in a file, for people: lines and columns count from 1, columns and
 * bytes count bytes. */
struct eds_json_place {
    uint64_t line, column, byte;
};

struct eds_json_cursor;

struct eds_json_field {
    const char *quoted; /* the name in its quotes */
    size_t quoted_size; /* bytes, quotes included */
    void (*read)(struct eds_json_cursor *c, void *object);
};

#define EDS_JSON_FIELD(name, read)                                                                 \
    {                                                                                              \
        "\"" name "\"", sizeof("\"" name "\"") - 1, read                                           \
    }

/* The fields of an object.  At most 32. */
struct eds_json_shape {
    const struct eds_json_field *fields; /* in the order that they mostly come in */
    unsigned field_count;
    uint32_t required; /* bit i: fields[i] must be there */
    bool open;         /* fields not named here are skipped, else refused */
};

struct eds_json_cursor {
    const char *at, *end; /* what is left */
    int32_t rc;           /* EDS_OK until the first failure */
    struct eds_error *err;

    /* What follows is for the error text alone. */
    const char *text;            /* where it all began ... */
    struct eds_json_place place; /* ... and where that is in the file */
    const char *root;            /* what the text is: "record" */
    bool root_shown;             /* is root part of a field's path? */
    bool indexed;                /* is root one of many: "records[7]"? */
    uint64_t index;
    const char *end_name;                                   /* what ends where end is: "the text" */
    const struct eds_json_field *names[EDS_JSON_DEPTH_MAX]; /* fields being read */
    unsigned depth;
    /* A string that was decoded in place.  It held no line break, but what is
     * there now may. */
    const char *spent, *spent_end;
};

/* eds_json_begin starts at the front of a text. */
void eds_json_begin(struct eds_json_cursor *c, const char *text, size_t size, const char *root,
                    bool root_shown, struct eds_error *err);

/* eds_json_finish wants nothing but white space in the rest. */
void eds_json_finish(struct eds_json_cursor *c);

/* Each reads one value.  The string's rest is filled with NULs; a string that
 * does not fit with its NUL is refused. */
size_t eds_json_string(struct eds_json_cursor *c, char *out, size_t out_size);
uint64_t eds_json_u64(struct eds_json_cursor *c);
void eds_json_bytes(struct eds_json_cursor *c, uint8_t *out, size_t count);
void eds_json_lower_hex(struct eds_json_cursor *c, uint8_t *out, size_t size);
void eds_json_object(struct eds_json_cursor *c, const struct eds_json_shape *shape, void *object);
void eds_json_skip(struct eds_json_cursor *c);

/* eds_json_string_cut reads a string and keeps what fits, whole characters;
 * NUL becomes U+FFFD. */
size_t eds_json_string_cut(struct eds_json_cursor *c, char *out, size_t out_size);

/* eds_json_string_rest reads on in a string whose quote and front are read;
 * out, without a NUL in the end, may be where the cursor is. */
size_t eds_json_string_rest(struct eds_json_cursor *c, char *out, size_t out_size);

/* eds_json_hex_in_place reads a string of hex digits (either case) and turns
 * it into bytes where it stands; text is what the cursor began with. */
const uint8_t *eds_json_hex_in_place(struct eds_json_cursor *c, char *text, size_t *size);

/* The failures.  at is the first wrong byte.
 *
 *   fail           PATH: WHAT at line 1 column 8 (byte 7)
 *   fail_shown     PATH: BEFORE shown AFTER at ..., shown escaped and cut
 *   fail_expected  PATH: expected WHAT, found 'x' at ..., or EDS_ERR_TRUNCATED
 *                  when at is the end
 *   fail_said      WHAT, and nothing else: the words of the original */
void eds_json_fail(struct eds_json_cursor *c, const char *at, const char *what);
void eds_json_fail_shown(struct eds_json_cursor *c, const char *at, const char *before,
                         const char *shown, size_t shown_size, const char *after);
void eds_json_fail_expected(struct eds_json_cursor *c, const char *at, const char *what);
void eds_json_fail_said(struct eds_json_cursor *c, const char *what);

/* eds_json_place_of tells where in the file a byte of the text is. */
struct eds_json_place eds_json_place_of(const struct eds_json_cursor *c, const char *at);

/* eds_json_place_move moves a place over [from, to). */
void eds_json_place_move(struct eds_json_place *place, const char *from, const char *to);

/* eds_json_space moves over white space. */
static inline void eds_json_space(struct eds_json_cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
}

/* eds_json_take moves over white space and, if it comes next, over one
 * character; says whether it did. */
static inline bool eds_json_take(struct eds_json_cursor *c, char wanted)
{
    eds_json_space(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

#endif
