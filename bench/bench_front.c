/* bench_front.c - what a record costs on its way in, over HTTP and HTTPS, alone and in
 * batches, client on the same cores.
 *
 * The server is the real command, SQLite with synchronous=FULL behind it.  In the same run
 * and in turn with it the same client drives a bare libmicrohttpd, with or without TLS, that
 * answers 202 to the same bodies and keeps nothing.  Both are processes of their own, so
 * that their processor time can be told apart. */
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/features.h"
#include "bare_http.h"
#include "bench.h"
#include "http_load.h"
#include "served.h"

#define ROUNDS          3u
#define CONNECTIONS_MAX 64u

struct load {
    const char *name;
    size_t connection_count, request_count; /* the second for each of them */
    size_t batch_size;                      /* records in a request */
};

static char folder[BENCH_PATH_SIZE];
static char certificate[BENCH_PATH_SIZE + 16], key[BENCH_PATH_SIZE + 16];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* A small file as a string. */
static char *slurp(const char *path)
{
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 16384);

    if (file == NULL || text == NULL || fread(text, 1, 16383, file) == 0)
        die(path);
    fclose(file);
    return text;
}

/* The reference, in a process of its own, until it is killed. */
static void run_bare(bool has_tls, int port_out)
{
    static const char body[] = "{\"status\":\"accepted\"}";
    struct MHD_Response *response = MHD_create_response_from_buffer(
        sizeof body - 1, (void *)(uintptr_t)body, MHD_RESPMEM_PERSISTENT);
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_CERT, 0, NULL},
        {MHD_OPTION_HTTPS_MEM_KEY, 0, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    struct MHD_OptionItem none[] = {{MHD_OPTION_END, 0, NULL}};
    struct MHD_Daemon *daemon;
    unsigned port;

    if (has_tls) {
        tls[0].ptr_value = slurp(certificate);
        tls[1].ptr_value = slurp(key);
    }
    daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | (has_tls ? MHD_USE_TLS : 0u), 0, NULL,
                              NULL, bare_http_answer, response, MHD_OPTION_THREAD_POOL_SIZE, 2u,
                              MHD_OPTION_ARRAY, has_tls ? tls : none, MHD_OPTION_END);
    if (daemon == NULL)
        die("MHD_start_daemon");
    port = MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    if (write(port_out, &port, sizeof port) != sizeof port)
        exit(1);
    for (;;)
        pause();
}

struct figures {
    double rate, p50_us, p99_us, cpu_us; /* the last for a record */
};

static struct figures drive(const struct load *load, unsigned port,
                            const struct http_requests *requests)
{
    struct http_load_result result;
    struct figures out;

    if (http_load_run(&result, port, 202, requests, load->connection_count) != 0 ||
        result.refused > 0)
        exit(1);
    out.rate = (double)(result.answered * load->batch_size) * 1e9 / (double)result.elapsed_ns;
    out.p50_us = (double)bench_percentile(result.latency_ns, result.answered, 0.5) / 1e3;
    out.p99_us = (double)bench_percentile(result.latency_ns, result.answered, 0.99) / 1e3;
    free(result.latency_ns);
    return out;
}

static double record_count(const struct load *load)
{
    return (double)(load->connection_count * load->request_count * load->batch_size);
}

static struct figures measure_bare(const struct load *load, bool has_tls,
                                   const struct http_requests *requests)
{
    struct figures out;
    double before;
    unsigned port;
    int pipes[2];
    pid_t pid;

    if (pipe(pipes) != 0)
        die("pipe");
    pid = fork();
    if (pid == 0)
        run_bare(has_tls, pipes[1]);
    if (read(pipes[0], &port, sizeof port) != sizeof port)
        exit(1);
    close(pipes[0]);
    close(pipes[1]);
    before = bench_process_cpu_ns(pid);
    out = drive(load, port, requests);
    out.cpu_us = (bench_process_cpu_ns(pid) - before) / 1e3 / record_count(load);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    return out;
}

static struct figures measure_eds(const struct load *load, bool has_tls,
                                  const struct http_requests *requests)
{
    struct served server;
    struct figures out;
    double before;

    if (has_tls)
        served_start_tls(&server, load->connection_count, certificate, key);
    else
        served_start(&server, load->connection_count, NULL);
    before = served_cpu_seconds(&server);
    out = drive(load, server.port, requests);
    out.cpu_us = (served_cpu_seconds(&server) - before) * 1e6 / record_count(load);
    served_stop(&server);
    return out;
}

static void report(const char *name, const char *part, double *values, const char *unit,
                   const char *reference_name, double *references, bool higher_is_better)
{
    char text[96];

    snprintf(text, sizeof text, "%s%s", name, part);
    bench_report(text, bench_median(values, ROUNDS), unit, reference_name,
                 bench_median(references, ROUNDS), higher_is_better);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], name) == 0)
            return true;
    return argc == 1;
}

static void bench_load(const struct load *load, bool has_tls, int argc, char **argv)
{
    struct http_requests requests[CONNECTIONS_MAX];
    double ours[4][ROUNDS], bare[4][ROUNDS];
    char name[64];

    snprintf(name, sizeof name, "%s_%s", has_tls ? "https" : "http", load->name);
    if (!is_wanted(name, argc, argv))
        return;
    http_load_tls(has_tls);
    for (size_t i = 0; i < load->connection_count; i++) {
        char device_id[SERVED_ID_SIZE];
        uint8_t seed[32];

        served_device(device_id, seed, i);
        if (load->batch_size > 1)
            http_batches_make(&requests[i], device_id, seed, load->request_count, load->batch_size,
                              true);
        else
            http_requests_make(&requests[i], device_id, seed, load->request_count);
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        struct figures b = measure_bare(load, has_tls, requests);
        struct figures o = measure_eds(load, has_tls, requests);

        ours[0][i] = o.rate, ours[1][i] = o.p50_us, ours[2][i] = o.p99_us, ours[3][i] = o.cpu_us;
        bare[0][i] = b.rate, bare[1][i] = b.p50_us, bare[2][i] = b.p99_us, bare[3][i] = b.cpu_us;
    }
    report(name, "", ours[0], "records/s",
           has_tls ? "bare libmicrohttpd 202 over TLS, no store"
                   : "bare libmicrohttpd 202, no store",
           bare[0], true);
    report(name, "_p50", ours[1], "us", "the same", bare[1], false);
    report(name, "_p99", ours[2], "us", "the same", bare[2], false);
    report(name, "_cpu", ours[3], "us/record", "the same", bare[3], false);
    for (size_t i = 0; i < load->connection_count; i++)
        http_requests_free(&requests[i]);
}

#if EDS_TRANSPORT_TLS
static bool make_certificate(void)
{
    char command[4 * BENCH_PATH_SIZE];

    snprintf(certificate, sizeof certificate, "%s/cert.pem", folder);
    snprintf(key, sizeof key, "%s/key.pem", folder);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "
             "/CN=localhost -addext subjectAltName=DNS:localhost -keyout '%s' -out '%s' "
             "2>/dev/null",
             key, certificate);
    return system(command) == 0;
}
#endif

/* The arguments, if any, are the names of the only loads to be measured. */
int main(int argc, char **argv)
{
    static const struct load loads[] = {
        {"single_64", 64, 300, 1},
        {"batch_4", 4, 20, 1000},
    };

    if (getenv("EDS") == NULL) {
        fprintf(stderr, "EDS must name the eds command\n");
        return 64;
    }
    if (sodium_init() < 0)
        return 1;
    bench_temporary(folder);
    bench_begin("HTTP and HTTPS into SQLite (durable), beside a bare libmicrohttpd");
    for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
        bench_load(&loads[i], false, argc, argv);
#if EDS_TRANSPORT_TLS
    if (make_certificate())
        for (size_t i = 0; i < sizeof loads / sizeof loads[0]; i++)
            bench_load(&loads[i], true, argc, argv);
    else
        printf("  HTTPS skipped: openssl made no certificate\n");
#endif
    bench_remove(folder);
    return 0;
}
