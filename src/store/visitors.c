/* visitors.c - see visitors.h. */
#include "store/visitors.h"

#include <stdlib.h>
#include <string.h>

#define SET_COUNT (EDS_VISITOR_PLACES / EDS_VISITOR_SET_SIZE)

_Static_assert((SET_COUNT & (SET_COUNT - 1)) == 0, "a power of two");

int32_t eds_visitors_init(struct eds_visitors *visitors, struct eds_error *err)
{
    visitors->sets = calloc(SET_COUNT, sizeof *visitors->sets);
    if (visitors->sets == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for visitors");
    for (size_t i = 0; i < SET_COUNT; i++)
        for (size_t k = 0; k < EDS_VISITOR_SET_SIZE; k++)
            visitors->sets[i].places[k] = (uint8_t)k;
    return EDS_OK;
}

void eds_visitors_free(struct eds_visitors *visitors)
{
    free(visitors->sets);
    visitors->sets = NULL;
}

/* Moves the k-th of a set to its front. */
static void put_first(struct eds_visitor_set *set, size_t k, uint64_t visitor)
{
    uint8_t place = set->places[k];

    memmove(set->visitors + 1, set->visitors, k * sizeof *set->visitors);
    memmove(set->places + 1, set->places, k * sizeof *set->places);
    set->visitors[0] = visitor;
    set->places[0] = place;
}

bool eds_visitors_find(struct eds_visitors *visitors, uint64_t visitor, size_t *place)
{
    size_t index = visitor & (SET_COUNT - 1), k = 0;
    struct eds_visitor_set *set = &visitors->sets[index];

    while (k < EDS_VISITOR_SET_SIZE && set->visitors[k] != visitor)
        k++;
    if (k == EDS_VISITOR_SET_SIZE)
        return false;
    put_first(set, k, visitor);
    *place = index * EDS_VISITOR_SET_SIZE + set->places[0];
    return true;
}

size_t eds_visitors_place(struct eds_visitors *visitors, uint64_t visitor)
{
    size_t index = visitor & (SET_COUNT - 1), place;

    if (eds_visitors_find(visitors, visitor, &place))
        return place;
    put_first(&visitors->sets[index], EDS_VISITOR_SET_SIZE - 1, visitor);
    return index * EDS_VISITOR_SET_SIZE + visitors->sets[index].places[0];
}
