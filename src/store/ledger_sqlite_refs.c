/* ledger_sqlite_refs.c - which references are in use, all but the newest.
 *
 * object_refs has them in blocks (ref_block.h), each found by its first reference.
 * They come by thousands and in order, so that those of a device, which mostly lie
 * in one block, are written together.  Where all that is new lies behind a block, as
 * with references that count up, it is left as it is once it is half full: the new one is
 * written at the table's end, together with those of others.  Any other block that becomes
 * too long is divided into halves, which have room. */
#include "store/ledger_sqlite.h"

#include "store/ref_block.h"

/* Blocks on their way into object_refs. */
struct writing {
    struct sqlite_ledger *sqlite;
    sqlite3_stmt *set;
    struct eds_error *err;
    size_t size_max; /* of a block */
    struct eds_ref_block block;
};

static int32_t write_block(struct writing *writing)
{
    struct eds_ref_block *block = &writing->block;
    int32_t rc = EDS_OK;

    if (block->count == 0)
        return EDS_OK;
    if (sqlite3_bind_text(writing->set, 1, block->first_ref, -1, SQLITE_STATIC) != SQLITE_OK ||
        sqlite3_bind_blob64(writing->set, 2, block->bytes, block->size, SQLITE_STATIC) !=
            SQLITE_OK ||
        sqlite3_step(writing->set) != SQLITE_DONE)
        rc = eds_sqlite_fail(writing->sqlite, writing->err, "write to");
    sqlite3_reset(writing->set);
    block->count = 0;
    return rc;
}

static int32_t write_ref(struct writing *writing, const char *ref, int64_t id)
{
    int32_t rc;

    if (eds_ref_block_add(&writing->block, ref, id, writing->size_max))
        return EDS_OK;
    rc = write_block(writing);
    (void)eds_ref_block_add(&writing->block, ref, id, writing->size_max); /* as the first */
    return rc;
}

static int32_t damaged(struct sqlite_ledger *sqlite, const char *first_ref, struct eds_error *err)
{
    if (sqlite3_errcode(sqlite->db) == SQLITE_NOMEM) /* SQLite could not hand the column over */
        return eds_sqlite_fail(sqlite, err, "read");
    return eds_error_set(err, EDS_ERR_MALFORMED,
                         "damaged ledger %s: row %s of object_refs has no valid %s", sqlite->path,
                         first_ref == NULL ? "?" : first_ref,
                         first_ref == NULL ? "first_ref" : "refs");
}

/* Steps to the block in which a reference is, if it is in any.  The statement is
 * the caller's to reset. */
static int32_t find_block(struct sqlite_ledger *sqlite, const char *ref, const char **first_ref,
                          const void **bytes, size_t *size, struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_FIND_REFS];
    int code = SQLITE_ERROR;

    if (sqlite3_bind_text(statement, 1, ref, -1, SQLITE_STATIC) == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_DONE)
        return EDS_ERR_NOT_FOUND;
    if (code != SQLITE_ROW)
        return eds_sqlite_fail(sqlite, err, "read");
    *first_ref = eds_sqlite_column_text(statement, 0, EDS_OBJECT_REF_SIZE);
    if (*first_ref == NULL || sqlite3_column_type(statement, 1) != SQLITE_BLOB)
        return damaged(sqlite, *first_ref, err);
    *bytes = sqlite3_column_blob(statement, 1);
    *size = (size_t)sqlite3_column_bytes(statement, 1);
    if (*bytes == NULL) /* a block has one reference at least */
        return damaged(sqlite, *first_ref, err);
    return EDS_OK;
}

/* The first reference of the block behind ref, which is empty if there is none. */
static int32_t next_first_ref(struct sqlite_ledger *sqlite, const char *ref,
                              char out[EDS_OBJECT_REF_SIZE], struct eds_error *err)
{
    sqlite3_stmt *statement = sqlite->statements[SQLITE_STATEMENT_NEXT_REFS];
    int code = SQLITE_ERROR;
    int32_t rc = EDS_OK;

    out[0] = '\0';
    if (sqlite3_bind_text(statement, 1, ref, -1, SQLITE_STATIC) == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        const char *next = eds_sqlite_column_text(statement, 0, EDS_OBJECT_REF_SIZE);

        if (next == NULL || next[0] == '\0') /* nothing is below an empty one */
            rc = damaged(sqlite, NULL, err);
        else
            strcpy(out, next);
    } else if (code != SQLITE_DONE) {
        rc = eds_sqlite_fail(sqlite, err, "read");
    }
    sqlite3_reset(statement);
    return rc;
}

/* Fills in which references of the index ref, which it does not have, lies between.
 * Without a block below it first_ref is NULL. */
static int32_t measure_gap(struct sqlite_ledger *sqlite, const char *first_ref, const void *bytes,
                           size_t size, const char *ref, struct eds_ref_gap *out,
                           struct eds_error *err)
{
    enum eds_ref_read read = EDS_REF_END;
    struct eds_ref_reader reader;
    int32_t rc = EDS_OK;

    out->above[0] = '\0';
    if (first_ref != NULL) {
        eds_ref_reader_begin(&reader, first_ref, bytes, size);
        while ((read = eds_ref_reader_next(&reader)) == EDS_REF_READ && strcmp(reader.ref, ref) < 0)
            strcpy(out->above + reader.shared, reader.ref + reader.shared);
    }
    if (read == EDS_REF_READ)
        strcpy(out->below, reader.ref);
    else if (read == EDS_REF_END)
        rc = next_first_ref(sqlite, ref, out->below, err);
    else
        rc = damaged(sqlite, first_ref, err);
    out->has_end = out->below[0] != '\0';
    return rc;
}

int32_t eds_sqlite_refs_find(struct sqlite_ledger *sqlite, const char *ref, int64_t *id,
                             struct eds_ref_gap *gap, struct eds_error *err)
{
    const char *first_ref = NULL;
    const void *bytes = NULL;
    size_t size = 0;
    int32_t rc = find_block(sqlite, ref, &first_ref, &bytes, &size, err), measured;

    if (rc == EDS_OK)
        switch (eds_ref_block_find(first_ref, bytes, size, ref, id)) {
        case EDS_REF_READ:
            break;
        case EDS_REF_END:
            rc = EDS_ERR_NOT_FOUND;
            break;
        case EDS_REF_DAMAGED:
            rc = damaged(sqlite, first_ref, err);
            break;
        }
    if (rc == EDS_ERR_NOT_FOUND && gap != NULL) {
        measured = measure_gap(sqlite, first_ref, bytes, size, ref, gap, err);
        if (measured != EDS_OK)
            rc = measured;
    }
    sqlite3_reset(sqlite->statements[SQLITE_STATEMENT_FIND_REFS]);
    return rc;
}

/* The block that references are to be added to; without one, of no bytes. */
struct target {
    char first_ref[EDS_OBJECT_REF_SIZE], last_ref[EDS_OBJECT_REF_SIZE];
    uint8_t bytes[EDS_REF_BLOCK_SIZE_MAX];
    size_t size;
};

static int32_t read_target(struct sqlite_ledger *sqlite, const char *ref, struct target *out,
                           struct eds_error *err)
{
    const char *first_ref = NULL;
    const void *bytes = NULL;
    struct eds_ref_reader reader;
    enum eds_ref_read read;
    size_t size = 0;
    int32_t rc = find_block(sqlite, ref, &first_ref, &bytes, &size, err);

    out->size = 0;
    if (rc == EDS_OK && first_ref != NULL && bytes != NULL) { /* as they are then */
        eds_ref_reader_begin(&reader, first_ref, bytes, size);
        do
            read = eds_ref_reader_next(&reader);
        while (read == EDS_REF_READ);
        if (read == EDS_REF_DAMAGED || size > sizeof out->bytes) {
            rc = damaged(sqlite, first_ref, err);
        } else {
            strcpy(out->first_ref, first_ref);
            strcpy(out->last_ref, reader.ref);
            memcpy(out->bytes, bytes, size);
            out->size = size;
        }
    }
    sqlite3_reset(sqlite->statements[SQLITE_STATEMENT_FIND_REFS]);
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

/* How many of the references lie before the next block, and so go into this one. */
static int32_t count_for_target(struct sqlite_ledger *sqlite,
                                const struct eds_ref_tail_sorted *items, size_t count, size_t *out,
                                struct eds_error *err)
{
    char next[EDS_OBJECT_REF_SIZE];
    int32_t rc = next_first_ref(sqlite, items[0].item->ref, next, err);

    for (*out = 1; *out < count && (next[0] == '\0' || strcmp(items[*out].item->ref, next) < 0);)
        ++*out;
    return rc;
}

/* A reference that is there already stays as it is: who was first has it. */
static int32_t merge(struct writing *writing, const struct target *target,
                     const struct eds_ref_tail_sorted *items, size_t count)
{
    struct eds_ref_reader reader;
    bool has_old = false;
    size_t i = 0;
    int32_t rc = EDS_OK;

    if (target->size > 0) {
        eds_ref_reader_begin(&reader, target->first_ref, target->bytes, target->size);
        has_old = eds_ref_reader_next(&reader) == EDS_REF_READ;
    }
    while (rc == EDS_OK && (has_old || i < count)) {
        int order = !has_old ? 1 : i == count ? -1 : strcmp(reader.ref, items[i].item->ref);

        if (order > 0) {
            rc = write_ref(writing, items[i].item->ref, items[i].item->id);
            i++;
            continue;
        }
        rc = write_ref(writing, reader.ref, (int64_t)reader.id);
        i += order == 0;
        has_old = eds_ref_reader_next(&reader) == EDS_REF_READ;
    }
    return rc == EDS_OK ? write_block(writing) : rc;
}

/* Roughly, and rather too much. */
static bool overflows(const struct target *target, const struct eds_ref_tail_sorted *items,
                      size_t count)
{
    size_t size = target->size;

    for (size_t i = 0; i < count && size <= EDS_REF_BLOCK_SIZE_MAX; i++)
        size += strlen(items[i].item->ref) + EDS_REF_BLOCK_SIZE_MAX / 100;
    return size > EDS_REF_BLOCK_SIZE_MAX;
}

/* Whether a block stays as it is when ref is the first one to come. */
static bool is_left_alone(const struct target *target, const char *ref)
{
    return target->size >= EDS_REF_BLOCK_SIZE_MAX / 2 && strcmp(ref, target->last_ref) > 0;
}

int32_t eds_sqlite_refs_add(struct sqlite_ledger *sqlite, const struct eds_ref_tail_sorted *items,
                            size_t count, struct eds_error *err)
{
    struct writing writing = {
        .sqlite = sqlite, .set = sqlite->statements[SQLITE_STATEMENT_SET_REFS], .err = err};
    struct target target;
    int32_t rc = EDS_OK;

    for (size_t i = 0, n = 0; rc == EDS_OK && i < count; i += n) {
        rc = read_target(sqlite, items[i].item->ref, &target, err);
        if (rc == EDS_OK)
            rc = count_for_target(sqlite, items + i, count - i, &n, err);
        if (rc != EDS_OK)
            break;
        writing.size_max = EDS_REF_BLOCK_SIZE_MAX;
        if (is_left_alone(&target, items[i].item->ref))
            target.size = 0; /* theirs is a new one */
        if (target.size > 0 && strcmp(items[i].item->ref, target.last_ref) < 0 &&
            overflows(&target, items + i, n))
            writing.size_max /= 2;
        rc = merge(&writing, &target, items + i, n);
    }
    return rc;
}

int32_t eds_sqlite_refs_fill(struct sqlite_ledger *sqlite, struct eds_error *err)
{
    struct writing writing = {.sqlite = sqlite, .err = err, .size_max = EDS_REF_BLOCK_SIZE_MAX};
    sqlite3_stmt *rows = NULL;
    int code = SQLITE_DONE;
    int32_t rc = EDS_OK;

    if (sqlite3_prepare_v2(sqlite->db,
                           "SELECT object_ref, object_id FROM object_index ORDER BY object_ref", -1,
                           &rows, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(sqlite->db, "INSERT INTO object_refs(first_ref, refs) VALUES(?1, ?2)",
                           -1, &writing.set, NULL) != SQLITE_OK)
        rc = eds_sqlite_fail(sqlite, err, "bring up to date");
    while (rc == EDS_OK && (code = sqlite3_step(rows)) == SQLITE_ROW) {
        const char *ref = eds_sqlite_column_text(rows, 0, EDS_OBJECT_REF_SIZE);
        sqlite3_int64 id = sqlite3_column_int64(rows, 1);

        if (ref == NULL || id <= 0) /* no record can have it */
            continue;
        if (writing.block.count > 0 && strcmp(ref, writing.block.last_ref) <= 0)
            rc = eds_error_set(err, EDS_ERR_MALFORMED,
                               "damaged ledger %s: object_index has %s twice or out of order",
                               sqlite->path, ref);
        else
            rc = write_ref(&writing, ref, id);
    }
    if (rc == EDS_OK && code != SQLITE_DONE)
        rc = eds_sqlite_fail(sqlite, err, "bring up to date");
    if (rc == EDS_OK)
        rc = write_block(&writing);
    sqlite3_finalize(rows);
    sqlite3_finalize(writing.set);
    return rc;
}
