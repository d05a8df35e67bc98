/* scene.h - ingest on a ledger that can be held and can fail, and two devices. */
#ifndef EDS_TESTS_INGEST_SCENE_H
#define EDS_TESTS_INGEST_SCENE_H

#include "ingest/faulty_ledger.h"
#include "ingest/world.h"

#define PARCEL_MAX 64u

struct scene {
    struct eds_registry *registry;
    struct eds_ledger *inner; /* in memory, behind the faulty one */
    struct faulty_ledger ledger;
    struct eds_ingest_config config;
    struct eds_ingest *ingest;
    struct device a, b, plug; /* the plug's record keeps the committer waiting */
    struct parcel parcels[PARCEL_MAX], plug_parcel;
    struct tally tally;
};

/* scene_set and scene_end are setup and teardown of a CMocka test. */
int scene_set(void **state);
int scene_end(void **state);

/* scene_restart stops ingest and starts it with what config says now. */
void scene_restart(struct scene *scene);

/* What is added between batch_begin and batch_end waits, and is one batch. */
void batch_begin(struct scene *scene);
void batch_add(struct scene *scene, struct parcel *parcel);
void batch_end(struct scene *scene);

/* answered fails the test unless a parcel got that verdict. */
void answered(const struct parcel *parcel, enum eds_verdict verdict);

/* scene_stored fails the test unless that many records of a device are stored. */
void scene_stored(struct scene *scene, const char *device_id, uint64_t count);

struct eds_ledger_counts scene_counts(struct scene *scene);

#endif
