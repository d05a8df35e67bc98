/* ledger_sqlite_gather.c - writes that follow each other, as one.
 *
 * SQLite writes a page of its log with two calls, its head and its bytes, and a commit
 * has some pages at least; a checkpoint writes each page on its own, in their order.
 * The calls cost more than the bytes.  So this layer, above the system's own, keeps what
 * is written one behind the other, and writes it at once before anything else is asked
 * of the file: a sync, first of all, but also a lock, a size, or a byte.
 *
 * Nobody can miss what is kept here.  Others look into a file when a lock, or the shared
 * memory behind a barrier, tells them that something is there, and these come by here, too.
 * A write that fails makes the operation fail that it was put off to: of a commit that is
 * the sync, so that the commit fails as it would have before.
 */
#include "store/ledger_sqlite.h"

/* Bytes: the most that SQLite's layer for Unix hands to the system at once. */
#define BUFFER_SIZE 131071u

/* Bytes: a log's file is made longer by as much as it has, if that is worth it, and at most
 * by so much. */
#define LENGTHEN_MIN (64 * 1024)
#define LENGTHEN_MAX (1024 * 1024)

struct gather_file {
    sqlite3_file base;
    sqlite3_file *real; /* ours */
    uint8_t *bytes;     /* BUFFER_SIZE; NULL: nothing of this file is kept */
    size_t size;
    sqlite3_int64 offset; /* where the first of them belongs */
    int failure;          /* of a write, not told yet */

    struct gather_file *main, *log; /* of a log, its file; of a file, its log; else NULL */
    sqlite3_int64 length;           /* of a log's file, when we last saw it */
};

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct gather_file *)file)->real;
}

/* Writes zeroes behind the end of a log, where its file ends as well.  SQLite takes them
 * for no frame, as it does what is left there of an earlier round.
 *
 * It does not matter if they cannot be written, but then they must not take the room of
 * what has to be. */
static void lengthen(struct gather_file *log, sqlite3_int64 end)
{
    static const uint8_t zeroes[64 * 1024];
    sqlite3_int64 wanted = end + (end < LENGTHEN_MAX ? end : LENGTHEN_MAX);
    int code = SQLITE_OK;

    for (log->length = end; code == SQLITE_OK && log->length < wanted;) {
        sqlite3_int64 size = wanted - log->length;

        if (size > (sqlite3_int64)sizeof zeroes)
            size = (sqlite3_int64)sizeof zeroes;
        code = log->real->pMethods->xWrite(log->real, zeroes, (int)size, log->length);
        log->length += size;
    }
    if (code != SQLITE_OK) {
        (void)log->real->pMethods->xTruncate(log->real, end);
        log->length = end;
    }
}

/* A commit's sync takes much longer if the log's file has become longer, because the file
 * system then has to write down where its end is, too.  So that is done for many commits
 * at once.  Whoever writes to a log is alone in that: what is behind its end is nobody's. */
static void keep_long(struct gather_file *log, sqlite3_int64 end)
{
    sqlite3_int64 length = 0;

    if (log->main == NULL || end <= log->length || end < LENGTHEN_MIN ||
        log->real->pMethods->xFileSize(log->real, &length) != SQLITE_OK)
        return;
    if (length > end)
        log->length = length;
    else
        lengthen(log, end);
}

/* Writes what is kept.  What cannot be written is lost, which the caller tells. */
static int flush(sqlite3_file *file)
{
    struct gather_file *gather = (struct gather_file *)file;
    size_t size = gather->size;
    int code = gather->failure;

    gather->size = 0;
    gather->failure = SQLITE_OK;
    if (size == 0 || code != SQLITE_OK)
        return code;
    code = gather->real->pMethods->xWrite(gather->real, gather->bytes, (int)size, gather->offset);
    if (code == SQLITE_OK)
        keep_long(gather, gather->offset + (sqlite3_int64)size);
    return code;
}

static int close_file(sqlite3_file *file)
{
    struct gather_file *gather = (struct gather_file *)file;
    int flushed = flush(file), closed = gather->real->pMethods->xClose(gather->real);

    if (gather->main != NULL) /* which is closed after its log */
        gather->main->log = NULL;
    sqlite3_free(gather->bytes);
    sqlite3_free(gather->real);
    return flushed != SQLITE_OK ? flushed : closed;
}

static int read_file(sqlite3_file *file, void *out, int size, sqlite3_int64 offset)
{
    int code = flush(file);

    return code != SQLITE_OK ? code
                             : real_of(file)->pMethods->xRead(real_of(file), out, size, offset);
}

static int write_file(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    struct gather_file *gather = (struct gather_file *)file;
    bool follows = offset == gather->offset + (sqlite3_int64)gather->size;
    bool fits = gather->bytes != NULL && (size_t)size <= BUFFER_SIZE;
    int code = SQLITE_OK;

    if (!fits || !follows || (size_t)size > BUFFER_SIZE - gather->size)
        code = flush(file);
    if (code != SQLITE_OK)
        return code;
    if (!fits)
        return gather->real->pMethods->xWrite(gather->real, bytes, size, offset);
    if (gather->size == 0)
        gather->offset = offset;
    memcpy(gather->bytes + gather->size, bytes, (size_t)size);
    gather->size += (size_t)size;
    return SQLITE_OK;
}

static int truncate_file(sqlite3_file *file, sqlite3_int64 size)
{
    int code = flush(file);

    ((struct gather_file *)file)->length = 0; /* it is looked at again */
    return code != SQLITE_OK ? code : real_of(file)->pMethods->xTruncate(real_of(file), size);
}

static int sync_file(sqlite3_file *file, int flags)
{
    int code = flush(file);

    return code != SQLITE_OK ? code : real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int size_file(sqlite3_file *file, sqlite3_int64 *size)
{
    int code = flush(file);

    return code != SQLITE_OK ? code : real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int lock_file(sqlite3_file *file, int level)
{
    int code = flush(file);

    return code != SQLITE_OK ? code : real_of(file)->pMethods->xLock(real_of(file), level);
}

/* Before an operation that goes on in any case: a write that fails now is told by the
 * next one that can. */
static void flush_unheard(sqlite3_file *file)
{
    ((struct gather_file *)file)->failure = flush(file);
}

/* Before what shows others what there is, in the file and in its log. */
static void flush_both(sqlite3_file *file)
{
    struct gather_file *gather = (struct gather_file *)file;

    flush_unheard(file);
    if (gather->log != NULL)
        flush_unheard(&gather->log->base);
}

static int unlock_file(sqlite3_file *file, int level)
{
    flush_both(file);
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int check_reserved_lock(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int control_file(sqlite3_file *file, int operation, void *argument)
{
    flush_unheard(file);
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int map_shared(sqlite3_file *file, int page, int page_size, int extend, void volatile **out)
{
    return real_of(file)->pMethods->xShmMap(real_of(file), page, page_size, extend, out);
}

static int lock_shared(sqlite3_file *file, int offset, int count, int flags)
{
    flush_both(file);
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void barrier_shared(sqlite3_file *file)
{
    flush_both(file);
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int unmap_shared(sqlite3_file *file, int delete_flag)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_flag);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2, /* without mmap, by which reads would not come here */
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = characteristics,
    .xShmMap = map_shared,
    .xShmLock = lock_shared,
    .xShmBarrier = barrier_shared,
    .xShmUnmap = unmap_shared,
};

/* The system's layer, or the one that a test has put in its place. */
static sqlite3_vfs *real_vfs(void)
{
    return sqlite3_vfs_find(NULL);
}

static int open_file(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    struct gather_file *gather = (struct gather_file *)file;
    bool keeps = (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) != 0;
    sqlite3_vfs *real = real_vfs();
    int code = SQLITE_NOMEM;

    (void)vfs;
    *gather = (struct gather_file){.real = sqlite3_malloc(real->szOsFile),
                                   .bytes = keeps ? sqlite3_malloc(BUFFER_SIZE) : NULL};
    if (gather->real != NULL)
        memset(gather->real, 0, (size_t)real->szOsFile); /* without methods: not open */
    if (gather->real != NULL && (gather->bytes != NULL || !keeps))
        code = real->xOpen(real, name, gather->real, flags, out_flags);
    if (gather->real != NULL && gather->real->pMethods != NULL) {
        gather->base.pMethods = &methods; /* it will be closed, opened or not */
        if ((flags & SQLITE_OPEN_WAL) != 0) {
            gather->main = (struct gather_file *)sqlite3_database_file_object(name);
            gather->main->log = gather;
        }
        return code;
    }
    sqlite3_free(gather->bytes);
    sqlite3_free(gather->real);
    return code;
}

static int delete_file(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    (void)vfs;
    return real_vfs()->xDelete(real_vfs(), name, sync_directory);
}

static int access_file(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return real_vfs()->xAccess(real_vfs(), name, flags, out);
}

static int full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return real_vfs()->xFullPathname(real_vfs(), name, size, out);
}

static int randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return real_vfs()->xRandomness(real_vfs(), size, out);
}

static int sleep_us(sqlite3_vfs *vfs, int duration_us)
{
    (void)vfs;
    return real_vfs()->xSleep(real_vfs(), duration_us);
}

static int current_time(sqlite3_vfs *vfs, double *out)
{
    (void)vfs;
    return real_vfs()->xCurrentTime(real_vfs(), out);
}

static int last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    return real_vfs()->xGetLastError(real_vfs(), size, out);
}

static int current_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *out)
{
    (void)vfs;
    return real_vfs()->xCurrentTimeInt64(real_vfs(), out);
}

const char *eds_sqlite_gather(void)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct gather_file),
        .mxPathname = 512, /* as the system's; it is the one that looks */
        .zName = "edsgather",
        .xOpen = open_file,
        .xDelete = delete_file,
        .xAccess = access_file,
        .xFullPathname = full_pathname,
        .xRandomness = randomness,
        .xSleep = sleep_us,
        .xCurrentTime = current_time,
        .xGetLastError = last_error,
        .xCurrentTimeInt64 = current_time_ms,
    };

    /* Again each time, which is harmless: SQLite takes its own lock for it. */
    return sqlite3_vfs_register(&vfs, 0) == SQLITE_OK ? vfs.zName : NULL;
}
