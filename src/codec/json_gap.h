/* json_gap.h - gap records as JSON: one object each, and a file of them, an array.
 *
 *   {"device_id": "lift-01", "last_sequence": 4, "last_record_hash": "<64 digits>",
 *    "resume_sequence": 9, "resume_hash": "<64 digits>", "closed_ms": 1795305600123,
 *    "operator": "alice", "reason": "flash replaced", "key_id": "<16 digits>",
 *    "signature": "<128 digits>"}
 *
 * Read as strictly as records are (edgesentry/json.h); hex in lower case. */
#ifndef EDS_CODEC_JSON_GAP_H
#define EDS_CODEC_JSON_GAP_H

#include "core/gap.h"
#include "edgesentry/json.h"

/* Bytes that hold any gap's JSON and a NUL, compact, or pretty with an indent of up
 * to 8: texts of 1021 bytes, each of which may take six. */
#define EDS_JSON_GAP_SIZE_MAX 8192u

/* eds_json_gap_encode writes a gap; out, out_size, style, indent and the result as
 * for eds_json_entry_encode. */
size_t eds_json_gap_encode(char *out, size_t out_size, const struct eds_gap *gap,
                           enum eds_json_style style, unsigned indent);

/* eds_json_gaps_decode reads an array of gaps and gives each to take, in order; one
 * that eds_gap_check refuses is a fault.  A take that returns other than EDS_OK ends
 * the reading, which returns the same.
 *
 * EDS_OK, EDS_ERR_MALFORMED, EDS_ERR_TRUNCATED; some may have been given before. */
int32_t eds_json_gaps_decode(const char *text, size_t size,
                             int32_t (*take)(void *context, const struct eds_gap *gap),
                             void *context, struct eds_error *err);

#endif
