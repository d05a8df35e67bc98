/* postgres.c - see postgres.h. */
#include "support/postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

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
    char line[1024], answer[256] = "";
    FILE *pipe;
    int status;

    temp_dir_make(server->directory);
    server->schema_count = 0;
    snprintf(line, sizeof line, "'%s' start '%s' %ld", SCRIPT, server->directory, (long)getpid());
    pipe = popen(line, "r");
    if (pipe == NULL || fgets(answer, sizeof answer, pipe) == NULL)
        answer[0] = '\0';
    status = pipe == NULL ? -1 : pclose(pipe);
    if (status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == 77) {
        printf("skipped: %s", answer);
        temp_dir_remove(server->directory);
        return false;
    }
    server->port = atoi(answer);
    if (status != 0 || server->port <= 0) {
        fprintf(stderr, "PostgreSQL did not start\n");
        exit(1);
    }
    return true;
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
