/* roster_watch.h - keeps the registry in memory as the store has it, while
 * others change it: a command beside us, another node's operator.
 *
 * A thread of its own asks for the roster's version a few times a second (one
 * row) and reads what has changed.  So a change is known everywhere within
 * EDS_ROSTER_WATCH_MS and the time of a query, and no request ever waits for it.
 * While the store does not answer, the registry stays as it was; nothing is
 * accepted then either. */
#ifndef EDS_INGEST_ROSTER_WATCH_H
#define EDS_INGEST_ROSTER_WATCH_H

#include "ingest/ingest.h"
#include "ingest/sightings.h"
#include "store/roster.h"

#define EDS_ROSTER_WATCH_MS 200u

struct eds_roster_watch;

/* eds_roster_watch_create reads the whole roster into a registry, which
 * outlives the watch.
 *
 *   ledger  the watch's own from here on, also after a failure: no other thread
 *           may use it, and it is closed by eds_roster_watch_stop
 *
 * EDS_OK, EDS_ERR_NO_MEMORY, or the store's error. */
int32_t eds_roster_watch_create(struct eds_roster_watch **out, struct eds_ledger *ledger,
                                struct eds_registry *registry, struct eds_error *err);

/* eds_roster_watch_start begins to look for changes.  Tables of keys that may no
 * longer sign are taken out of ingest, which outlives the watch.  EDS_OK or
 * EDS_ERR_IO (no thread). */
int32_t eds_roster_watch_start(struct eds_roster_watch *watch, struct eds_ingest *ingest,
                               struct eds_error *err);

/* eds_roster_watch_sightings is where ingest leaves what devices say of themselves; the
 * watch writes it into the registry. */
struct eds_sightings *eds_roster_watch_sightings(struct eds_roster_watch *watch);

/* eds_roster_watch_refresh looks for changes at once, on the caller's thread. */
int32_t eds_roster_watch_refresh(struct eds_roster_watch *watch, struct eds_error *err);

/* eds_roster_watch_age_ms tells for how long the store has not confirmed that the
 * registry is as it says: little more than EDS_ROSTER_WATCH_MS while it answers. */
uint64_t eds_roster_watch_age_ms(const struct eds_roster_watch *watch);

/* eds_roster_watch_stop ends the thread and frees all; NULL is fine. */
void eds_roster_watch_stop(struct eds_roster_watch *watch);

#endif
