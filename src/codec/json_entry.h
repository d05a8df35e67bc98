/* json_entry.h - the record's own part of the codec, for envelopes and files. */
#ifndef EDS_CODEC_JSON_ENTRY_H
#define EDS_CODEC_JSON_ENTRY_H

#include "codec/json_cursor.h"
#include "codec/json_writer.h"
#include "edgesentry/record.h"

/* eds_json_take_entry reads a record object; *out is partly filled on failure. */
void eds_json_take_entry(struct eds_json_cursor *c, struct eds_entry *out);

/* eds_json_put_entry writes one. */
void eds_json_put_entry(struct eds_json_writer *w, const struct eds_entry *entry);

#endif
