/* objects_workers.h - threads that carry out puts, for stores whose own calls
 * block.  First in, first out, without memory of its own. */
#ifndef EDS_STORE_OBJECTS_WORKERS_H
#define EDS_STORE_OBJECTS_WORKERS_H

#include <pthread.h>

#include "store/objects.h"

#define EDS_OBJECTS_WORKERS 8u /* an fsync waits, and so many may wait together */

struct eds_objects_workers {
    pthread_mutex_t lock;
    pthread_cond_t filled; /* or stopping */
    struct eds_object_put *first, *last;
    bool stopping;
    /* Stores one payload and says how that went; the answer is given for it. */
    int32_t (*store)(void *context, struct eds_object_put *, struct eds_error *);
    void *context;
    pthread_t threads[EDS_OBJECTS_WORKERS];
    unsigned thread_count;
};

/* eds_objects_workers_start fills in what store and context do not.  EDS_OK or
 * EDS_ERR_IO; eds_objects_workers_stop may follow either. */
int32_t eds_objects_workers_start(struct eds_objects_workers *workers, struct eds_error *err);

/* eds_objects_workers_stop carries out what was given, and ends the threads. */
void eds_objects_workers_stop(struct eds_objects_workers *workers);

void eds_objects_workers_give(struct eds_objects_workers *workers, struct eds_object_put *put);

#endif
