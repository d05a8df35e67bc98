/* held_objects.h - a store of payloads whose every answer is given by the test. */
#ifndef EDS_TESTS_INGEST_HELD_OBJECTS_H
#define EDS_TESTS_INGEST_HELD_OBJECTS_H

#include <pthread.h>

#include "store/objects.h"

#define HELD_MAX 64u

struct held_objects {
    struct eds_objects base;
    pthread_mutex_t lock;
    pthread_cond_t arrived;
    struct eds_object_put *held[HELD_MAX]; /* in the order of their coming; NULL: answered */
    size_t count;
};

void held_make(struct held_objects *objects, bool by_hash);
void held_free(struct held_objects *objects);

/* held_count tells how many puts there were so far. */
size_t held_count(struct held_objects *objects);

/* held_answer waits for the n-th put (0 is the first) and answers it. */
void held_answer(struct held_objects *objects, size_t n, int32_t rc);

#endif
