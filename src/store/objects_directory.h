/* objects_directory.h - payloads as files of a directory. */
#ifndef EDS_STORE_OBJECTS_DIRECTORY_H
#define EDS_STORE_OBJECTS_DIRECTORY_H

#include "store/objects.h"

/* eds_directory_open is eds_objects_open for file:DIR. */
int32_t eds_directory_open(struct eds_objects **out, const char *path, bool read_only,
                           struct eds_error *err);

#endif
