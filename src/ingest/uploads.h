/* uploads.h - the stage before the committer where payloads go into their own
 * store.
 *
 * A submission waits here until its payload is stored, and then joins the
 * committer's queue; so the row comes after the payload, and a slow store holds
 * up nobody else.  Records of one device leave in the order in which they came,
 * because the committer would refuse the second without the first; everything
 * else passes: rejections, and payloads that were stored not long ago.
 *
 * A payload that could not be stored is answered EDS_VERDICT_STORE, and so is
 * what came behind it from the same device.  Bounded together with the queue;
 * fixed size, no allocation after the start.  Any thread. */
#ifndef EDS_INGEST_UPLOADS_H
#define EDS_INGEST_UPLOADS_H

#include "ingest/queue.h"
#include "store/objects.h"

struct eds_uploads;

/* eds_uploads_start prepares for at most queue->max submissions in both places
 * together.  From now on whatever goes into the queue goes through here.
 * EDS_OK, EDS_ERR_NO_MEMORY, EDS_ERR_PANIC (no randomness).
 *
 *   objects, queue  outlive the stage */
int32_t eds_uploads_start(struct eds_uploads **out, struct eds_objects *objects,
                          struct eds_queue *queue);

/* eds_uploads_push takes a checked submission; false if both places are full. */
bool eds_uploads_push(struct eds_uploads *uploads, struct eds_submission *submission);

/* eds_uploads_count tells how many wait here; a moment later it may be otherwise. */
size_t eds_uploads_count(struct eds_uploads *uploads);

/* eds_uploads_stop waits until all have left for the queue, and frees the stage
 * (NULL: does nothing).  No push may run at the same time or follow. */
void eds_uploads_stop(struct eds_uploads *uploads);

#endif
