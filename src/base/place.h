/* place.h - directories that are made 0700, and so that they outlive a power cut.
 * For systems with an OS. */
#ifndef EDS_BASE_PLACE_H
#define EDS_BASE_PLACE_H

#include "edgesentry/error.h"

/* eds_place_absolute gives the path from the root, for the caller to free.
 * EDS_OK, EDS_ERR_IO, EDS_ERR_NO_MEMORY. */
int32_t eds_place_absolute(char **out, const char *path, struct eds_error *err);

/* eds_place_make_parents makes the missing directories above an absolute path,
 * which is cut at each slash meanwhile and put together again.  EDS_OK,
 * EDS_ERR_IO, EDS_ERR_NO_MEMORY. */
int32_t eds_place_make_parents(char *path, struct eds_error *err);

/* eds_place_sync makes the entries of a directory durable.  0, or -1 and errno. */
int eds_place_sync(const char *directory);

/* eds_place_error says "cannot DOING PATH: " and errno's text. */
int32_t eds_place_error(struct eds_error *err, const char *doing, const char *path);

#endif
