/* ledger_sqlite_faulty_vfs.c - see ledger_sqlite_faulty_vfs.h. */
#include "store/ledger_sqlite_faulty_vfs.h"

#include <dirent.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR_SIZE 512u

/* A write or (bytes NULL) a truncation that no sync followed yet. */
struct change {
    struct change *next;
    uint8_t *bytes;
    size_t offset, size;
    bool is_deletion; /* a truncation to nothing: see faulty_delete */
};

/* What is known of one file. */
struct image {
    struct image *next;
    char *name;
    uint8_t *synced;
    size_t synced_size;
    bool is_synced; /* ever: its name is on the disk */
    struct change *first, *last;
};

struct faulty_file {
    sqlite3_file base;
    struct image *image; /* NULL: of no interest after a power cut */
    bool syncs_names;    /* the next sync is of the directory, too */
    sqlite3_file *real;  /* behind this struct */
};

static sqlite3_vfs faulty_vfs, *real_vfs;
static struct image *images;
static unsigned failing_kinds;
static uint64_t failing_at, counted, failed;
static bool failing_for_ever;

static bool fails(unsigned kind)
{
    if ((failing_kinds & kind) == 0 || failing_at == 0)
        return false;
    counted++;
    if (counted == failing_at || (counted > failing_at && failing_for_ever)) {
        failed++;
        return true;
    }
    return false;
}

void faulty_vfs_fail(unsigned kinds, uint64_t n, bool for_ever)
{
    failing_kinds = kinds;
    failing_at = n;
    failing_for_ever = for_ever;
    counted = failed = 0;
}

uint64_t faulty_vfs_failures(void)
{
    return failed;
}

/* By a way on which no test lets allocations fail (support/alloc.h). */
static void *allocate(size_t size)
{
    void *block;

    if (posix_memalign(&block, sizeof(void *), size > 0 ? size : 1) != 0)
        abort();
    memset(block, 0, size);
    return block;
}

static void resize(struct image *image, size_t size)
{
    uint8_t *bytes = allocate(size);

    if (image->synced_size > 0)
        memcpy(bytes, image->synced, image->synced_size < size ? image->synced_size : size);
    free(image->synced);
    image->synced = bytes;
    image->synced_size = size;
}

static struct image *image_of(const char *path)
{
    const char *name = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
    struct image *image = images;

    while (image != NULL && strcmp(image->name, name) != 0)
        image = image->next;
    if (image != NULL)
        return image;
    image = allocate(sizeof *image);
    image->name = allocate(strlen(name) + 1);
    strcpy(image->name, name);
    image->next = images;
    images = image;
    return image;
}

static struct change *remember(struct image *image, const void *bytes, size_t offset, size_t size)
{
    struct change *change;

    if (image == NULL)
        return NULL;
    change = allocate(sizeof *change);
    if (bytes != NULL) {
        change->bytes = allocate(size);
        memcpy(change->bytes, bytes, size);
    }
    change->offset = offset;
    change->size = size;
    if (image->last != NULL)
        image->last->next = change;
    else
        image->first = change;
    image->last = change;
    return change;
}

/* Carries out a change, or of a write a part of it. */
static void apply(struct image *image, const struct change *change, size_t from, size_t to)
{
    if (change->bytes == NULL) {
        resize(image, change->offset);
        return;
    }
    if (change->offset + to > image->synced_size)
        resize(image, change->offset + to);
    memcpy(image->synced + change->offset + from, change->bytes + from, to - from);
}

static void drop_first_change(struct image *image)
{
    struct change *change = image->first;

    image->first = change->next;
    if (image->first == NULL)
        image->last = NULL;
    free(change->bytes);
    free(change);
}

static void drop_changes(struct image *image)
{
    while (image->first != NULL)
        drop_first_change(image);
}

/* The directory was synced: what was deleted stays so. */
static void sync_names(void)
{
    for (struct image *image = images; image != NULL; image = image->next) {
        const struct change *deletion = NULL;

        for (const struct change *change = image->first; change != NULL; change = change->next)
            if (change->is_deletion)
                deletion = change;
        if (deletion == NULL)
            continue;
        while (image->first != deletion)
            drop_first_change(image);
        drop_first_change(image);
        resize(image, 0);
    }
}

static void mark_synced(struct image *image)
{
    if (image == NULL)
        return;
    for (struct change *change = image->first; change != NULL; change = change->next)
        apply(image, change, 0, change->size);
    drop_changes(image);
    image->is_synced = true;
}

/* Takes a file as it is for synced. */
static void take_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    uint8_t bytes[4096];
    size_t size;
    struct image *image;

    if (file == NULL)
        abort();
    image = image_of(path);
    while ((size = fread(bytes, 1, sizeof bytes, file)) > 0) {
        resize(image, image->synced_size + size);
        memcpy(image->synced + image->synced_size - size, bytes, size);
    }
    image->is_synced = true;
    fclose(file);
}

void faulty_vfs_begin(const char *directory)
{
    DIR *entries = directory != NULL ? opendir(directory) : NULL;
    struct dirent *entry;

    while (images != NULL) {
        struct image *image = images;

        images = image->next;
        drop_changes(image);
        free(image->synced);
        free(image->name);
        free(image);
    }
    while (entries != NULL && (entry = readdir(entries)) != NULL) {
        char path[1024];

        snprintf(path, sizeof path, "%s/%s", directory, entry->d_name);
        if (entry->d_name[0] != '.' && strstr(entry->d_name, "-shm") == NULL)
            take_file(path);
    }
    if (entries != NULL)
        closedir(entries);
}

void faulty_vfs_leave(const char *directory, struct dice *dice)
{
    size_t luck = dice_below(dice, 4); /* 0: nothing unsynced is kept, 1: all, else some */

    for (struct image *image = images; image != NULL; image = image->next) {
        char path[512];
        FILE *file;

        if (!image->is_synced && luck == 0)
            continue; /* not even its name */
        for (struct change *change = image->first; change != NULL; change = change->next)
            for (size_t from = 0; from == 0 || from < change->size; from += SECTOR_SIZE) {
                size_t to = from + SECTOR_SIZE < change->size ? from + SECTOR_SIZE : change->size;

                if (luck == 1 || (luck > 1 && dice_below(dice, 2) == 0))
                    apply(image, change, from, to);
            }
        snprintf(path, sizeof path, "%s/%s", directory, image->name);
        file = fopen(path, "wb");
        if (file == NULL)
            abort();
        for (size_t i = 0; i < image->synced_size; i++)
            putc(image->synced[i], file);
        if (fclose(file) != 0)
            abort();
    }
}

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct faulty_file *)file)->real;
}

static int faulty_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int faulty_read(sqlite3_file *file, void *out, int size, sqlite3_int64 offset)
{
    if (fails(FAULTY_READ))
        return SQLITE_IOERR_READ;
    return real_of(file)->pMethods->xRead(real_of(file), out, size, offset);
}

static int faulty_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 offset)
{
    struct image *image = ((struct faulty_file *)file)->image;
    bool is_short = fails(FAULTY_WRITE);
    int done = is_short ? size / 2 : size;
    int code = SQLITE_OK;

    if (done > 0)
        code = real_of(file)->pMethods->xWrite(real_of(file), bytes, done, offset);
    if (code == SQLITE_OK && done > 0)
        remember(image, bytes, (size_t)offset, (size_t)done);
    return is_short ? SQLITE_FULL : code;
}

static int faulty_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    int code;

    if (fails(FAULTY_TRUNCATE))
        return SQLITE_IOERR_TRUNCATE;
    code = real_of(file)->pMethods->xTruncate(real_of(file), size);
    if (code == SQLITE_OK)
        remember(((struct faulty_file *)file)->image, NULL, (size_t)size, 0);
    return code;
}

/* The real sync is left out, for speed: no power is cut here. */
static int faulty_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    if (fails(FAULTY_SYNC))
        return SQLITE_IOERR_FSYNC;
    mark_synced(((struct faulty_file *)file)->image);
    if (((struct faulty_file *)file)->syncs_names)
        sync_names();
    ((struct faulty_file *)file)->syncs_names = false;
    return SQLITE_OK;
}

static int faulty_file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    if (fails(FAULTY_SIZE))
        return SQLITE_IOERR_FSTAT;
    return real_of(file)->pMethods->xFileSize(real_of(file), size);
}

static int faulty_lock(sqlite3_file *file, int level)
{
    if (fails(FAULTY_LOCK))
        return SQLITE_IOERR_LOCK;
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int faulty_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int faulty_check_reserved_lock(sqlite3_file *file, int *out)
{
    if (fails(FAULTY_LOCK))
        return SQLITE_IOERR_CHECKRESERVEDLOCK;
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int faulty_file_control(sqlite3_file *file, int operation, void *argument)
{
    return real_of(file)->pMethods->xFileControl(real_of(file), operation, argument);
}

static int faulty_sector_size(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int faulty_characteristics(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int faulty_shm_map(sqlite3_file *file, int page, int page_size, int extend,
                          void volatile **out)
{
    if (fails(FAULTY_SHM))
        return SQLITE_IOERR_SHMMAP;
    return real_of(file)->pMethods->xShmMap(real_of(file), page, page_size, extend, out);
}

static int faulty_shm_lock(sqlite3_file *file, int offset, int count, int flags)
{
    if ((flags & SQLITE_SHM_LOCK) != 0 && fails(FAULTY_SHM))
        return SQLITE_IOERR_SHMLOCK;
    return real_of(file)->pMethods->xShmLock(real_of(file), offset, count, flags);
}

static void faulty_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int faulty_shm_unmap(sqlite3_file *file, int delete_flag)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), delete_flag);
}

static const sqlite3_io_methods faulty_methods = {
    .iVersion = 2, /* without mmap: reads come by here, too */
    .xClose = faulty_close,
    .xRead = faulty_read,
    .xWrite = faulty_write,
    .xTruncate = faulty_truncate,
    .xSync = faulty_sync,
    .xFileSize = faulty_file_size,
    .xLock = faulty_lock,
    .xUnlock = faulty_unlock,
    .xCheckReservedLock = faulty_check_reserved_lock,
    .xFileControl = faulty_file_control,
    .xSectorSize = faulty_sector_size,
    .xDeviceCharacteristics = faulty_characteristics,
    .xShmMap = faulty_shm_map,
    .xShmLock = faulty_shm_lock,
    .xShmBarrier = faulty_shm_barrier,
    .xShmUnmap = faulty_shm_unmap,
};

static int faulty_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                       int *out_flags)
{
    struct faulty_file *faulty = (struct faulty_file *)file;
    int code;

    (void)vfs;
    faulty->base.pMethods = NULL;
    faulty->real = (sqlite3_file *)(faulty + 1);
    faulty->image = NULL;
    /* As the system's own layer does it: the first sync of a journal or log. */
    faulty->syncs_names = (flags & SQLITE_OPEN_CREATE) != 0 &&
                          (flags & (SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0;
    if (fails(FAULTY_OPEN))
        return SQLITE_CANTOPEN;
    if (name != NULL &&
        (flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL | SQLITE_OPEN_MAIN_JOURNAL)) != 0)
        faulty->image = image_of(name);
    code = real_vfs->xOpen(real_vfs, name, faulty->real, flags, out_flags);
    if (faulty->real->pMethods != NULL)
        faulty->base.pMethods = &faulty_methods;
    return code;
}

/* A deletion is kept by the file's emptiness: SQLite deletes only what an empty
 * file may stand for, a journal or a log. */
static int faulty_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    int code;

    (void)vfs;
    if (fails(FAULTY_DELETE))
        return SQLITE_IOERR_DELETE;
    code = real_vfs->xDelete(real_vfs, name, 0);
    if (code == SQLITE_OK) {
        remember(image_of(name), NULL, 0, 0)->is_deletion = true;
        if (sync_directory != 0)
            sync_names();
    }
    return code;
}

static int faulty_access(sqlite3_vfs *vfs, const char *name, int flags, int *out)
{
    (void)vfs;
    return real_vfs->xAccess(real_vfs, name, flags, out);
}

static int faulty_full_pathname(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return real_vfs->xFullPathname(real_vfs, name, size, out);
}

void faulty_vfs_install(void)
{
    real_vfs = sqlite3_vfs_find("unix");
    if (real_vfs == NULL)
        abort();
    faulty_vfs = *real_vfs;
    faulty_vfs.zName = "faulty";
    faulty_vfs.szOsFile = (int)sizeof(struct faulty_file) + real_vfs->szOsFile;
    faulty_vfs.xOpen = faulty_open;
    faulty_vfs.xDelete = faulty_delete;
    faulty_vfs.xAccess = faulty_access;
    faulty_vfs.xFullPathname = faulty_full_pathname;
    faulty_vfs_fail(0, 0, false);
    if (sqlite3_vfs_register(&faulty_vfs, 1) != SQLITE_OK)
        abort();
}

void faulty_vfs_uninstall(void)
{
    faulty_vfs_begin(NULL);
    sqlite3_vfs_unregister(&faulty_vfs);
}
