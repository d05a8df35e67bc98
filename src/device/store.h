/* store.h - the buffer stores that come along. */
#ifndef EDS_DEVICE_STORE_H
#define EDS_DEVICE_STORE_H

#include "base/features.h"
#include "edgesentry/buffer_store.h"

/* Each opens or makes a store; errors as eds_buffer_open. */
int32_t eds_buffer_memory_open(struct eds_buffer_store **out, struct eds_error *err);
int32_t eds_buffer_log_open(struct eds_buffer_store **out, const char *url, struct eds_error *err);
#if EDS_BUFFER_SQLITE
int32_t eds_buffer_sqlite_open(struct eds_buffer_store **out, const char *path,
                               struct eds_error *err);
#endif

#endif
