/* json_note.h - notes, the records in which a device tells of itself:
 * {"note":"KIND","text":"..."} under a reference of their own (docs/SPEC.md, 17). */
#ifndef EDS_CODEC_JSON_NOTE_H
#define EDS_CODEC_JSON_NOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/record.h"
#include "edgesentry/error.h"

#define EDS_NOTE_REFERENCE "edgesentry:note/" /* then DEVICE_ID/SEQUENCE */
#define EDS_NOTE_KIND_SIZE 33u                /* bytes, NUL included */
#define EDS_NOTE_TEXT_SIZE 1001u

struct eds_note {
    char kind[EDS_NOTE_KIND_SIZE];
    char text[EDS_NOTE_TEXT_SIZE];
};

/* eds_note_is_one tells whether a record claims to be a note. */
bool eds_note_is_one(const EdsAuditRecord *record);

/* eds_json_note_decode reads one note.  EDS_OK, or what is wrong where. */
int32_t eds_json_note_decode(struct eds_note *out, const char *text, size_t size,
                             struct eds_error *err);

#endif
