/* objects_directory.h - payloads as files of a directory. */
#ifndef EDS_STORE_OBJECTS_DIRECTORY_H
#define EDS_STORE_OBJECTS_DIRECTORY_H

#include "store/objects.h"

enum eds_directory_use {
    EDS_DIRECTORY_READ,  /* get alone; it must be there */
    EDS_DIRECTORY_NOW,   /* made at once, where it is missing */
    EDS_DIRECTORY_LATER, /* made when the first payload comes */
};

/* eds_directory_open is eds_objects_open for file:DIR. */
int32_t eds_directory_open(struct eds_objects **out, const char *path, enum eds_directory_use use,
                           struct eds_error *err);

#endif
