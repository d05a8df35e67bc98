/* store_sqlite_room.c - the buffer on a disk that it can fill.
 *
 * Every write goes to the write-ahead log first, also the one that takes a delivered
 * item out.  A log that has the last block of the disk cannot grow, and it can only be
 * begun again once its pages are in the file, which cannot grow either: the buffer
 * would be full for ever, with a server waiting for what is in it.  So the file gets
 * the room for all its pages before a push is made durable; then the log's pages
 * always have a place to go, and its own blocks serve once more. */
#include "device/store_sqlite.h"

#define CHUNK_SIZE (64 * 1024) /* bytes that the file grows by */

void eds_buffer_sqlite_set_chunk(struct sqlite_buffer *sqlite)
{
    int size = CHUNK_SIZE;

    sqlite->room = 0;
    (void)sqlite3_file_control(sqlite->db, "main", SQLITE_FCNTL_CHUNK_SIZE, &size);
}

/* What the file will have at the end of the transaction; 0: not known. */
static sqlite3_int64 size_wanted(struct sqlite_buffer *sqlite)
{
    sqlite3_stmt *statement = sqlite->statements[BUFFER_PAGES];
    sqlite3_int64 size = 0;

    if (sqlite3_step(statement) == SQLITE_ROW)
        size = sqlite3_column_int64(statement, 0) * sqlite->page_size;
    sqlite3_reset(statement);
    return size;
}

int32_t eds_buffer_sqlite_reserve(struct sqlite_buffer *sqlite, struct eds_error *err)
{
    sqlite3_int64 size = size_wanted(sqlite);
    int code;

    if (size <= sqlite->room)
        return EDS_OK;
    code = sqlite3_file_control(sqlite->db, "main", SQLITE_FCNTL_SIZE_HINT, &size);
    if (code != SQLITE_OK && code != SQLITE_NOTFOUND)
        return eds_error_set(err, EDS_ERR_BUSY,
                             "cannot write to the offline buffer %s: its disk has no room for "
                             "%lld bytes",
                             sqlite->path, (long long)size);
    sqlite->room = (size + CHUNK_SIZE - 1) / CHUNK_SIZE * CHUNK_SIZE;
    return EDS_OK;
}

bool eds_buffer_sqlite_make_room(struct sqlite_buffer *sqlite)
{
    return sqlite->db != NULL && sqlite3_get_autocommit(sqlite->db) != 0 &&
           sqlite3_wal_checkpoint_v2(sqlite->db, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL) ==
               SQLITE_OK;
}
