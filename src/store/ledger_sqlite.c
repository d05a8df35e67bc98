/* ledger_sqlite.c - the SQLite ledger: open and close. */
#include "store/ledger_sqlite.h"

#include <stdlib.h>

#include "store/ledger_sqlite_roster.h"

/* References go to their blocks by so many: a hundred for each of a thousand devices.
 * They take 100 bytes of memory each, and the commit that does it some tens of
 * milliseconds, which are those of a thousand devices' pages: with half as many references
 * they are hardly fewer, and come twice as often. */
#define TAIL_MAX 131072

/* Of 4 KiB, SQLite's own choice.  Larger pages were measured: they save a fifth
 * for 1000 records of one device in a commit, and cost half as much again for
 * 64 records of 64 devices, where each touches a page of its own in an index. */
/* A checkpoint writes a page once, however often it is in the log: in a large ledger of a
 * thousand devices one of 64 MiB writes a third fewer for a record than one of 32 MiB. */
#define WAL_PAGES_SOFT 16384 /* 64 MiB */
#define WAL_PAGES_HARD 32768 /* 128 MiB */

static void close_ledger(struct eds_ledger *ledger)
{
    struct sqlite_ledger *sqlite = (struct sqlite_ledger *)ledger;

    eds_sqlite_disconnect(sqlite); /* empties the write-ahead log into the file */
    eds_commit_plan_free(&sqlite->plan);
    eds_sqlite_rows_free(&sqlite->rows);
    free(sqlite->heads);
    eds_ref_tail_free(&sqlite->tail);
    eds_ref_gaps_free(&sqlite->gaps);
    eds_known_heads_free(&sqlite->known);
    free(sqlite->path);
    free(sqlite);
}

static const struct eds_ledger_ops sqlite_ops = {
    .name = "sqlite",
    .commit = eds_sqlite_commit,
    .head = eds_sqlite_head,
    .record_hash = eds_sqlite_record_hash,
    .object = eds_sqlite_object,
    .payload = eds_sqlite_payload,
    .scan = eds_sqlite_scan,
    .scan_whole = eds_sqlite_scan_whole,
    .heads = eds_sqlite_heads,
    .operations = eds_sqlite_operations,
    .conflicts = eds_sqlite_conflicts,
    .counts = eds_sqlite_counts,
    .close = close_ledger,
};

int32_t eds_sqlite_open(struct eds_ledger **out, const char *path, bool read_only,
                        struct eds_error *err)
{
    struct sqlite_ledger *sqlite = calloc(1, sizeof *sqlite);
    int32_t rc;

    if (sqlite == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a ledger");
    sqlite->ledger.ops = &sqlite_ops;
    sqlite->ledger.roster = &eds_sqlite_roster_ops;
    sqlite->ledger.quarantine = &eds_sqlite_quarantine_ops;
    sqlite->ledger.gaps = &eds_sqlite_gap_ops;
    sqlite->ledger.orders = &eds_sqlite_order_ops;
    sqlite->read_only = read_only;
    sqlite->wal_pages_soft = WAL_PAGES_SOFT;
    sqlite->wal_pages_hard = sqlite->wal_pages_wait = WAL_PAGES_HARD;
    sqlite->tail_max = TAIL_MAX;
    rc = eds_commit_plan_init(&sqlite->plan, err);
    if (rc == EDS_OK)
        rc = eds_ref_tail_init(&sqlite->tail, err);
    if (rc == EDS_OK)
        rc = eds_ref_gaps_init(&sqlite->gaps, err);
    if (rc == EDS_OK)
        rc = eds_known_heads_init(&sqlite->known, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_make_place(&sqlite->path, path, read_only, err);
    if (rc == EDS_OK)
        rc = eds_sqlite_connect(sqlite, err);
    if (rc != EDS_OK) {
        close_ledger(&sqlite->ledger);
        return rc;
    }
    *out = &sqlite->ledger;
    return EDS_OK;
}
