/* json_note.c - see json_note.h. */
#include "codec/json_note.h"

#include <string.h>

#include "codec/json_cursor.h"

static void take_kind(struct eds_json_cursor *c, void *object)
{
    struct eds_note *note = object;

    (void)eds_json_string(c, note->kind, sizeof note->kind);
}

static void take_text(struct eds_json_cursor *c, void *object)
{
    struct eds_note *note = object;

    (void)eds_json_string(c, note->text, sizeof note->text);
}

static const struct eds_json_field note_fields[] = {
    EDS_JSON_FIELD("note", take_kind),
    EDS_JSON_FIELD("text", take_text),
};

static const struct eds_json_shape note_shape = {note_fields, 2, 0x3, true};

bool eds_note_is_one(const EdsAuditRecord *record)
{
    return strncmp((const char *)record->object_ref, EDS_NOTE_REFERENCE,
                   sizeof EDS_NOTE_REFERENCE - 1) == 0;
}

int32_t eds_json_note_decode(struct eds_note *out, const char *text, size_t size,
                             struct eds_error *err)
{
    struct eds_json_cursor c;

    memset(out, 0, sizeof *out);
    eds_json_begin(&c, text, size, "note", true, err);
    eds_json_object(&c, &note_shape, out);
    eds_json_finish(&c);
    return c.rc;
}
