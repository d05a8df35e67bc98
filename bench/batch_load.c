/* batch_load.c - see batch_load.h. */
#include "batch_load.h"

#include <stdio.h>
#include <stdlib.h>

#include "http_load.h"
#include "served.h"

#define CONNECTIONS 2u

double batch_load_rate(const char *store, size_t batch_count, bool compact, double *cpu_us)
{
    struct http_requests requests[CONNECTIONS];
    struct http_load_result result;
    struct served server;
    double count = (double)(CONNECTIONS * batch_count * BATCH_LOAD_SIZE), started;

    for (size_t i = 0; i < CONNECTIONS; i++) {
        char device_id[SERVED_ID_SIZE];
        uint8_t seed[32];

        served_device(device_id, seed, i);
        http_batches_make(&requests[i], device_id, seed, batch_count, BATCH_LOAD_SIZE, compact);
    }
    served_start(&server, CONNECTIONS, store);
    started = served_cpu_seconds(&server);
    if (http_load_run(&result, server.port, 202, requests, CONNECTIONS) != 0 ||
        result.refused > 0) {
        fprintf(stderr, "a batch was refused\n");
        exit(1);
    }
    *cpu_us = (served_cpu_seconds(&server) - started) * 1e6 / count;
    served_stop(&server);
    free(result.latency_ns);
    for (size_t i = 0; i < CONNECTIONS; i++)
        http_requests_free(&requests[i]);
    return count * 1e9 / (double)result.elapsed_ns;
}
