/* postgres.c - see postgres.h. */
#include "support/postgres.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/service.h"

#define SCRIPT EDS_TEST_VECTORS "/../support/postgres.sh"

static void run(const struct postgres_server *server, const char *command, const char *argument)
{
    char line[1024];
    int size = snprintf(line, sizeof line, "'%s' %s '%s' \"%s\"", SCRIPT, command,
                        server->directory, argument);

    if (size < 0 || (size_t)size >= sizeof line || system(line) != 0) {
        fprintf(stderr, "failed: %s\n", line);
        exit(1);
    }
}

bool postgres_start(struct postgres_server *server)
{
    server->schema_count = 0;
    server->port = service_start("postgres.sh", server->directory);
    return server->port > 0;
}

void postgres_stop(const struct postgres_server *server, const char *mode)
{
    run(server, "stop", mode);
}

void postgres_up(const struct postgres_server *server)
{
    run(server, "up", "");
}

void postgres_sql(const struct postgres_server *server, const char *sql)
{
    run(server, "sql", sql);
}

void postgres_place(struct postgres_server *server, int port, char url[POSTGRES_URL_SIZE])
{
    unsigned number = ++server->schema_count;
    char sql[64];

    snprintf(sql, sizeof sql, "CREATE SCHEMA place%u", number);
    postgres_sql(server, sql);
    snprintf(url, POSTGRES_URL_SIZE,
             "postgresql://eds@127.0.0.1:%d/postgres?options=-csearch_path%%3Dplace%u", port,
             number);
}

void postgres_remove(const struct postgres_server *server)
{
    run(server, "remove", "");
}
