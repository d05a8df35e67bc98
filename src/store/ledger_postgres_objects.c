/* ledger_postgres_objects.c - payloads that come before their records, beside a ledger in
 * PostgreSQL: in tables of the same database, so that every server on it has them.
 *
 * A payload is cut into rows of a MiB, so that nobody has to hold all of a large one:
 * neither the server that sends it nor PostgreSQL, which would copy a bytea as a whole.
 * The row in payload_objects is what makes it be there, and is written in the same
 * transaction; of two that bring the same one the second waits for it.  The tables are
 * made when the first payload comes: most ledgers never see one.
 *
 * Each of the store's threads has a connection of its own while it works. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"
#include "store/ledger_postgres.h"
#include "store/ledger_postgres_objects.h"
#include "store/ledger_postgres_roster.h"
#include "store/objects_workers.h"

#define PART_SIZE (1u << 20) /* bytes */
#define IDLE_MAX  2u         /* connections that are kept for the next payload */

struct postgres_objects {
    struct eds_objects base;
    struct eds_objects_workers workers;
    bool read_only;
    char *url;
    pthread_mutex_t lock;
    struct postgres_ledger *idle[IDLE_MAX];
    unsigned idle_count;
};

/* A connection for one thread; EDS_ERR_NOT_FOUND if there is no ledger to be read. */
static int32_t borrow(struct postgres_objects *objects, struct postgres_ledger **out,
                      struct eds_error *err)
{
    struct eds_ledger *ledger = NULL;
    int32_t rc = EDS_OK;

    pthread_mutex_lock(&objects->lock);
    if (objects->idle_count > 0)
        ledger = &objects->idle[--objects->idle_count]->ledger;
    pthread_mutex_unlock(&objects->lock);
    if (ledger == NULL)
        rc = eds_ledger_open(&ledger, objects->url, err);
    *out = (struct postgres_ledger *)ledger;
    return rc;
}

static void give_back(struct postgres_objects *objects, struct postgres_ledger *postgres)
{
    pthread_mutex_lock(&objects->lock);
    if (objects->idle_count < IDLE_MAX) {
        objects->idle[objects->idle_count++] = postgres;
        postgres = NULL;
    }
    pthread_mutex_unlock(&objects->lock);
    if (postgres != NULL)
        postgres->ledger.ops->close(&postgres->ledger);
}

/* One round trip of a transaction; *count, unless NULL: the rows that it changed. */
static int32_t run(struct postgres_ledger *postgres, const char *sql,
                   const struct postgres_params *params, uint64_t *count, struct eds_error *err)
{
    static const struct postgres_params none = {0};
    PGresult *result = NULL;
    int32_t rc = eds_postgres_once(postgres, sql, params != NULL ? params : &none, &result, err);

    if (rc == EDS_OK && count != NULL)
        *count = strtoull(PQcmdTuples(result), NULL, 10);
    PQclear(result);
    return rc;
}

/* Two servers may do so at once, which IF NOT EXISTS alone does not bear. */
static int32_t make_tables(struct postgres_ledger *postgres, struct eds_error *err)
{
    static const char sql[] =
        "SELECT pg_advisory_xact_lock(7308895158829130868);"
        "CREATE TABLE IF NOT EXISTS payload_objects(payload_hash BYTEA PRIMARY KEY,"
        " size BIGINT NOT NULL, stored_at TIMESTAMPTZ NOT NULL DEFAULT now());"
        "CREATE TABLE IF NOT EXISTS payload_parts(payload_hash BYTEA NOT NULL,"
        " part BIGINT NOT NULL, bytes BYTEA NOT NULL, PRIMARY KEY(payload_hash, part));"
        "ALTER TABLE payload_parts ALTER COLUMN bytes SET STORAGE EXTERNAL";
    PGresult *result = PQexec(postgres->connection, sql);
    int32_t rc = EDS_OK;

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        rc = eds_postgres_fail(postgres, result, err, "make the tables of payloads in");
    PQclear(result);
    return rc;
}

/* Whether the tables are there.  They are asked for by name, since a statement that
 * fails for want of them would be an error in the server's log. */
static int32_t has_tables(struct postgres_ledger *postgres, bool *out, struct eds_error *err)
{
    static const char sql[] = "SELECT to_regclass('payload_objects') IS NOT NULL"
                              " AND to_regclass('payload_parts') IS NOT NULL";
    struct postgres_params none = {0};
    PGresult *result = NULL;
    int32_t rc = eds_postgres_ask(postgres, sql, &none, &result, err);

    *out = rc == EDS_OK && PQntuples(result) == 1 && *PQgetvalue(result, 0, 0) != 0;
    PQclear(result);
    return rc;
}

/* The size of a payload that is there: EDS_OK, EDS_ERR_NOT_FOUND. */
static int32_t find(struct postgres_ledger *postgres, const uint8_t hash[EDS_HASH_SIZE],
                    uint64_t *size, struct eds_error *err)
{
    static const char sql[] = "SELECT size FROM payload_objects WHERE payload_hash = $1::bytea";
    struct postgres_params params = {0};
    PGresult *result = NULL;
    bool are_there;
    int32_t rc = has_tables(postgres, &are_there, err);

    eds_postgres_add_bytes(&params, hash, EDS_HASH_SIZE);
    if (rc == EDS_OK && are_there)
        rc = eds_postgres_ask(postgres, sql, &params, &result, err);
    if (rc == EDS_OK && (!are_there || PQntuples(result) == 0))
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "PostgreSQL %s has no such payload",
                           postgres->place);
    else if (rc == EDS_OK && !eds_postgres_column_u64(size, result, 0, 0))
        rc = eds_postgres_damaged(postgres, err, "payload_objects", 0, "size");
    PQclear(result);
    return rc;
}

static size_t part_size(uint64_t size, uint64_t part)
{
    uint64_t left = size - part * PART_SIZE;

    return left < PART_SIZE ? (size_t)left : PART_SIZE;
}

/* One part of a payload of that size; *out lies in *result, which the caller clears. */
static int32_t read_part(struct postgres_ledger *postgres, const uint8_t hash[EDS_HASH_SIZE],
                         uint64_t part, uint64_t size, PGresult **result, struct eds_error *err)
{
    static const char sql[] =
        "SELECT bytes FROM payload_parts WHERE payload_hash = $1::bytea AND part = $2::bigint";
    struct postgres_params params = {0};
    int32_t rc;

    eds_postgres_add_bytes(&params, hash, EDS_HASH_SIZE);
    eds_postgres_add_u64(&params, part);
    rc = eds_postgres_ask(postgres, sql, &params, result, err);
    if (rc == EDS_OK &&
        (PQntuples(*result) != 1 || (size_t)PQgetlength(*result, 0, 0) != part_size(size, part)))
        rc = eds_postgres_damaged(postgres, err, "payload_parts", part, "bytes");
    return rc;
}

/* Is what is there under its name this payload? */
static int32_t compare(struct postgres_ledger *postgres, const struct eds_object_put *put,
                       struct eds_error *err)
{
    const uint8_t *bytes = put->payload;
    uint64_t size;
    int32_t rc = find(postgres, put->name.payload_hash, &size, err);
    bool is_same = rc == EDS_OK && size == put->payload_size;

    for (uint64_t part = 0; is_same && rc == EDS_OK && part * PART_SIZE < size; part++) {
        PGresult *result = NULL;

        rc = read_part(postgres, put->name.payload_hash, part, size, &result, err);
        is_same = rc == EDS_OK && memcmp(PQgetvalue(result, 0, 0), bytes + part * PART_SIZE,
                                         part_size(size, part)) == 0;
        PQclear(result);
    }
    if (rc == EDS_OK && !is_same)
        rc = eds_error_set(err, EDS_ERR_EXISTS,
                           "PostgreSQL %s has other content under the hash of a payload",
                           postgres->place);
    return rc;
}

/* In a transaction that was begun: its rows, unless somebody has brought it. */
static int32_t write_rows(struct postgres_ledger *postgres, struct eds_object_put *put,
                          struct eds_error *err)
{
    static const char add[] = "INSERT INTO payload_objects(payload_hash, size)"
                              " VALUES($1::bytea, $2::bigint) ON CONFLICT DO NOTHING";
    static const char add_part[] = "INSERT INTO payload_parts(payload_hash, part, bytes)"
                                   " VALUES($1::bytea, $2::bigint, $3::bytea)";
    const uint8_t *bytes = put->payload;
    struct postgres_params params = {0};
    uint64_t added = 0;
    int32_t rc;

    eds_postgres_add_bytes(&params, put->name.payload_hash, EDS_HASH_SIZE);
    eds_postgres_add_u64(&params, put->payload_size);
    rc = run(postgres, add, &params, &added, err);
    put->was_there = rc == EDS_OK && added == 0;
    for (uint64_t part = 0; rc == EDS_OK && !put->was_there && part * PART_SIZE < put->payload_size;
         part++) {
        params = (struct postgres_params){0};
        eds_postgres_add_bytes(&params, put->name.payload_hash, EDS_HASH_SIZE);
        eds_postgres_add_u64(&params, part);
        eds_postgres_add_bytes(&params, bytes + part * PART_SIZE,
                               part_size(put->payload_size, part));
        rc = run(postgres, add_part, &params, NULL, err);
    }
    return rc;
}

/* A connection that is lost at COMMIT leaves it open whether it is there: then the
 * payload may be put again, as after any other error. */
static int32_t write_payload(struct postgres_ledger *postgres, struct eds_object_put *put,
                             struct eds_error *err)
{
    int32_t rc = eds_postgres_ready(postgres, err);

    if (rc == EDS_OK)
        rc = run(postgres, "BEGIN", NULL, NULL, err);
    if (rc == EDS_OK)
        rc = write_rows(postgres, put, err);
    if (rc == EDS_OK && !put->was_there)
        return run(postgres, "COMMIT", NULL, NULL, err);
    eds_postgres_roll_back(postgres);
    return rc == EDS_OK ? compare(postgres, put, err) : rc;
}

static int32_t put_with(struct postgres_ledger *postgres, struct eds_object_put *put,
                        struct eds_error *err)
{
    bool are_there;
    uint64_t size;
    int32_t rc = find(postgres, put->name.payload_hash, &size, err);

    if (put->only_look)
        return rc;
    if (rc == EDS_OK) {
        put->was_there = true;
        return compare(postgres, put, err);
    }
    if (rc == EDS_ERR_NOT_FOUND)
        rc = has_tables(postgres, &are_there, err);
    if (rc == EDS_OK && !are_there)
        rc = make_tables(postgres, err);
    return rc == EDS_OK ? write_payload(postgres, put, err) : rc;
}

/* What went wrong inside the database is for the caller a store that failed. */
static int32_t to_promised(int32_t rc)
{
    switch (rc) {
    case EDS_OK:
    case EDS_ERR_NOT_FOUND:
    case EDS_ERR_EXISTS:
    case EDS_ERR_TOO_LARGE:
    case EDS_ERR_NO_MEMORY:
        return rc;
    default:
        return EDS_ERR_IO;
    }
}

static int32_t store(void *context, struct eds_object_put *put, struct eds_error *err)
{
    struct postgres_objects *objects = context;
    struct postgres_ledger *postgres;
    int32_t rc = borrow(objects, &postgres, err);

    if (rc != EDS_OK)
        return rc == EDS_ERR_NO_MEMORY ? rc : EDS_ERR_IO;
    rc = to_promised(put_with(postgres, put, err));
    give_back(objects, postgres);
    return rc;
}

static void put_object(struct eds_objects *objects, struct eds_object_put *put)
{
    eds_objects_workers_give(&((struct postgres_objects *)objects)->workers, put);
}

static int32_t get_with(struct postgres_ledger *postgres, const struct eds_object_name *name,
                        void **out, size_t *out_size, struct eds_error *err)
{
    uint8_t *bytes = NULL;
    uint64_t size = 0;
    int32_t rc = find(postgres, name->payload_hash, &size, err);

    if (rc == EDS_OK && size > EDS_OBJECT_SIZE_MAX)
        rc =
            eds_error_set(err, EDS_ERR_TOO_LARGE, "a payload of %" PRIu64 " bytes in PostgreSQL %s",
                          size, postgres->place);
    if (rc != EDS_OK)
        return rc;
    bytes = malloc((size_t)size + 1); /* so that one that is empty is not NULL */
    if (bytes == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a payload of %" PRIu64 " bytes",
                             size);
    for (uint64_t part = 0; rc == EDS_OK && part * PART_SIZE < size; part++) {
        PGresult *result = NULL;

        rc = read_part(postgres, name->payload_hash, part, size, &result, err);
        if (rc == EDS_OK)
            memcpy(bytes + part * PART_SIZE, PQgetvalue(result, 0, 0), part_size(size, part));
        PQclear(result);
    }
    if (rc != EDS_OK) {
        free(bytes);
        return rc;
    }
    *out = bytes;
    *out_size = (size_t)size;
    return EDS_OK;
}

static int32_t get_object(struct eds_objects *objects, const struct eds_object_name *name,
                          void **out, size_t *out_size, struct eds_error *err)
{
    struct postgres_objects *ours = (struct postgres_objects *)objects;
    struct postgres_ledger *postgres;
    int32_t rc = borrow(ours, &postgres, err);

    if (rc != EDS_OK)
        return to_promised(rc);
    rc = to_promised(get_with(postgres, name, out, out_size, err));
    give_back(ours, postgres);
    return rc;
}

static void close_objects(struct eds_objects *objects)
{
    struct postgres_objects *ours = (struct postgres_objects *)objects;

    if (!ours->read_only)
        eds_objects_workers_stop(&ours->workers);
    for (unsigned i = 0; i < ours->idle_count; i++)
        ours->idle[i]->ledger.ops->close(&ours->idle[i]->ledger);
    pthread_mutex_destroy(&ours->lock);
    eds_wipe(ours->url, strlen(ours->url)); /* a password may be in it */
    free(ours->url);
    free(ours);
}

/* Without the tables there is nothing to be read. */
static int32_t want_tables(struct postgres_objects *objects, struct eds_error *err)
{
    struct postgres_ledger *postgres;
    bool are_there = false;
    int32_t rc = borrow(objects, &postgres, err);

    if (rc != EDS_OK)
        return rc;
    rc = has_tables(postgres, &are_there, err);
    if (rc == EDS_OK && !are_there)
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND, "PostgreSQL %s keeps no payloads by themselves",
                           postgres->place);
    give_back(objects, postgres);
    return rc;
}

int32_t eds_postgres_objects_open(struct eds_objects **out, const char *url, bool read_only,
                                  struct eds_error *err)
{
    static const struct eds_objects_ops ops = {
        .name = "postgresql", .put = put_object, .get = get_object, .close = close_objects};
    struct postgres_objects *objects = calloc(1, sizeof *objects);
    size_t room = strlen(url) + sizeof "?mode=ro";
    int32_t rc = EDS_OK;

    if (objects != NULL)
        objects->url = malloc(room);
    if (objects == NULL || objects->url == NULL) {
        free(objects);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    }
    snprintf(objects->url, room, "%s%s", url,
             !read_only || strstr(url, "mode=ro") != NULL ? ""
             : strchr(url, '?') != NULL                   ? "&mode=ro"
                                                          : "?mode=ro");
    objects->base = (struct eds_objects){.ops = &ops, .by_hash = true};
    objects->read_only = read_only;
    pthread_mutex_init(&objects->lock, NULL);
    objects->workers.store = store;
    objects->workers.context = objects;
    rc = read_only ? want_tables(objects, err) : eds_objects_workers_start(&objects->workers, err);
    if (rc != EDS_OK) {
        close_objects(&objects->base);
        return rc;
    }
    *out = &objects->base;
    return EDS_OK;
}
