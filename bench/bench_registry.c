/* bench_registry.c - a fleet: how long it takes to enrol, what a look-up costs and
 * what a device takes of memory, at 100 devices and at 100,000.
 *
 * Enrolment is "eds audit device import" without the command around it: a CSV is
 * read, every key is checked and looked for, and all is written in one transaction.
 * The reference is a bare loop of prepared inserts of the same rows, already in
 * memory and unchecked, with the same indexes and settings (for PostgreSQL: of two
 * rows of much the same size, 1000 in a transaction).
 *
 * The reference of a look-up is a bare hash table of the same devices, without
 * lock, keyed hash or copying out.
 *
 * EDS_BENCH_DEVICES=N sets how many are enrolled (100,000). */
#include <malloc.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "edgesentry/ed25519.h"
#include "fleet/import.h"
#include "postgres_server.h"
#include "registry/registry.h"

#define NOW_MS      1795305600123u
#define NOW         "2026-11-22T00:00:00.123Z"
#define ROUND_COUNT 3u
#define ID_SIZE     32u
#define LOOK_UP_MAX 100000u

struct device {
    char id[ID_SIZE], site[ID_SIZE];
    uint8_t key[EDS_PUBLIC_KEY_SIZE];
};

struct fleet {
    struct device *devices;
    size_t count;
    char *csv;
    size_t csv_size, at;
};

static void demand(bool holds, const char *what)
{
    if (holds)
        return;
    fprintf(stderr, "bench_registry: %s\n", what);
    exit(1);
}

static void make_fleet(struct fleet *fleet, size_t count)
{
    size_t used;

    fleet->count = count;
    fleet->devices = calloc(count, sizeof *fleet->devices);
    fleet->csv = malloc(count * 128 + 64);
    demand(fleet->devices != NULL && fleet->csv != NULL, "no memory");
    used = (size_t)sprintf(fleet->csv, "device_id,public_key,site\n");
    for (size_t i = 0; i < count; i++) {
        struct device *device = &fleet->devices[i];
        uint8_t seed[EDS_SEED_SIZE] = {3};

        memcpy(seed + 1, &i, sizeof i);
        eds_ed25519_public_key(device->key, seed);
        snprintf(device->id, sizeof device->id, "crane-%06zu", i);
        snprintf(device->site, sizeof device->site, "site-%zu", i % 50);
        used += (size_t)sprintf(fleet->csv + used, "%s,", device->id);
        for (size_t k = 0; k < sizeof device->key; k++)
            used += (size_t)sprintf(fleet->csv + used, "%02x", device->key[k]);
        used += (size_t)sprintf(fleet->csv + used, ",%s\n", device->site);
    }
    fleet->csv_size = used;
}

static ptrdiff_t read_csv(void *context, void *buf, size_t size)
{
    struct fleet *fleet = context;
    size_t left = fleet->csv_size - fleet->at;

    if (size > left)
        size = left;
    memcpy(buf, fleet->csv + fleet->at, size);
    fleet->at += size;
    return (ptrdiff_t)size;
}

/* Enrols the fleet in an empty ledger and returns the seconds. */
static double enrol(struct fleet *fleet, const char *url)
{
    struct eds_fleet_options options = {.now_ms = NOW_MS, .who = "bench", .why = "a bench"};
    struct eds_fleet_import *import;
    struct eds_ledger *ledger;
    struct eds_error err;
    uint64_t start;

    demand(eds_ledger_open(&ledger, url, &err) == EDS_OK, err.text);
    fleet->at = 0;
    start = bench_now_ns();
    import = eds_fleet_import_create(ledger, &options);
    demand(import != NULL, "no memory");
    demand(eds_fleet_import_read(import, EDS_FLEET_GUESS, read_csv, fleet, &err) == EDS_OK,
           err.text);
    demand(eds_fleet_import_write(import, &err) == EDS_OK, err.text);
    demand(eds_fleet_import_report(import)->added_count == fleet->count, "not all were added");
    eds_fleet_import_destroy(import);
    start = bench_now_ns() - start;
    ledger->ops->close(ledger);
    return (double)start / 1e9;
}

static void execute(sqlite3 *db, const char *sql)
{
    demand(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sqlite3_errmsg(db));
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement;

    demand(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sqlite3_errmsg(db));
    return statement;
}

static void step(sqlite3 *db, sqlite3_stmt *statement)
{
    demand(sqlite3_step(statement) == SQLITE_DONE, sqlite3_errmsg(db));
    sqlite3_reset(statement);
}

/* The same rows by a bare loop. */
static double insert_bare(const struct fleet *fleet, const char *path)
{
    sqlite3_stmt *row, *key, *line;
    uint64_t start;
    sqlite3 *db;

    demand(sqlite3_open(path, &db) == SQLITE_OK, "no bare database");
    execute(db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                "CREATE TABLE registry(id TEXT NOT NULL PRIMARY KEY, state TEXT NOT NULL,"
                " attest INTEGER NOT NULL, site TEXT NOT NULL, revision INTEGER NOT NULL) STRICT;"
                "CREATE INDEX registry_revision ON registry(revision, id);"
                "CREATE TABLE registry_keys(id TEXT NOT NULL, number INTEGER NOT NULL,"
                " public_key BLOB NOT NULL UNIQUE, UNIQUE(id, number)) STRICT;"
                "CREATE TABLE operation_logs(row INTEGER PRIMARY KEY, decision TEXT NOT NULL,"
                " device_id TEXT NOT NULL, message TEXT NOT NULL, at TEXT NOT NULL, who TEXT,"
                " why TEXT) STRICT;");
    row = prepare(db, "INSERT INTO registry VALUES(?1, 'active', 1, ?2, 1)");
    key = prepare(db, "INSERT INTO registry_keys VALUES(?1, 0, ?2)");
    line = prepare(db, "INSERT INTO operation_logs(decision, device_id, message, at, who, why)"
                       " VALUES('Changed', ?1, 'device added', '" NOW "', 'bench', 'a bench')");
    start = bench_now_ns();
    execute(db, "BEGIN IMMEDIATE");
    for (size_t i = 0; i < fleet->count; i++) {
        const struct device *device = &fleet->devices[i];

        sqlite3_bind_text(row, 1, device->id, -1, SQLITE_STATIC);
        sqlite3_bind_text(row, 2, device->site, -1, SQLITE_STATIC);
        step(db, row);
        sqlite3_bind_text(key, 1, device->id, -1, SQLITE_STATIC);
        sqlite3_bind_blob(key, 2, device->key, EDS_PUBLIC_KEY_SIZE, SQLITE_STATIC);
        step(db, key);
        sqlite3_bind_text(line, 1, device->id, -1, SQLITE_STATIC);
        step(db, line);
    }
    execute(db, "COMMIT");
    start = bench_now_ns() - start;
    sqlite3_finalize(row);
    sqlite3_finalize(key);
    sqlite3_finalize(line);
    sqlite3_close(db);
    return (double)start / 1e9;
}

static void report_enrolment(const char *store, size_t count, double seconds,
                             const char *reference_name, double reference)
{
    char name[64];

    snprintf(name, sizeof name, "%s_enrol_%zu", store, count);
    bench_report(name, (double)count / seconds, "devices/s", reference_name, reference, true);
    snprintf(name, sizeof name, "%s_enrol_%zu_time", store, count);
    bench_report(name, seconds, "s", "a minute, as promised for 100,000", 60, false);
}

static void measure_sqlite(struct fleet *fleet)
{
    double ours[ROUND_COUNT], bare[ROUND_COUNT];
    char folder[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 64];

    for (unsigned i = 0; i < ROUND_COUNT; i++) {
        bench_temporary(folder);
        snprintf(path, sizeof path, "sqlite:%s/ours.db", folder);
        ours[i] = enrol(fleet, path);
        snprintf(path, sizeof path, "%s/bare.db", folder);
        bare[i] = insert_bare(fleet, path);
        bench_remove(folder);
    }
    report_enrolment("sqlite", fleet->count, bench_median(ours, ROUND_COUNT),
                     "prepared inserts, one transaction",
                     (double)fleet->count / bench_median(bare, ROUND_COUNT));
}

static void measure_postgres(struct fleet *fleet)
{
    struct bench_postgres server;
    double seconds[ROUND_COUNT], bare[ROUND_COUNT];
    char name[32], url[512];

    if (!bench_postgres_start(&server))
        return;
    for (unsigned i = 0; i < ROUND_COUNT; i++) {
        snprintf(name, sizeof name, "bench_fleet_%u", i);
        bench_postgres_schema(&server, name, url);
        seconds[i] = enrol(fleet, url);
        bare[i] = bench_postgres_inserts(&server);
    }
    bench_postgres_stop(&server);
    report_enrolment("postgres", fleet->count, bench_median(seconds, ROUND_COUNT),
                     "prepared inserts, 1000 a transaction", bench_median(bare, ROUND_COUNT));
}

/* A bare hash table of the devices, each in a block of its own: FNV-1a, linear
 * steps, at most half full. */
struct bare_table {
    struct device **slots;
    size_t mask;
};

static size_t bare_hash(const char *id)
{
    uint64_t hash = 14695981039346656037u;

    for (; *id != '\0'; id++)
        hash = (hash ^ (uint8_t)*id) * 1099511628211u;
    return (size_t)(hash ^ hash >> 32);
}

static const struct device *bare_find(const struct bare_table *table, const char *id)
{
    size_t at = bare_hash(id) & table->mask;

    while (table->slots[at] != NULL && strcmp(table->slots[at]->id, id) != 0)
        at = (at + 1) & table->mask;
    return table->slots[at];
}

/* Both look up the same ids, spread over all. */
struct looking_up {
    const struct fleet *fleet;
    size_t count, next;
    const struct eds_registry *registry;
    struct bare_table table;
    uint64_t sum; /* so that nothing is left out */
};

static const char *next_id(struct looking_up *l)
{
    l->next = (l->next + 61803) % l->count; /* prime to every count here */
    return l->fleet->devices[l->next].id;
}

static void find_ours(void *context, size_t times)
{
    struct looking_up *l = context;

    for (size_t i = 0; i < times; i++) {
        struct eds_device found;

        demand(eds_registry_find(l->registry, next_id(l), &found) == EDS_OK, "not found");
        l->sum += found.keys[0].public_key[0];
    }
}

static void find_bare(void *context, size_t times)
{
    struct looking_up *l = context;

    for (size_t i = 0; i < times; i++)
        l->sum += bare_find(&l->table, next_id(l))->key[0];
}

static void fill_bare(struct bare_table *table, const struct fleet *fleet, size_t count)
{
    size_t slot_count = 256;

    while (slot_count < 2 * count)
        slot_count *= 2;
    table->slots = calloc(slot_count, sizeof(*table->slots));
    demand(table->slots != NULL, "no memory");
    table->mask = slot_count - 1;
    for (size_t i = 0; i < count; i++) {
        size_t at = bare_hash(fleet->devices[i].id) & table->mask;

        while (table->slots[at] != NULL)
            at = (at + 1) & table->mask;
        table->slots[at] = malloc(sizeof **table->slots);
        demand(table->slots[at] != NULL, "no memory");
        *table->slots[at] = fleet->devices[i];
    }
}

static void free_bare(struct bare_table *table)
{
    for (size_t i = 0; i <= table->mask; i++)
        free(table->slots[i]);
    free(table->slots);
}

static size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}

static struct eds_registry *fill_registry(const struct fleet *fleet, size_t count)
{
    struct eds_registry *registry = eds_registry_create();

    demand(registry != NULL, "no memory");
    for (size_t i = 0; i < count; i++) {
        const struct device *device = &fleet->devices[i];
        struct eds_enrolment it = {.key_count = 1, .attest_required = true};
        struct eds_error err;

        strcpy(it.id, device->id);
        memcpy(it.keys[0].public_key, device->key, sizeof device->key);
        it.keys[0].not_after_ms = it.keys[0].not_after_sequence = EDS_KEY_NO_END;
        demand(eds_registry_put(registry, &it, &err) == EDS_OK, err.text);
    }
    return registry;
}

static void measure_look_up(const struct fleet *fleet, size_t count)
{
    size_t before = bytes_in_use();
    struct eds_registry *registry = fill_registry(fleet, count);
    double bytes = (double)(bytes_in_use() - before) / (double)count;
    struct looking_up l = {.fleet = fleet, .count = count, .registry = registry};
    char ours_name[64], name[64];

    fill_bare(&l.table, fleet, count);
    snprintf(ours_name, sizeof ours_name, "registry_find_of_%zu", count);
    bench_pair(&(struct bench_case){ours_name, find_ours, &l},
               &(struct bench_case){"a bare hash table", find_bare, &l});
    snprintf(name, sizeof name, "registry_bytes_of_%zu", count);
    bench_report(name, bytes, "B/device", "id, key and window alone",
                 (double)(strlen(fleet->devices[0].id) + sizeof(struct eds_enrolled_key)), false);
    free_bare(&l.table);
    eds_registry_destroy(registry);
}

int main(void)
{
    const char *text = getenv("EDS_BENCH_DEVICES");
    size_t count = text != NULL ? (size_t)strtoull(text, NULL, 10) : 100000;
    struct fleet fleet = {.count = 0}, crowd = {.count = 0};

    make_fleet(&fleet, count);
    bench_begin("a fleet's enrolment");
    measure_sqlite(&fleet);
    measure_postgres(&fleet);
    bench_begin("the registry in memory");
    make_fleet(&crowd, LOOK_UP_MAX);
    for (size_t devices = 100; devices <= LOOK_UP_MAX; devices *= 10)
        measure_look_up(&crowd, devices);
    free(fleet.devices);
    free(fleet.csv);
    free(crowd.devices);
    free(crowd.csv);
    return 0;
}
