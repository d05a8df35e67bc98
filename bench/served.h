/* served.h - the real server, as a process of its own, for benchmarks. */
#ifndef EDS_BENCH_SERVED_H
#define EDS_BENCH_SERVED_H

#include <sys/types.h>

#include "bench.h"

struct served {
    pid_t pid;
    unsigned port;
    char directory[BENCH_PATH_SIZE];
};

/* served_device gives name and seed of a device that every server knows. */
#define SERVED_ID_SIZE 32u /* bytes, NUL included */
void served_device(char device_id[SERVED_ID_SIZE], uint8_t seed[32], size_t device);

/* served_start starts $EDS audit serve with so many devices; exits on failure.
 *
 *   store  URL; NULL: a new SQLite file */
void served_start(struct served *server, size_t device_count, const char *store);
/* served_start_tls does the same with serve-tls, and a certificate of its own. */
void served_start_tls(struct served *server, size_t device_count, const char *certificate,
                      const char *key);
void served_stop(const struct served *server);

/* served_memory gives a field of /proc/PID/status ("VmRSS:") in bytes. */
double served_memory(const struct served *server, const char *field);
double served_cpu_seconds(const struct served *server);

#endif
