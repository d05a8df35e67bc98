/* ledger_postgres_objects.h - payloads that come before their records, in tables beside a
 * ledger in PostgreSQL. */
#ifndef EDS_STORE_LEDGER_POSTGRES_OBJECTS_H
#define EDS_STORE_LEDGER_POSTGRES_OBJECTS_H

#include "store/objects.h"

/* eds_postgres_objects_open as eds_objects_open_postgres. */
int32_t eds_postgres_objects_open(struct eds_objects **out, const char *url, bool read_only,
                                  struct eds_error *err);

#endif
