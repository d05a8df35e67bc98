/* ledger_sqlite_bench.h - a directory with a SQLite ledger in it, and the ways around
 * the ledger: SQL by hand, the file's bytes. */
#ifndef EDS_TESTS_STORE_LEDGER_SQLITE_BENCH_H
#define EDS_TESTS_STORE_LEDGER_SQLITE_BENCH_H

#include <sqlite3.h>

#include "store/ledger_batch.h"
#include "support/temp_dir.h"

struct sqlite_bench {
    char directory[EDS_TEMP_DIR_SIZE];
    char path[EDS_TEMP_DIR_SIZE + 32]; /* of the ledger's file */
    struct eds_ledger *ledger;         /* NULL unless a test opens it */
    struct batch *batch;
    struct eds_error err;
};

/* For cmocka: an empty directory and an empty batch; no ledger yet. */
int sqlite_bench_set_up(void **state);
int sqlite_bench_tear_down(void **state);

/* The same on a disk that can be made to fail (ledger_sqlite_faulty_vfs.h) and does not
 * sync, which makes sweeps fast; of the log errors alone, because checkpoints will fail,
 * and say so. */
int sqlite_bench_set_up_faulty(void **state);
int sqlite_bench_tear_down_faulty(void **state);

/* Opens the file at path with options ("", "?mode=ro").  Returns the code. */
int32_t sqlite_bench_try_open(struct sqlite_bench *bench, const char *options);

/* Opens it; a failure ends the test.  Close is fine without an open ledger. */
void sqlite_bench_open(struct sqlite_bench *bench);
void sqlite_bench_close(struct sqlite_bench *bench);

/* Commits the batch, which must work, and empties it. */
void sqlite_bench_commit(struct sqlite_bench *bench);

/* A connection of its own to the file, and SQL that must work; sql closes it
 * again. */
sqlite3 *sqlite_bench_connect(struct sqlite_bench *bench);
void sqlite_bench_execute(sqlite3 *db, const char *sql);
void sqlite_bench_sql(struct sqlite_bench *bench, const char *sql);

/* Turns the file, which no ledger has open, into what version 5, or 10, would have left. */
void sqlite_bench_age(struct sqlite_bench *bench);
void sqlite_bench_age_to_10(struct sqlite_bench *bench);

/* Runs a query and gives its first column of its first row as text ("" for
 * none), which the caller frees. */
char *sqlite_bench_query(struct sqlite_bench *bench, const char *sql);

/* The bytes of a file, with a NUL behind; NULL if there is none. */
char *file_read(const char *path, size_t *size);
void file_write(const char *path, const void *bytes, size_t size);

#endif
