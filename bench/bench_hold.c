/* bench_hold.c - what is left for honest devices beside others that are not.
 *
 * Sixteen devices send at half of what the server can take.  Meanwhile ten thousand
 * connections are held open by somebody who sends a byte of a head now and then; or
 * records with bad signatures, of unknown devices, or bodies of 2 MiB come in as fast
 * as they are answered; or three hundred bodies of 2 MiB that never end hold memory.  All of it
 * runs on the same cores, the attackers too.  The reference is the same load alone, in the same
 * run. */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "edgesentry/record.h"
#include "http_load.h"
#include "served.h"

#define DEVICES       16u
#define RECORDS_EACH  1000u
#define SLOW_PEERS    10000u
#define FLOOD_LANES   8u
#define FLOOD_RECORDS 2000u
#define HUGE_BODY     (2u * 1024u * 1024u) /* bytes */
#define HOARDERS      300u

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* What one kind of bad peers does, in a process of its own, until it is killed; it
 * writes a byte to ready when it has begun. */
typedef void attack_program(unsigned port, int ready);

static void say_ready(int ready)
{
    if (write(ready, "r", 1) != 1)
        exit(1);
}

static void hold_connections(unsigned port, int ready)
{
    static const char head[] = "POST /api/v1/ingest HTTP/1.1\r\nHost: slow\r\nX: ";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct rlimit limit;
    int *fds = calloc(SLOW_PEERS, sizeof *fds);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    if (fds == NULL)
        die("calloc");
    for (unsigned i = 0; i < SLOW_PEERS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fds[i] < 0 || connect(fds[i], (struct sockaddr *)&address, sizeof address) != 0 ||
            send(fds[i], head, sizeof head - 1, MSG_NOSIGNAL) < 0)
            die("a slow connection");
    }
    say_ready(ready);
    for (;;) {
        sleep(2);
        for (unsigned i = 0; i < SLOW_PEERS; i++)
            (void)!send(fds[i], "a", 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
}

/* Sends records that will be refused, for ever. */
static void flood(unsigned port, int ready, bool is_known)
{
    struct http_requests requests[FLOOD_LANES];
    struct http_load_result result;

    for (size_t i = 0; i < FLOOD_LANES; i++) {
        char device_id[SERVED_ID_SIZE];
        uint8_t seed[32];

        served_device(device_id, seed, i);
        seed[0] ^= 1; /* and so signs otherwise */
        if (!is_known)
            snprintf(device_id, sizeof device_id, "stranger-%zu", i);
        http_requests_make(&requests[i], device_id, seed, FLOOD_RECORDS);
    }
    say_ready(ready);
    while (http_load_run(&result, port, 422, requests, FLOOD_LANES) == 0)
        free(result.latency_ns);
}

static void flood_signatures(unsigned port, int ready)
{
    flood(port, ready, true);
}

static void flood_strangers(unsigned port, int ready)
{
    flood(port, ready, false);
}

static void flood_bodies(unsigned port, int ready)
{
    static const char head[] = "POST /api/v1/ingest HTTP/1.1\r\nHost: huge\r\n"
                               "Content-Type: application/json\r\nContent-Length: 2097152\r\n\r\n";
    struct http_requests requests[FLOOD_LANES];
    struct http_load_result result;
    char *text = malloc(sizeof head + HUGE_BODY);
    size_t end = sizeof head - 1 + HUGE_BODY;

    if (text == NULL)
        die("malloc");
    memcpy(text, head, sizeof head - 1);
    memset(text + sizeof head - 1, ' ', HUGE_BODY);
    for (size_t i = 0; i < FLOOD_LANES; i++)
        requests[i] = (struct http_requests){.text = text, .ends = &end, .count = 1};
    say_ready(ready);
    while (http_load_run(&result, port, 400, requests, FLOOD_LANES) == 0)
        free(result.latency_ns);
}

/* Most of a large body on each of many connections, and then next to nothing. */
static void hoard_memory(unsigned port, int ready)
{
    static const char head[] = "POST /api/v1/ingest HTTP/1.1\r\nHost: huge\r\n"
                               "Content-Type: application/json\r\nContent-Length: 2097152\r\n\r\n";
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    char *blanks = malloc(HUGE_BODY);
    int fds[HOARDERS];

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (blanks == NULL)
        die("malloc");
    memset(blanks, ' ', HUGE_BODY);
    for (unsigned i = 0; i < HOARDERS; i++) {
        fds[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fds[i] < 0 || (connect(fds[i], (struct sockaddr *)&address, sizeof address) != 0 &&
                           errno != EINPROGRESS))
            die("a hoarding connection");
    }
    sleep(1);
    for (unsigned i = 0; i < HOARDERS; i++)
        (void)!send(fds[i], head, sizeof head - 1, MSG_NOSIGNAL);
    say_ready(ready);
    for (size_t sent = 0;; sent++) {
        for (unsigned i = 0; i < HOARDERS; i++)
            (void)!send(fds[i], blanks, sent < 30 ? 65536 : 1, MSG_NOSIGNAL);
        usleep(50000);
    }
}

struct outcome {
    double rate; /* records a second */
    double p99_ms;
    double memory_mib; /* the server's, at most */
};

/* The honest load at that pace (0: as fast as it goes) beside an attack, or alone. */
static struct outcome run(const struct http_requests *requests, double pace, attack_program *attack)
{
    struct http_load_result result;
    struct served server;
    struct outcome outcome;
    int ready[2];
    pid_t attacker = 0;
    char byte;

    served_start(&server, DEVICES, NULL);
    if (attack != NULL) {
        if (pipe(ready) != 0)
            die("pipe");
        attacker = fork();
        if (attacker == 0) {
            attack(server.port, ready[1]);
            _exit(0);
        }
        close(ready[1]);
        if (read(ready[0], &byte, 1) != 1)
            exit(1);
        close(ready[0]);
    }
    http_load_pace(pace);
    if (http_load_run(&result, server.port, 202, requests, DEVICES) != 0 || result.refused > 0)
        exit(1);
    outcome.rate = (double)result.answered * 1e9 / (double)result.elapsed_ns;
    outcome.p99_ms = (double)bench_percentile(result.latency_ns, result.answered, 0.99) / 1e6;
    outcome.memory_mib = served_memory(&server, "VmHWM:") / (1024 * 1024);
    free(result.latency_ns);
    if (attacker > 0) {
        kill(attacker, SIGKILL);
        waitpid(attacker, NULL, 0);
    }
    served_stop(&server);
    return outcome;
}

static void report(const char *name, struct outcome with, struct outcome alone)
{
    char text[96];

    snprintf(text, sizeof text, "honest records/s beside %s", name);
    bench_report(text, with.rate, "records/s", "alone", alone.rate, true);
    snprintf(text, sizeof text, "p99 beside %s", name);
    bench_report(text, with.p99_ms, "ms", "alone", alone.p99_ms, false);
    snprintf(text, sizeof text, "server memory beside %s", name);
    bench_report(text, with.memory_mib, "MiB", "alone", alone.memory_mib, false);
}

int main(void)
{
    static const struct {
        const char *name;
        attack_program *attack;
    } attacks[] = {
        {"10000 slow connections", hold_connections}, {"bad signatures", flood_signatures},
        {"unknown devices", flood_strangers},         {"bodies of 2 MiB", flood_bodies},
        {"300 unfinished bodies", hoard_memory},
    };
    struct http_requests requests[DEVICES];
    struct outcome full, alone;

    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < DEVICES; i++) {
        char device_id[SERVED_ID_SIZE];
        uint8_t seed[32];

        served_device(device_id, seed, i);
        http_requests_make(&requests[i], device_id, seed, RECORDS_EACH);
    }
    bench_begin("honest devices at half load beside slow and bad peers (HTTP, SQLite)");
    full = run(requests, 0, NULL);
    bench_report("full load", full.rate, "records/s", NULL, 0, true);
    alone = run(requests, full.rate / 2, NULL);
    for (size_t i = 0; i < sizeof attacks / sizeof attacks[0]; i++)
        report(attacks[i].name, run(requests, full.rate / 2, attacks[i].attack), alone);
    for (size_t i = 0; i < DEVICES; i++)
        http_requests_free(&requests[i]);
    return 0;
}
