/* batch_parts.h - the parts of the batch, for its own files.
 *
 * batch_decide.c reads and decides, batch_commit.c changes, batch_lines.c writes what
 * the operation log will say; batch.c has their order. */
#ifndef EDS_INGEST_BATCH_PARTS_H
#define EDS_INGEST_BATCH_PARTS_H

#include "ingest/batch.h"

/* batch_decide.c: the verdict about an item, from what the checks said of it, the heads,
 * and what is pending.  What it accepts becomes pending; what is kept apart, or is
 * evidence of a fork, is put with those. */
enum eds_verdict eds_batch_judge(struct eds_batch *batch, struct eds_batch_item *item);

/* batch_commit.c: makes durable what has been decided; the heads are then where we moved
 * them, or not known; and, if it failed, the answers of a range that was in it. */
int32_t eds_batch_commit(struct eds_batch *batch, struct eds_error *err);
void eds_batch_keep_heads(struct eds_batch *batch, bool committed);
void eds_batch_take_back(struct eds_batch *batch, size_t first, size_t count);

/* The verdict, and its message, about what could not be stored or decided for the
 * store's sake; and a line on standard error, at most once a second. */
enum eds_verdict eds_batch_store_failed(struct eds_submission *submission);
void eds_batch_log_failure(struct eds_batch *batch, enum eds_component component, const char *what,
                           const struct eds_error *err);

/* batch_lines.c: the item's line for the operation log, if it gets one; that a rejection's
 * was not written after all; and one line for each source about those that got none. */
void eds_batch_list(struct eds_batch *batch, struct eds_batch_item *item);
void eds_batch_line_lost(struct eds_batch *batch, const char *source);
void eds_batch_tell_sums(struct eds_batch *batch, bool at_once);

#endif
