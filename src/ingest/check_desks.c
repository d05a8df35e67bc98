/* check_desks.c - see check_desks.h. */
#include "ingest/check_desks.h"

#include <assert.h>

bool eds_check_desks_init(struct eds_check_desks *desks, size_t max)
{
    *desks = (struct eds_check_desks){.max = max < EDS_CHECK_DESKS_MAX ? max : EDS_CHECK_DESKS_MAX};
    return pthread_mutex_init(&desks->lock, NULL) == 0;
}

void eds_check_desks_free(struct eds_check_desks *desks)
{
    assert(desks->idle_count == desks->made_count);
    while (desks->idle_count > 0)
        eds_check_desk_destroy(desks->idle[--desks->idle_count]);
    pthread_mutex_destroy(&desks->lock);
}

struct eds_check_desk *eds_check_desks_take(struct eds_check_desks *desks)
{
    struct eds_check_desk *desk = NULL;
    bool make = false;

    pthread_mutex_lock(&desks->lock);
    if (desks->idle_count > 0) {
        desk = desks->idle[--desks->idle_count];
    } else if (desks->made_count < desks->max) {
        desks->made_count++;
        make = true;
    }
    pthread_mutex_unlock(&desks->lock);
    if (!make)
        return desk;
    desk = eds_check_desk_create();
    if (desk == NULL) {
        pthread_mutex_lock(&desks->lock);
        desks->made_count--;
        pthread_mutex_unlock(&desks->lock);
    }
    return desk;
}

void eds_check_desks_give_back(struct eds_check_desks *desks, struct eds_check_desk *desk)
{
    pthread_mutex_lock(&desks->lock);
    assert(desks->idle_count < desks->made_count);
    desks->idle[desks->idle_count++] = desk;
    pthread_mutex_unlock(&desks->lock);
}
