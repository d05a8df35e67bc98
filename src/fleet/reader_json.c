/* reader_json.c - devices out of a JSON array, or out of lines of JSON.
 *
 * The end of an object is found first, by a walk that wants nothing but JSON; so
 * the object's own faults do not hide where the next one begins. */
#include <string.h>

#include "codec/json_cursor.h"
#include "fleet/reader.h"

/* What the fields of one object are read into. */
struct taking {
    struct eds_fleet_entry *entry;
    bool is_revoked; /* by its "standing" */
};

enum kind { STRING, NUMBER, BOOLEAN };

/* Reads a value of a kind, or null, and sets the field. */
static void take(struct eds_json_cursor *c, struct taking *taking, enum eds_fleet_field field,
                 enum kind kind)
{
    static const char *const expected[] = {"a string or null", "a number or null",
                                           "true, false or null"};
    char text[EDS_DEVICE_ID_SIZE];
    struct eds_error why;
    const char *at;
    size_t size;

    eds_json_space(c);
    at = c->at;
    if (at < c->end && *at == '"' && kind == STRING) {
        (void)eds_json_string(c, text, sizeof text);
    } else {
        bool fits = at < c->end && (*at == 'n' || (kind == NUMBER && *at >= '0' && *at <= '9') ||
                                    (kind == BOOLEAN && (*at == 't' || *at == 'f')));

        if (!fits)
            eds_json_fail_expected(c, at, expected[kind]);
        eds_json_skip(c);
        size = c->rc == EDS_OK && *at != 'n' ? (size_t)(c->at - at) : 0;
        if (size >= sizeof text)
            size = sizeof text - 1; /* no number that fits is that long */
        memcpy(text, at, size);
        text[size] = '\0';
        if (c->rc == EDS_OK && size == 0 && field != EDS_FLEET_PUBLIC_KEY &&
            field != EDS_FLEET_DEVICE_ID)
            return; /* null: not given */
    }
    if (c->rc == EDS_OK && eds_fleet_set(taking->entry, field, text, &why) != EDS_OK)
        eds_json_fail(c, at, why.text);
}

/* clang-format off: one a line */
#define TAKE(name, field, kind)                                                                    \
    static void name(struct eds_json_cursor *c, void *taking)                                      \
    {                                                                                              \
        take(c, taking, field, kind);                                                              \
    }
TAKE(take_id, EDS_FLEET_DEVICE_ID, STRING)
TAKE(take_site, EDS_FLEET_SITE, STRING)
TAKE(take_cohort, EDS_FLEET_COHORT, STRING)
TAKE(take_firmware, EDS_FLEET_FIRMWARE, STRING)
TAKE(take_attest, EDS_FLEET_ATTEST, STRING)
TAKE(take_state, EDS_FLEET_STATE, STRING)
TAKE(take_public_key, EDS_FLEET_PUBLIC_KEY, STRING)
TAKE(take_not_before, EDS_FLEET_NOT_BEFORE, STRING)
TAKE(take_not_after, EDS_FLEET_NOT_AFTER, STRING)
TAKE(take_sequence, EDS_FLEET_NOT_AFTER_SEQUENCE, NUMBER)
TAKE(take_revoked, EDS_FLEET_REVOKED, BOOLEAN)
/* clang-format on */

/* What list and show tell beside: a matter of the ledger it came from. */
static void pass_over(struct eds_json_cursor *c, void *taking)
{
    (void)taking;
    eds_json_skip(c);
}

/* list and show tell of a revoked key by this word; the others follow from the
 * key's window. */
static void take_standing(struct eds_json_cursor *c, void *context)
{
    struct taking *taking = context;
    char word[32];

    (void)eds_json_string(c, word, sizeof word);
    taking->is_revoked = taking->is_revoked || strcmp(word, "revoked") == 0;
}

static const struct eds_json_field key_fields[] = {
    EDS_JSON_FIELD("public_key", take_public_key),
    EDS_JSON_FIELD("not_before", take_not_before),
    EDS_JSON_FIELD("not_after", take_not_after),
    EDS_JSON_FIELD("not_after_sequence", take_sequence),
    EDS_JSON_FIELD("revoked", take_revoked),
    EDS_JSON_FIELD("standing", take_standing),
    EDS_JSON_FIELD("key_id", pass_over),
};
static const struct eds_json_shape key_shape = {key_fields, 7, 1, false};

static void take_key(struct eds_json_cursor *c, struct taking *taking)
{
    struct eds_error why;
    const char *at;
    int32_t rc;

    eds_json_space(c);
    at = c->at;
    rc = eds_fleet_key_begin(taking->entry, &why);
    if (rc == EDS_OK) {
        taking->is_revoked = false;
        eds_json_object(c, &key_shape, taking);
        if (c->rc != EDS_OK)
            return;
        if (taking->is_revoked)
            (void)eds_fleet_set(taking->entry, EDS_FLEET_REVOKED, "true", NULL);
        rc = eds_fleet_key_end(taking->entry, &why);
    }
    if (rc != EDS_OK)
        eds_json_fail(c, at, why.text);
}

static void take_keys(struct eds_json_cursor *c, void *taking)
{
    if (!eds_json_take(c, '[')) {
        eds_json_fail_expected(c, c->at, "an array of keys");
        return;
    }
    if (eds_json_take(c, ']')) {
        eds_json_fail(c, c->at - 1, "a device has at least one key");
        return;
    }
    do {
        take_key(c, taking);
    } while (c->rc == EDS_OK && eds_json_take(c, ','));
    if (c->rc == EDS_OK && !eds_json_take(c, ']'))
        eds_json_fail_expected(c, c->at, "',' or ']'");
}

static const struct eds_json_field device_fields[] = {
    EDS_JSON_FIELD("device_id", take_id),      EDS_JSON_FIELD("keys", take_keys),
    EDS_JSON_FIELD("state", take_state),       EDS_JSON_FIELD("attest", take_attest),
    EDS_JSON_FIELD("site", take_site),         EDS_JSON_FIELD("cohort", take_cohort),
    EDS_JSON_FIELD("firmware", take_firmware), EDS_JSON_FIELD("quarantined_records", pass_over),
    EDS_JSON_FIELD("revision", pass_over),     EDS_JSON_FIELD("sequence", pass_over),
    EDS_JSON_FIELD("attested", pass_over),     EDS_JSON_FIELD("conflict_count", pass_over),
};
static const struct eds_json_shape device_shape = {device_fields, 12, 3, false};

/* A walk over the next size bytes, whose errors speak of the file. */
static struct eds_json_cursor walk(const struct eds_fleet_reader *reader, size_t size,
                                   struct eds_error *err)
{
    struct eds_json_cursor c;

    eds_json_begin(&c, reader->buf + reader->start, size, "devices", true, err);
    c.place = (struct eds_json_place){reader->line, reader->column, reader->consumed};
    c.end_name = "the file";
    c.indexed = true;
    c.index = reader->count;
    return c;
}

static int32_t break_off(struct eds_fleet_reader *reader, int32_t rc)
{
    reader->broken = true;
    return rc;
}

static int32_t fail_expected(struct eds_fleet_reader *reader, const char *what,
                             struct eds_error *err)
{
    struct eds_json_cursor c = walk(reader, reader->end - reader->start, err);

    c.indexed = false;
    eds_json_fail_expected(&c, c.at, what);
    return break_off(reader, c.rc);
}

/* Decodes the object that has the next size bytes; they are consumed. */
static int32_t take_device(struct eds_fleet_reader *reader, size_t size,
                           struct eds_fleet_entry *out, struct eds_error *err)
{
    struct eds_json_cursor c = walk(reader, size, err);
    struct taking taking = {.entry = out};

    eds_fleet_entry_begin(out, reader->line);
    eds_json_object(&c, &device_shape, &taking);
    eds_json_finish(&c);
    eds_fleet_consume(reader, size);
    reader->count++;
    return c.rc;
}

/* Moves over white space and tells the byte after it; '\0' at the end. */
static char next_char(struct eds_fleet_reader *reader, struct eds_error *err)
{
    do {
        struct eds_json_cursor c = walk(reader, reader->end - reader->start, NULL);

        eds_json_space(&c);
        eds_fleet_consume(reader, (size_t)(c.at - c.text));
        if (c.at < c.end)
            return *c.at;
    } while (eds_fleet_read_more(reader, err));
    return '\0';
}

/* Takes the object that begins where the reader is. */
static int32_t take_element(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                            struct eds_error *err)
{
    struct eds_json_cursor c;
    size_t size;

    if (reader->end == reader->start || reader->buf[reader->start] != '{')
        return fail_expected(reader, "an object", err);
    do {
        size = reader->end - reader->start;
        if (size > EDS_FLEET_TEXT_MAX)
            size = EDS_FLEET_TEXT_MAX;
        c = walk(reader, size, NULL);
        eds_json_skip(&c);
    } while (c.rc == EDS_ERR_TRUNCATED && size < EDS_FLEET_TEXT_MAX &&
             eds_fleet_read_more(reader, err));
    if (reader->rc != EDS_OK)
        return reader->rc;
    if (c.rc == EDS_OK)
        return take_device(reader, (size_t)(c.at - c.text), out, err);
    c = walk(reader, size, err); /* once more, for the words */
    if (size == EDS_FLEET_TEXT_MAX)
        eds_json_fail(&c, c.at, "the text of a device is longer than 65536 bytes");
    eds_json_skip(&c);
    return break_off(reader, c.rc);
}

/* Reads up to the array's '['. */
static int32_t begin_array(struct eds_fleet_reader *reader, struct eds_error *err)
{
    static const char name[] = "\"devices\"";
    struct eds_json_cursor c = walk(reader, reader->end - reader->start, NULL);

    /* begin in reader.c has read far enough for this. */
    reader->begun = true;
    reader->in_object = eds_json_take(&c, '{');
    if (reader->in_object) {
        eds_json_space(&c);
        if ((size_t)(c.end - c.at) < sizeof name - 1 || memcmp(c.at, name, sizeof name - 1) != 0)
            return fail_expected(reader, "an array of devices, or {\"devices\": [...]}", err);
        c.at += sizeof name - 1;
        if (!eds_json_take(&c, ':'))
            return fail_expected(reader, "an array of devices, or {\"devices\": [...]}", err);
    }
    if (!eds_json_take(&c, '['))
        return fail_expected(reader, "an array of devices, or {\"devices\": [...]}", err);
    eds_fleet_consume(reader, (size_t)(c.at - c.text));
    return EDS_OK;
}

static int32_t end_array(struct eds_fleet_reader *reader, struct eds_error *err)
{
    char next;

    eds_fleet_consume(reader, 1); /* the ']' */
    next = next_char(reader, err);
    if (reader->in_object && reader->rc == EDS_OK) {
        if (next != '}')
            return fail_expected(reader, "'}'", err);
        eds_fleet_consume(reader, 1);
        (void)next_char(reader, err);
    }
    if (reader->rc == EDS_OK && reader->end > reader->start)
        return fail_expected(reader, "nothing after the devices", err);
    return reader->rc != EDS_OK ? reader->rc : break_off(reader, EDS_ERR_NOT_FOUND);
}

static int32_t next_in_array(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                             struct eds_error *err)
{
    bool is_first = !reader->begun;
    int32_t rc = is_first ? begin_array(reader, err) : EDS_OK;
    char next;

    if (rc != EDS_OK)
        return rc;
    next = next_char(reader, err);
    if (reader->rc != EDS_OK)
        return reader->rc;
    if (next == ']' && reader->begun)
        return end_array(reader, err);
    if (!is_first) {
        if (next != ',')
            return fail_expected(reader, "',' or ']'", err);
        eds_fleet_consume(reader, 1);
        (void)next_char(reader, err);
        if (reader->rc != EDS_OK)
            return reader->rc;
    }
    return take_element(reader, out, err);
}

static int32_t next_in_lines(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                             struct eds_error *err)
{
    const char *stop;
    size_t size;

    if (next_char(reader, err) == '\0' && reader->end == reader->start)
        return reader->rc != EDS_OK ? reader->rc : EDS_ERR_NOT_FOUND;
    do {
        stop = memchr(reader->buf + reader->start, '\n', reader->end - reader->start);
        size = stop != NULL ? (size_t)(stop - reader->buf) - reader->start
                            : reader->end - reader->start;
    } while (stop == NULL && size <= EDS_FLEET_TEXT_MAX && eds_fleet_read_more(reader, err));
    if (reader->rc != EDS_OK)
        return reader->rc;
    if (size > EDS_FLEET_TEXT_MAX) {
        struct eds_json_cursor c = walk(reader, size, err);

        eds_json_fail(&c, c.at, "a line of more than 65536 bytes");
        return break_off(reader, c.rc);
    }
    return take_device(reader, size, out, err);
}

int32_t eds_fleet_next_object(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                              struct eds_error *err)
{
    if (reader->format == EDS_FLEET_NDJSON)
        return next_in_lines(reader, out, err);
    return next_in_array(reader, out, err);
}
