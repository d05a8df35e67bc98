/* visitors.h - places for those who come again, as many as there are: who has stayed away
 * longest makes room.
 *
 * What a store remembers of a device lies in an array of the caller's; this says at which
 * index.  Places are in sets of four, and only who shares a set puts anybody out: of a
 * thousand visitors none has to leave, where with one place for each hash one in nine
 * would meet another at every visit. */
#ifndef EDS_STORE_VISITORS_H
#define EDS_STORE_VISITORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/error.h"

#define EDS_VISITOR_PLACES   8192u
#define EDS_VISITOR_SET_SIZE 4u

/* The one who was here last comes first. */
struct eds_visitor_set {
    uint64_t visitors[EDS_VISITOR_SET_SIZE];
    uint8_t places[EDS_VISITOR_SET_SIZE];
};

struct eds_visitors {
    struct eds_visitor_set *sets;
};

/* eds_visitors_init gives all places to visitor 0.  EDS_OK or EDS_ERR_NO_MEMORY. */
int32_t eds_visitors_init(struct eds_visitors *visitors, struct eds_error *err);
void eds_visitors_free(struct eds_visitors *visitors); /* a zeroed one, too */

/* eds_visitors_find gives the visitor's place, if there is one, and remembers the visit.
 *
 *   visitor  a hash that nobody outside can choose */
bool eds_visitors_find(struct eds_visitors *visitors, uint64_t visitor, size_t *place);

/* eds_visitors_place gives the visitor's place; without one that of somebody else, of whom
 * the caller has to forget what is there. */
size_t eds_visitors_place(struct eds_visitors *visitors, uint64_t visitor);

#endif
