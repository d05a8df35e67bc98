/* backup.h - a copy of a ledger as it is at one moment, while servers go on. */
#ifndef EDS_STORE_BACKUP_H
#define EDS_STORE_BACKUP_H

#include "store/ledger.h"

/* eds_ledger_backup copies a SQLite ledger into a file of its own, which needs no
 * other beside it.  What is committed meanwhile is not in it.
 *
 *   path      an empty file; the caller syncs it, and takes it away after a failure
 *   progress  called now and then with the bytes copied so far; NULL: not
 *
 * EDS_OK; EDS_ERR_UNSUPPORTED for another kind of ledger, whose own tools do that;
 * EDS_ERR_IO, EDS_ERR_NO_MEMORY, EDS_ERR_BUSY. */
int32_t eds_ledger_backup(struct eds_ledger *ledger, const char *path,
                          void (*progress)(void *context, uint64_t bytes), void *context,
                          struct eds_error *err);

#endif
