/* payload_ahead.h - a payloads file, read and decoded by a thread of its own.
 *
 * Whoever links a chain's records and takes their payloads is one thread; this takes a
 * third of its work away.  Some batches of payloads are ahead, no more, so that memory
 * is bounded.  For files whose reading ends by itself: the thread is waited for. */
#ifndef EDS_EVIDENCE_PAYLOAD_AHEAD_H
#define EDS_EVIDENCE_PAYLOAD_AHEAD_H

#include "evidence/payload_file.h"

struct eds_payload_ahead;

/* eds_payload_ahead_start begins to read; NULL without memory or a thread, and nothing
 * is read then.
 *
 *   reader  the thread's until the end */
struct eds_payload_ahead *eds_payload_ahead_start(struct eds_payload_reader *reader);

/* eds_payload_ahead_next gives what eds_payload_reader_next would, one after the other;
 * its first code other than EDS_OK is given for good. */
int32_t eds_payload_ahead_next(struct eds_payload_ahead *ahead, void **out, size_t *out_size,
                               struct eds_error *err);

/* eds_payload_ahead_end ends the thread and frees what was not taken; NULL is fine. */
void eds_payload_ahead_end(struct eds_payload_ahead *ahead);

#endif
