/* wipe.h - forgetting secrets, in a way that a compiler cannot leave out. */
#ifndef EDS_BASE_WIPE_H
#define EDS_BASE_WIPE_H

#include <stddef.h>

/* eds_wipe zeroes size bytes; bytes may be NULL if size is 0. */
void eds_wipe(void *bytes, size_t size);

#endif
