/* sightings.h - what devices say of themselves, on its way from their records into the
 * registry: the firmware's version, from notes of the kind "firmware".
 *
 * The committer leaves it here once the note is stored, and whoever watches the registry
 * writes it there, so that no record waits for it.  The last word of a device counts.
 * Bounded: what finds no room is dropped and logged, and is still in the chain. */
#ifndef EDS_INGEST_SIGHTINGS_H
#define EDS_INGEST_SIGHTINGS_H

#include "store/ledger.h"

#define EDS_SIGHTINGS_MAX 1024u /* devices waiting */

struct eds_sightings;

/* eds_sightings_create returns NULL without memory; destroy takes NULL. */
struct eds_sightings *eds_sightings_create(void);
void eds_sightings_destroy(struct eds_sightings *sightings);

/* eds_sightings_take looks at an accepted record and keeps what its device says.
 * What is no note, or none of these, is passed over.  Any thread. */
void eds_sightings_take(struct eds_sightings *sightings, const EdsAuditRecord *record,
                        const void *payload, size_t payload_size);

/* eds_sightings_write puts what waits into the registry, where it says something else,
 * each as a change of its own, made by the device.  What a failing store did not take
 * waits for the next call.  One thread, whose ledger it is. */
void eds_sightings_write(struct eds_sightings *sightings, struct eds_ledger *ledger);

#endif
