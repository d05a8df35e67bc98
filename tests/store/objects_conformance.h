/* objects_conformance.h - what every store of payloads promises
 * (store/objects.h), tested.
 *
 * A new store is held to its contract by a test program that calls this. */
#ifndef EDS_TESTS_STORE_OBJECTS_CONFORMANCE_H
#define EDS_TESTS_STORE_OBJECTS_CONFORMANCE_H

#include "store/objects.h"

struct objects_place {
    const char *name;
    /* Opens the same place again and again; clean empties it after a test. */
    struct eds_objects *(*open)(void);
    void (*clean)(void);
    /* Puts other content under a name, past the store; only for stores by hash. */
    void (*spoil)(const struct eds_object_name *name, const void *bytes, size_t size);
};

/* objects_conformance_run runs the suite and returns the failures. */
int objects_conformance_run(const struct objects_place *place);

/* objects_name names a payload: by its hash and by that reference. */
struct eds_object_name objects_name(const char *object_ref, const void *payload, size_t size);

/* objects_put puts a payload, waits, and returns the answer. */
int32_t objects_put(struct eds_objects *objects, const char *object_ref, const void *payload,
                    size_t size, struct eds_error *err);

/* objects_expect fails the test unless that payload is there. */
void objects_expect(struct eds_objects *objects, const char *object_ref, const void *payload,
                    size_t size);

#endif
