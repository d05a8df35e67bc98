/* gap_list.h - the gap records of a file, in memory. */
#ifndef EDS_EVIDENCE_GAP_LIST_H
#define EDS_EVIDENCE_GAP_LIST_H

#include "core/gap.h"

#define EDS_GAP_FILE_SIZE_MAX (64u << 20) /* bytes; some ten thousand gaps */

struct eds_gap_list {
    struct eds_gap *gaps;
    size_t count, capacity;
};

/* eds_gap_list_add adds a copy.  EDS_OK or EDS_ERR_NO_MEMORY. */
int32_t eds_gap_list_add(struct eds_gap_list *list, const struct eds_gap *gap,
                         struct eds_error *err);

/* eds_gap_list_read adds those of a text (codec/json_gap.h), whose errors these are. */
int32_t eds_gap_list_read(struct eds_gap_list *list, const char *text, size_t size,
                          struct eds_error *err);

/* eds_gap_list_free frees what was added; a list that is all zero is empty. */
void eds_gap_list_free(struct eds_gap_list *list);

#endif
