/* suggest.h - which known word did a mistyped one mean? */
#ifndef EDS_CLI_SUGGEST_H
#define EDS_CLI_SUGGEST_H

#include <stddef.h>

struct eds_suggestion {
    const char *typed; /* not terminated */
    size_t typed_size; /* bytes */
    const char *word;  /* the nearest so far; NULL: none is near */
    size_t distance;
};

struct eds_suggestion eds_suggest_begin(const char *typed, size_t typed_size);

/* eds_suggest_try takes word if it is nearer than what was there: as a word
 * that begins as typed, or with few letters changed, left out or swapped. */
void eds_suggest_try(struct eds_suggestion *best, const char *word);

#endif
