/* bench_http.c - durable records a second over HTTP, client on the same cores.
 *
 * The server is the real command, SQLite with synchronous=FULL behind it.  In
 * the same run the same client drives a bare libmicrohttpd that answers 202 to
 * the same bodies, and a bare loop commits the same rows one by one. */
#include <microhttpd.h>
#include <signal.h>
#include <sodium.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "edgesentry/record.h"
#include "http_load.h"

#define RECORD_COUNT 60000u /* of all connections together */

struct server {
    pid_t pid;
    unsigned port;
    char directory[BENCH_PATH_SIZE];
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void seed_of(uint8_t seed[32], size_t device)
{
    memset(seed, 0, 32);
    memcpy(seed, &device, sizeof device);
    seed[31] = 7;
}

static void exec_server(const struct server *server, size_t device_count)
{
    char **arguments = calloc(2 * device_count + 16, sizeof *arguments), *data, *port_file;
    size_t used = 0;

    if (asprintf(&data, "%s/data", server->directory) < 0 ||
        asprintf(&port_file, "%s/port", server->directory) < 0)
        die("asprintf");
    for (const char *const *word =
             (const char *const[]){getenv("EDS"), "audit", "serve", "--addr", "127.0.0.1:0",
                                   "--data-dir", data, "--port-file", port_file, "--log-level",
                                   "error", NULL};
         *word != NULL; word++)
        arguments[used++] = strdup(*word);
    for (size_t i = 0; i < device_count; i++) {
        uint8_t seed[32], public_key[32];
        char hex[65];

        seed_of(seed, i);
        eds_ed25519_public_key(public_key, seed);
        sodium_bin2hex(hex, sizeof hex, public_key, 32);
        arguments[used++] = strdup("--device");
        if (asprintf(&arguments[used++], "bench-%zu=%s", i, hex) < 0)
            die("asprintf");
    }
    execv(arguments[0], arguments);
    die(arguments[0]);
}

/* Reads a small file as one line of text; false if it is not there or empty. */
static bool read_line(const char *path, char *line, size_t size)
{
    FILE *file = fopen(path, "r");
    bool read;

    if (file == NULL)
        return false;
    read = fgets(line, (int)size, file) != NULL;
    fclose(file);
    return read;
}

static void start_server(struct server *server, size_t device_count)
{
    char path[BENCH_PATH_SIZE + 16], line[32];

    bench_temporary(server->directory);
    server->pid = fork();
    if (server->pid == 0)
        exec_server(server, device_count);
    snprintf(path, sizeof path, "%s/port", server->directory);
    server->port = 0;
    for (unsigned i = 0; i < 500 && server->port == 0; i++) {
        if (read_line(path, line, sizeof line))
            server->port = (unsigned)strtoul(line, NULL, 10);
        usleep(10000);
    }
    if (server->port == 0) {
        fprintf(stderr, "the server did not start\n");
        exit(1);
    }
}

/* The field of /proc/PID/status, in bytes. */
static double memory_of(pid_t pid, const char *field)
{
    char path[64], line[256];
    double bytes = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            bytes = strtod(line + strlen(field) + 1, NULL) * 1024;
    if (file != NULL)
        fclose(file);
    return bytes;
}

/* Fields 14 and 15 of /proc/PID/stat, counted from behind the command's name,
 * which ends with the last parenthesis. */
static double cpu_seconds_of(pid_t pid)
{
    char path[64], line[1024], *at;
    unsigned long ticks = 0;

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (!read_line(path, line, sizeof line) || (at = strrchr(line, ')')) == NULL)
        die(path);
    for (unsigned field = 3; field <= 15; field++) {
        at = strchr(at + 1, ' ');
        if (at == NULL)
            die(path);
        if (field >= 14)
            ticks += strtoul(at, NULL, 10);
    }
    return (double)ticks / (double)sysconf(_SC_CLK_TCK);
}

static void stop_server(const struct server *server)
{
    kill(server->pid, SIGTERM);
    waitpid(server->pid, NULL, 0);
    bench_remove(server->directory);
}

/* The reference server: takes the body, answers 202, keeps nothing. */
static enum MHD_Result answer_202(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *data,
                                  size_t *data_size, void **state)
{
    static int begun;

    (void)url, (void)method, (void)version, (void)data;
    if (*state == NULL) {
        *state = &begun;
        return MHD_YES;
    }
    if (*data_size > 0) {
        *data_size = 0;
        return MHD_YES;
    }
    return MHD_queue_response(connection, 202, context);
}

static double bare_rate(const struct http_requests *requests, size_t connection_count)
{
    static const char body[] = "{\"status\":\"accepted\"}";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof body - 1, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
    struct MHD_Daemon *daemon =
        MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, answer_202, response,
                         MHD_OPTION_THREAD_POOL_SIZE, 2u, MHD_OPTION_END);
    struct http_load_result result;

    if (daemon == NULL)
        die("MHD_start_daemon");
    if (http_load_run(&result, MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port, 202,
                      requests, connection_count) != 0)
        exit(1);
    free(result.latency_ns);
    MHD_stop_daemon(daemon);
    MHD_destroy_response(response);
    return (double)result.answered * 1e9 / (double)result.elapsed_ns;
}

static void bench_connections(size_t connection_count, double disk_rate)
{
    struct http_requests *requests = calloc(connection_count, sizeof *requests);
    struct http_load_result result;
    struct server server;
    char name[64];

    for (size_t i = 0; i < connection_count; i++) {
        uint8_t seed[32];
        char device_id[32];

        seed_of(seed, i);
        snprintf(device_id, sizeof device_id, "bench-%zu", i);
        http_requests_make(&requests[i], device_id, seed,
                           (connection_count == 1 ? RECORD_COUNT / 4 : RECORD_COUNT) /
                               connection_count);
    }
    start_server(&server, connection_count);
    double memory_before = memory_of(server.pid, "VmRSS:");
    double cpu_before = cpu_seconds_of(server.pid);
    if (http_load_run(&result, server.port, 202, requests, connection_count) != 0 ||
        result.refused > 0) {
        fprintf(stderr, "%zu of the records were refused\n", result.refused);
        exit(1);
    }
    double count = (double)result.answered;
    double rate = count * 1e9 / (double)result.elapsed_ns;
    double cpu = cpu_seconds_of(server.pid) - cpu_before;
    double memory = memory_of(server.pid, "VmRSS:") - memory_before;
    double peak = memory_of(server.pid, "VmHWM:");
    stop_server(&server);

    double bare = bare_rate(requests, connection_count);
    snprintf(name, sizeof name, "http_single_sqlite_%zu", connection_count);
    if (connection_count == 1)
        bench_report(name, rate, "records/s", "the disk's single commits", disk_rate, true);
    else
        bench_report(name, rate, "records/s", "bare libmicrohttpd 202, no store", bare, true);
    snprintf(name, sizeof name, "http_single_sqlite_%zu_p50", connection_count);
    bench_report(name, (double)bench_percentile(result.latency_ns, result.answered, 0.5) / 1e3,
                 "us", NULL, 0, false);
    snprintf(name, sizeof name, "http_single_sqlite_%zu_p99", connection_count);
    bench_report(name, (double)bench_percentile(result.latency_ns, result.answered, 0.99) / 1e3,
                 "us", NULL, 0, false);
    snprintf(name, sizeof name, "http_single_sqlite_%zu_cpu", connection_count);
    bench_report(name, cpu * 1e6 / count, "us/record", NULL, 0, false);
    snprintf(name, sizeof name, "http_single_sqlite_%zu_memory", connection_count);
    bench_report(name, memory / count, "B/record", NULL, 0, false);
    snprintf(name, sizeof name, "http_single_sqlite_%zu_peak", connection_count);
    bench_report(name, peak, "B", NULL, 0, false);
    free(result.latency_ns);
    for (size_t i = 0; i < connection_count; i++)
        http_requests_free(&requests[i]);
    free(requests);
}

/* What the disk allows: one row and one log line a commit, nothing else. */
static double bench_disk(void)
{
    char directory[BENCH_PATH_SIZE], path[BENCH_PATH_SIZE + 16];
    uint8_t row[300] = {0};
    sqlite3 *db;
    sqlite3_stmt *insert;
    size_t count = 0;

    bench_temporary(directory);
    snprintf(path, sizeof path, "%s/bare.db", directory);
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
                     "CREATE TABLE t(n INTEGER PRIMARY KEY, b BLOB)",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, "INSERT INTO t(b) VALUES(?)", -1, &insert, NULL) != SQLITE_OK)
        die("sqlite3");
    sqlite3_bind_blob(insert, 1, row, sizeof row, SQLITE_STATIC);
    uint64_t start = bench_now_ns(), now = start;
    for (; now - start < 1500000000u; now = bench_now_ns(), count++) {
        if (sqlite3_step(insert) != SQLITE_DONE)
            die("insert");
        sqlite3_reset(insert);
    }
    double rate = (double)count * 1e9 / (double)(now - start);
    bench_report("disk_single_commits", rate, "commits/s", NULL, 0, true);
    sqlite3_finalize(insert);
    sqlite3_close(db);
    bench_remove(directory);
    return rate;
}

int main(int argc, char **argv)
{
    static char *const usual[] = {"1", "16", "64"};

    if (getenv("EDS") == NULL) {
        fprintf(stderr, "EDS must name the eds command\n");
        return 64;
    }
    if (sodium_init() < 0)
        return 1;
    bench_begin("ingest over HTTP into SQLite (durable)");
    double disk_rate = bench_disk();
    for (int i = 1; i < argc; i++)
        bench_connections(strtoul(argv[i], NULL, 10), disk_rate);
    for (size_t i = 0; argc == 1 && i < sizeof usual / sizeof usual[0]; i++)
        bench_connections(strtoul(usual[i], NULL, 10), disk_rate);
    return 0;
}
