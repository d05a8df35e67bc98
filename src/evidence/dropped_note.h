/* dropped_note.h - notes by which a device says that it gave a payload up for want of
 * room (docs/SPEC.md 17). */
#ifndef EDS_EVIDENCE_DROPPED_NOTE_H
#define EDS_EVIDENCE_DROPPED_NOTE_H

#include "edgesentry/record.h"

#define EDS_DROPPED_TEXT_SIZE 256u /* bytes, NUL included */

/* eds_dropped_note_read tells whether a record is such a note, and copies what it says:
 * "BLAKE3 ..., 5000 bytes, priority low: the buffer was full".
 *
 *   payload, size  the record's, held against its hash already */
bool eds_dropped_note_read(char text[EDS_DROPPED_TEXT_SIZE], const EdsAuditRecord *record,
                           const void *payload, size_t size);

#endif
