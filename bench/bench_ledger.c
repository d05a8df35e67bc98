/* bench_ledger.c - checking a whole SQLite ledger, and writing chains out of it.
 *
 * The ledger is made first, as a server makes it: commits of a thousand records,
 * ten of each of a hundred devices, each record signed and attested, with a
 * payload, a reference and a line of the log (300,000 records unless
 * EDS_BENCH_LEDGER says otherwise).  It stays in the page cache.
 *
 * The reference is what nobody can do without: a bare SELECT, on one thread, of the
 * rows that must be compared, in the order of the chains, and nothing done to them. */
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench.h"
#include "edgesentry/attest.h"
#include "evidence/ledger_check.h"
#include "evidence/ledger_export.h"
#include "store/roster.h"

#define DEVICE_COUNT 100u
#define BATCH_COUNT  1000u
#define PAYLOAD_SIZE 96u /* bytes */
#define NOW_MS       1795305600123u
#define ROUND_COUNT  3u

struct device {
    char id[16];
    uint8_t seed[EDS_SEED_SIZE];
    struct eds_enrolled_key key;
    uint64_t sequence;
    uint8_t head[EDS_HASH_SIZE];
};

static struct device devices[DEVICE_COUNT];

static void die(const char *what)
{
    fprintf(stderr, "bench_ledger: %s\n", what);
    exit(1);
}

static void make_devices(void)
{
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        struct device *device = &devices[i];

        snprintf(device->id, sizeof device->id, "lift-%04u", i);
        memset(device->seed, (int)i + 1, sizeof device->seed);
        device->key.not_after_ms = device->key.not_after_sequence = EDS_KEY_NO_END;
        eds_ed25519_public_key(device->key.public_key, device->seed);
    }
}

struct batch {
    struct eds_entry entries[BATCH_COUNT];
    uint64_t payloads[BATCH_COUNT][PAYLOAD_SIZE / 8];
    struct eds_append appends[BATCH_COUNT];
    struct eds_operation operations[BATCH_COUNT];
};

static void fill(struct batch *batch, size_t i, struct device *device)
{
    struct eds_entry *entry = &batch->entries[i];
    char ref[64];

    memset(entry, 0, sizeof *entry);
    device->sequence++;
    snprintf(ref, sizeof ref, "s3://bucket/%s/inspection-%llu.bin", device->id,
             (unsigned long long)device->sequence);
    for (size_t word = 0; word < PAYLOAD_SIZE / 8; word++)
        batch->payloads[i][word] = device->sequence * 31 + word;
    if (eds_record_sign(&entry->record, device->id, device->sequence, NOW_MS, batch->payloads[i],
                        PAYLOAD_SIZE, device->head, ref, device->seed, NULL) != EDS_OK ||
        eds_record_digest(device->head, &entry->record) != EDS_OK)
        die("cannot sign");
    eds_attest_sign(&entry->attestation, device->head, device->seed);
    batch->appends[i] = (struct eds_append){
        .entry = entry, .payload = batch->payloads[i], .payload_size = PAYLOAD_SIZE};
    memcpy(batch->appends[i].record_hash, device->head, EDS_HASH_SIZE);
    batch->operations[i] = (struct eds_operation){.decision = EDS_DECISION_ACCEPTED,
                                                  .device_id = device->id,
                                                  .sequence = device->sequence,
                                                  .message = "ingest accepted"};
}

/* So that `eds audit ledger verify` finds the keys as well. */
static void enrol(struct eds_ledger *ledger)
{
    struct eds_enrolment it = {.role = EDS_ROLE_DEVICE, .attest_required = true, .key_count = 1};
    const struct eds_roster_change change = {
        .enrolment = &it, .message = "device added", .who = "bench", .why = "a bench"};
    struct eds_error err;

    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        strcpy(it.id, devices[i].id);
        it.keys[0] = devices[i].key;
        if (ledger->roster->change(ledger, &change, 1, NOW_MS, &err) != EDS_OK)
            die(err.text);
    }
}

static void make_ledger(const char *url, size_t count)
{
    struct batch *batch = malloc(sizeof *batch);
    struct eds_ledger *ledger;
    struct eds_error err;

    if (batch == NULL || eds_ledger_open(&ledger, url, &err) != EDS_OK)
        die("no ledger");
    enrol(ledger);
    for (size_t done = 0; done < count; done += BATCH_COUNT) {
        const struct eds_commit commit = {.appends = batch->appends,
                                          .append_count = BATCH_COUNT,
                                          .operations = batch->operations,
                                          .operation_count = BATCH_COUNT,
                                          .now_ms = NOW_MS};

        for (size_t i = 0; i < BATCH_COUNT; i++)
            fill(batch, i, &devices[i / 10 % DEVICE_COUNT]);
        if (ledger->ops->commit(ledger, &commit, &err) != EDS_OK)
            die(err.text);
    }
    ledger->ops->close(ledger);
    free(batch);
}

static size_t give_keys(void *context, const char *device_id, const struct eds_enrolled_key **out)
{
    (void)context;
    *out = &devices[strtoul(device_id + 5, NULL, 10)].key;
    return 1;
}

/* As `eds audit ledger verify` and `eds export` open it. */
static struct eds_ledger *open_reader(const char *url)
{
    char read_only[2 * BENCH_PATH_SIZE + sizeof "?mode=ro"];
    struct eds_ledger *ledger;
    struct eds_error err;

    snprintf(read_only, sizeof read_only, "%s?mode=ro", url);
    if (eds_ledger_open(&ledger, read_only, &err) != EDS_OK)
        die(err.text);
    return ledger;
}

static double check_rate(const char *url, size_t count, unsigned threads)
{
    struct eds_ledger_check check = {.keys = give_keys, .thread_count = threads};
    struct eds_ledger_summary summary;
    struct eds_error err;
    uint64_t start;
    double rate;

    check.ledger = open_reader(url);
    check.log_ledger = open_reader(url);
    start = bench_now_ns();
    if (eds_ledger_check_run(&check, &summary, &err) != EDS_OK)
        die(err.text);
    if (summary.record_count != count || summary.finding_count > 0 ||
        summary.attested_count != count || summary.payload_count != count)
        die("the ledger is not as it was made");
    rate = (double)count * 1e9 / (double)(bench_now_ns() - start);
    check.log_ledger->ops->close(check.log_ledger);
    check.ledger->ops->close(check.ledger);
    return rate;
}

/* Nothing but stepping over the same columns. */
static void step_over(sqlite3 *db, const char *query)
{
    sqlite3_stmt *statement;
    int column_count, code;

    if (sqlite3_prepare_v2(db, query, -1, &statement, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    column_count = sqlite3_column_count(statement);
    while ((code = sqlite3_step(statement)) == SQLITE_ROW)
        for (int i = 0; i < column_count; i++)
            if (sqlite3_column_type(statement, i) == SQLITE_INTEGER)
                (void)sqlite3_column_int64(statement, i);
            else
                (void)sqlite3_column_blob(statement, i);
    if (code != SQLITE_DONE)
        die(sqlite3_errmsg(db));
    sqlite3_finalize(statement);
}

static double select_rate(const char *url, size_t count)
{
    uint64_t start = bench_now_ns();
    sqlite3 *db;

    if (sqlite3_open_v2(url + strlen("sqlite:"), &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
        die(sqlite3_errmsg(db));
    step_over(db, "SELECT device_id, sequence, timestamp_ms, payload_hash, signature,"
                  " prev_record_hash, object_ref, ingested_at, record_hash, attest_key_id,"
                  " attest_signature FROM audit_records ORDER BY device_id, sequence");
    step_over(db, "SELECT object_ref, payload_hash, payload FROM raw_objects ORDER BY id");
    step_over(db, "SELECT decision, device_id, sequence, created_at FROM operation_logs");
    sqlite3_close(db);
    return (double)count * 1e9 / (double)(bench_now_ns() - start);
}

static int32_t count_bytes(void *file, const void *bytes, size_t size, struct eds_error *err)
{
    (void)bytes, (void)err;
    *(uint64_t *)file += size;
    return EDS_OK;
}

static double export_rate(const char *url, bool with_payloads)
{
    uint64_t record_bytes = 0, payload_bytes = 0, count = 0, start;
    struct eds_ledger_export export = {.format = EDS_CHAIN_NDJSON,
                                       .write = count_bytes,
                                       .records = &record_bytes,
                                       .payloads = with_payloads ? &payload_bytes : NULL};
    struct eds_export_summary summary;
    struct eds_error err;

    export.ledger = open_reader(url);
    start = bench_now_ns();
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        export.device_id = devices[i].id;
        if (eds_ledger_export_run(&export, &summary, &err) != EDS_OK)
            die(err.text);
        count += summary.record_count;
    }
    start = bench_now_ns() - start;
    export.ledger->ops->close(export.ledger);
    return (double)count * 1e9 / (double)start;
}

static void measure(const char *url, size_t count)
{
    double verify[ROUND_COUNT], two_cores[ROUND_COUNT], select[ROUND_COUNT], records[ROUND_COUNT],
        payloads[ROUND_COUNT];
    const char *reference = "a bare SELECT of the rows, one thread";
    struct rusage usage;
    double rate;

    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        two_cores[round] = bench_cpu_seconds();
        verify[round] = check_rate(url, count, 0);
        two_cores[round] = 2 * (double)count / (bench_cpu_seconds() - two_cores[round]);
        select[round] = select_rate(url, count);
        records[round] = export_rate(url, false);
        payloads[round] = export_rate(url, true);
    }
    rate = bench_median(select, ROUND_COUNT);
    bench_report("ledger_verify_sqlite", bench_median(verify, ROUND_COUNT), "records/s", reference,
                 rate, true);
    bench_report("ledger_verify_sqlite_two_cores", bench_median(two_cores, ROUND_COUNT),
                 "records/s", NULL, 0, true);
    bench_report("ledger_export_sqlite", bench_median(records, ROUND_COUNT), "records/s", reference,
                 rate, true);
    bench_report("ledger_export_payloads_sqlite", bench_median(payloads, ROUND_COUNT), "records/s",
                 reference, rate, true);
    getrusage(RUSAGE_SELF, &usage);
    bench_report("ledger_verify_peak_memory", (double)usage.ru_maxrss * 1024, "B", NULL, 0, false);
}

/* bench_ledger FILE uses the ledger there, and makes it if there is none;
 * bench_ledger --make FILE does no more than that, for scripts/profile.py. */
int main(int argc, char **argv)
{
    const char *wanted = getenv("EDS_BENCH_LEDGER");
    size_t count = wanted != NULL ? strtoul(wanted, NULL, 10) : 300000;
    char folder[BENCH_PATH_SIZE], url[2 * BENCH_PATH_SIZE];

    count = (count + BATCH_COUNT - 1) / BATCH_COUNT * BATCH_COUNT;
    if (sodium_init() < 0 || count == 0)
        return 1;
    make_devices();
    if (argc > 2 && strcmp(argv[1], "--make") == 0) {
        snprintf(url, sizeof url, "sqlite:%s", argv[2]);
        make_ledger(url, count);
        return 0;
    }
    bench_temporary(folder);
    snprintf(url, sizeof url, "sqlite:%s%s", argc > 1 ? argv[1] : folder,
             argc > 1 ? "" : "/ledger.db");
    if (argc == 1 || access(argv[1], F_OK) != 0)
        make_ledger(url, count);
    bench_begin("SQLite ledger (page cache, all cores)");
    measure(url, count);
    bench_remove(folder);
    return 0;
}
