/* backup.c - see backup.h. */
#include "store/backup.h"

#include <string.h>

#include "base/features.h"
#if EDS_STORE_SQLITE
#include "store/ledger_sqlite.h"
#endif

int32_t eds_ledger_backup(struct eds_ledger *ledger, const char *path,
                          void (*progress)(void *context, uint64_t bytes), void *context,
                          struct eds_error *err)
{
#if EDS_STORE_SQLITE
    if (strcmp(ledger->ops->name, "sqlite") == 0)
        return eds_sqlite_backup(ledger, path, progress, context, err);
#endif
    (void)path;
    (void)progress;
    (void)context;
    return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                         "a ledger of kind %s is not backed up from here; for PostgreSQL there are "
                         "pg_basebackup and pg_dump",
                         ledger->ops->name);
}
