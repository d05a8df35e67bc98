/* store_sqlite.h - the buffer store in a SQLite file, for its own files. */
#ifndef EDS_DEVICE_STORE_SQLITE_H
#define EDS_DEVICE_STORE_SQLITE_H

#include <sqlite3.h>

#include "edgesentry/buffer_store.h"

enum buffer_statement {
    BUFFER_BEGIN,
    BUFFER_COMMIT,
    BUFFER_ROLLBACK,
    BUFFER_ADD,
    BUFFER_MOVE_HEAD,
    BUFFER_MOVE_COMMAND,
    BUFFER_NEXT,
    BUFFER_NEXT_OF_DEVICE,
    BUFFER_NEXT_DEAD,
    BUFFER_NEXT_DEAD_OF_DEVICE,
    BUFFER_REMOVE,
    BUFFER_BURY,
    BUFFER_REVIVE,
    BUFFER_ITEMS,
    BUFFER_HEADS,
    BUFFER_PAGES,
    BUFFER_STATEMENT_COUNT
};

struct sqlite_buffer {
    struct eds_buffer_store store;
    sqlite3 *db; /* NULL after a failure that only a new connection cures */
    sqlite3_stmt *statements[BUFFER_STATEMENT_COUNT];
    char *path;         /* absolute, so that it holds after chdir */
    sqlite3_int64 room; /* bytes that the file has for pages; 0: not known */
    int page_size;
};

/* store_sqlite_room.c.  set_chunk prepares a new connection; reserve gives the file
 * the room that the open transaction's pages will need (EDS_ERR_BUSY: the disk is
 * full); make_room lets the write-ahead log begin again, so that a write that found no
 * room may be tried once more. */
void eds_buffer_sqlite_set_chunk(struct sqlite_buffer *sqlite);
int32_t eds_buffer_sqlite_reserve(struct sqlite_buffer *sqlite, struct eds_error *err);
bool eds_buffer_sqlite_make_room(struct sqlite_buffer *sqlite);

/* store_sqlite_connect.c: a connection ready for use, or none.  ready makes one
 * where a failure has taken it. */
int32_t eds_buffer_sqlite_connect(struct sqlite_buffer *sqlite, struct eds_error *err);
void eds_buffer_sqlite_disconnect(struct sqlite_buffer *sqlite);
int32_t eds_buffer_sqlite_ready(struct sqlite_buffer *sqlite, struct eds_error *err);

/* eds_buffer_sqlite_fail says what SQLite reports: "cannot DOING PATH: ...". */
int32_t eds_buffer_sqlite_fail(const struct sqlite_buffer *sqlite, struct eds_error *err,
                               const char *doing);

#endif
