/* check_desks.h - desks for threads that check now and then, of what they bring.
 *
 * A desk is a megabyte: so there are no more than may be used at once, made when
 * they are first wanted.  Who finds none leaves the checks to others.  Any thread. */
#ifndef EDS_INGEST_CHECK_DESKS_H
#define EDS_INGEST_CHECK_DESKS_H

#include <pthread.h>

#include "ingest/check.h"

#define EDS_CHECK_DESKS_MAX 16u

struct eds_check_desks {
    pthread_mutex_t lock;
    struct eds_check_desk *idle[EDS_CHECK_DESKS_MAX];
    size_t idle_count, made_count, max;
};

/* eds_check_desks_init prepares for at most max desks (EDS_CHECK_DESKS_MAX if that is
 * less) and makes none.  False if there is no lock. */
bool eds_check_desks_init(struct eds_check_desks *desks, size_t max);

/* eds_check_desks_free frees all; each was given back. */
void eds_check_desks_free(struct eds_check_desks *desks);

/* eds_check_desks_take gives a desk that is to be given back, or NULL: all are in use,
 * or there is no memory. */
struct eds_check_desk *eds_check_desks_take(struct eds_check_desks *desks);
void eds_check_desks_give_back(struct eds_check_desks *desks, struct eds_check_desk *desk);

#endif
