/* postgres_server.h - a PostgreSQL server to measure, ours or one that is named. */
#ifndef EDS_BENCH_POSTGRES_SERVER_H
#define EDS_BENCH_POSTGRES_SERVER_H

#include <stdbool.h>

struct bench_postgres {
    char url[256];
    char directory[64]; /* of our own; "" for one that was named */
};

/* bench_postgres_start takes the server that EDS_BENCH_POSTGRES names, else makes
 * one with fsync on.  False, said why, if there is none to be had. */
bool bench_postgres_start(struct bench_postgres *server);
void bench_postgres_stop(const struct bench_postgres *server);

/* bench_postgres_schema makes an empty schema and writes the URL that leads into
 * it. */
void bench_postgres_schema(const struct bench_postgres *server, const char *name, char url[512]);

/* bench_postgres_inserts tells how many records a second a bare loop of prepared
 * inserts stores, one row and one log line each, 1000 in a transaction. */
double bench_postgres_inserts(const struct bench_postgres *server);

#endif
