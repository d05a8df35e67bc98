/* served.c - see served.h. */
#include "served.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edgesentry/ed25519.h"

static void die(const char *what)
{
    perror(what);
    exit(1);
}

void served_device(char device_id[SERVED_ID_SIZE], uint8_t seed[32], size_t device)
{
    snprintf(device_id, SERVED_ID_SIZE, "bench-%zu", device);
    memset(seed, 0, 32);
    memcpy(seed, &device, sizeof device);
    seed[31] = 7;
}

/* What distinguishes one server from another. */
struct how {
    const char *command;
    const char *store;             /* URL; NULL: a new SQLite file */
    const char *certificate, *key; /* NULL: none */
};

static void exec_server(const struct served *server, size_t device_count, const struct how *how)
{
    char **arguments = calloc(2 * device_count + 20, sizeof *arguments), *data, *port_file;
    size_t used = 0;

    if (asprintf(&data, "%s/data", server->directory) < 0 ||
        asprintf(&port_file, "%s/port", server->directory) < 0)
        die("asprintf");
    for (const char *const *word =
             (const char *const[]){getenv("EDS"), "audit", how->command, "--addr", "127.0.0.1:0",
                                   how->store != NULL ? "--store" : "--data-dir",
                                   how->store != NULL ? how->store : data, "--port-file", port_file,
                                   "--admin-addr", "off", "--log-level", "error",
                                   how->key != NULL ? "--tls-key" : NULL, how->key, "--tls-cert",
                                   how->certificate, NULL};
         *word != NULL; word++)
        arguments[used++] = strdup(*word);
    for (size_t i = 0; i < device_count; i++) {
        uint8_t seed[32], public_key[32];
        char hex[65], device_id[SERVED_ID_SIZE];

        served_device(device_id, seed, i);
        eds_ed25519_public_key(public_key, seed);
        sodium_bin2hex(hex, sizeof hex, public_key, 32);
        arguments[used++] = strdup("--device");
        if (asprintf(&arguments[used++], "%s=%s", device_id, hex) < 0)
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

static void start(struct served *server, size_t device_count, const struct how *how)
{
    char path[BENCH_PATH_SIZE + 16], line[32];

    bench_temporary(server->directory);
    server->pid = fork();
    if (server->pid == 0)
        exec_server(server, device_count, how);
    snprintf(path, sizeof path, "%s/port", server->directory);
    server->port = 0;
    for (unsigned i = 0; i < 3000 && server->port == 0; i++) {
        if (read_line(path, line, sizeof line))
            server->port = (unsigned)strtoul(line, NULL, 10);
        usleep(10000);
    }
    if (server->port == 0) {
        fprintf(stderr, "the server did not start\n");
        exit(1);
    }
}

void served_start(struct served *server, size_t device_count, const char *store)
{
    start(server, device_count, &(struct how){.command = "serve", .store = store});
}

void served_start_tls(struct served *server, size_t device_count, const char *certificate,
                      const char *key)
{
    start(server, device_count,
          &(struct how){.command = "serve-tls", .certificate = certificate, .key = key});
}

double served_memory(const struct served *server, const char *field)
{
    char path[64], line[256];
    double bytes = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/%d/status", (int)server->pid);
    file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, field, strlen(field)) == 0)
            bytes = strtod(line + strlen(field) + 1, NULL) * 1024;
    if (file != NULL)
        fclose(file);
    return bytes;
}

double served_cpu_seconds(const struct served *server)
{
    return bench_process_cpu_ns(server->pid) / 1e9;
}

void served_stop(const struct served *server)
{
    kill(server->pid, SIGTERM);
    waitpid(server->pid, NULL, 0);
    bench_remove(server->directory);
}
