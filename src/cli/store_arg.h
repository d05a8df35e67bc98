/* store_arg.h - which ledger a command works on: --data-dir or --store. */
#ifndef EDS_CLI_STORE_ARG_H
#define EDS_CLI_STORE_ARG_H

#include "cli/args.h"
#include "store/ledger.h"

/* The two options, for a command's table. */
#define EDS_OPTION_DATA_DIR                                                                        \
    {                                                                                              \
        .name = "data-dir", .value = "DIR", .fallback = "./edgesentry-data",                       \
        .help = "Directory of the SQLite ledger, in the file edgesentry.db"                        \
    }
#define EDS_OPTION_STORE                                                                           \
    {                                                                                              \
        .name = "store", .value = "URL", .environment = "EDS_STORE",                               \
        .help = "Ledger by URL instead: sqlite:PATH, postgresql://USER@HOST/DATABASE or memory:"   \
    }

/* eds_store_open opens the ledger that args name; the caller closes it.
 *
 *   read_only  for looking only: what is not there is EDS_ERR_NOT_FOUND, and
 *              nothing is made or changed
 *
 * EDS_ERR_USAGE if both options are given, and the errors of eds_ledger_open. */
int32_t eds_store_open(struct eds_ledger **out, const struct eds_args *args, bool read_only,
                       struct eds_error *err);

/* eds_store_open_url is the same for a URL. */
int32_t eds_store_open_url(struct eds_ledger **out, const char *url, bool read_only,
                           struct eds_error *err);

/* eds_store_sqlite_path writes the path of the SQLite file that args name; false if
 * they name another kind of ledger, or the path is too long. */
bool eds_store_sqlite_path(char *out, size_t out_size, const struct eds_args *args);

/* eds_store_postgres_url gives the URL of the PostgreSQL ledger that args name; NULL if
 * they name another kind of ledger. */
const char *eds_store_postgres_url(const struct eds_args *args);

/* eds_store_migrate opens it for writing, and takes tables of edgesentry-rs over
 * where they stand in the way. */
int32_t eds_store_migrate(struct eds_ledger **out, const struct eds_args *args,
                          struct eds_error *err);

#endif
