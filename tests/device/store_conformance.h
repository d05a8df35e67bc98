/* store_conformance.h - what every buffer store promises (edgesentry/buffer_store.h),
 * as tests. */
#ifndef EDS_TESTS_DEVICE_STORE_CONFORMANCE_H
#define EDS_TESTS_DEVICE_STORE_CONFORMANCE_H

#include "edgesentry/buffer.h"
#include "support/temp_dir.h"

/* A place for a store, empty for each test. */
struct store_place {
    char directory[EDS_TEMP_DIR_SIZE];
    char url[EDS_TEMP_DIR_SIZE + 64];
    bool is_durable;
};

/* store_conformance runs the suite; scheme is "memory:", "sqlite:", "log:", and
 * options what stands behind the path.  Returns what main returns. */
int store_conformance(const char *scheme, const char *options);

#endif
