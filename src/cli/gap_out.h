/* gap_out.h - gap records for people and for scripts. */
#ifndef EDS_CLI_GAP_OUT_H
#define EDS_CLI_GAP_OUT_H

#include "cli/json_out.h"
#include "core/gap.h"
#include "evidence/gap_list.h"

#define EDS_GAP_TEXT_SIZE 1536u /* bytes that hold any gap's text and a NUL */

/* eds_gap_missing_text says what is missing ("sequences 5 to 8 are missing"). */
void eds_gap_missing_text(char *out, size_t size, const struct eds_gap *gap);

/* eds_gap_text says all of it: "device=lift-01: sequences 5 to 8 are missing; closed
 * 2026-11-22T00:00:00.123Z by operator alice: flash replaced". */
void eds_gap_text(char out[EDS_GAP_TEXT_SIZE], const struct eds_gap *gap);

/* eds_gap_json writes the members of a gap, as in a file of gaps, and missing_count. */
void eds_gap_json(struct eds_json_out *json, const struct eds_gap *gap);

/* eds_gaps_print writes one line a gap to standard output ("GAP device=lift-01: ..."),
 * eds_gaps_json the members gap_count and gaps. */
void eds_gaps_print(const struct eds_gap_list *list);
void eds_gaps_json(struct eds_json_out *json, const struct eds_gap_list *list);

#endif
