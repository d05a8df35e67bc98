/* ledger_postgres_connect.c - a connection, with what we want of it.
 *
 * The URL is libpq's to read, so TLS, passwords and services are given as
 * everywhere else; we only fill in what is missing. */
#include "store/ledger_postgres.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"

#define SERVER_VERSION_MIN 120000
#define RECONNECT_WAIT_MS  5000
#define RETRY_FIRST_MS     20
#define RETRY_MAX_MS       500

/* A wait for a lock or a lost client must end.  What is read committed is
 * decided anew by each statement, and the plans are those for large tables
 * from the first row on: the cost of a record must not jump when a table grows
 * past what its statistics say.  They also take rows in the order in which they are given,
 * which move_heads relies on. */
static const char settings[] = "SET lock_timeout = '10s';"
                               "SET idle_in_transaction_session_timeout = '10s';"
                               "SET default_transaction_isolation = 'read committed';"
                               "SET plan_cache_mode = force_generic_plan;"
                               "SET enable_seqscan = off;"
                               "SET enable_hashjoin = off;"
                               "SET enable_mergejoin = off;"
                               "SET jit = off;";

static void ignore_notice(void *context, const PGresult *result)
{
    (void)context;
    (void)result;
}

/* What libpq lets a later word override, then the URL, then what must hold. */
static PGconn *begin_connection(const char *url)
{
    static const char *const names[] = {
        "connect_timeout",  "keepalives_idle",  "keepalives_interval",
        "keepalives_count", "tcp_user_timeout", "fallback_application_name",
        "dbname",           "client_encoding",  NULL};
    const char *const values[] = {"5", "10", "5", "3", "15000", "edgesentry", url, "UTF8", NULL};

    return PQconnectdbParams(names, values, 1);
}

static int32_t check_server(struct postgres_ledger *postgres, struct eds_error *err)
{
    const char *encoding = PQparameterStatus(postgres->connection, "server_encoding");
    int version = PQserverVersion(postgres->connection);

    if (version < SERVER_VERSION_MIN)
        return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                             "PostgreSQL %s is version %d; %d or newer is needed", postgres->place,
                             version / 10000, SERVER_VERSION_MIN / 10000);
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
        return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                             "PostgreSQL %s has the encoding %s; make a database with UTF8",
                             postgres->place, encoding != NULL ? encoding : "unknown");
    return EDS_OK;
}

static int32_t run(struct postgres_ledger *postgres, const char *sql, struct eds_error *err)
{
    PGresult *result = PQexec(postgres->connection, sql);
    int32_t rc = EDS_OK;

    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        rc = eds_postgres_fail(postgres, result, err, "set up a session in");
    PQclear(result);
    return rc;
}

/* EDS_OK means durable: a server that would answer before its disk has, is told
 * not to.  fsync is the server's own, so that we can only warn. */
static int32_t check_durability(struct postgres_ledger *postgres, struct eds_error *err)
{
    static const char query[] =
        "SELECT current_setting('synchronous_commit') = 'off', current_setting('fsync') = 'off',"
        " backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()";
    PGresult *result = PQexecParams(postgres->connection, query, 0, NULL, NULL, NULL, NULL, 1);
    int32_t rc = EDS_OK;

    if (PQresultStatus(result) != PGRES_TUPLES_OK || PQntuples(result) != 1 ||
        !eds_postgres_column_bytes(postgres->backend_start, 8, result, 0, 2)) {
        rc = eds_postgres_fail(postgres, result, err, "set up a session in");
    } else {
        if (*PQgetvalue(result, 0, 0) != 0)
            rc = run(postgres, "SET synchronous_commit = on", err);
        if (*PQgetvalue(result, 0, 1) != 0)
            EDS_LOG(EDS_LOG_WARN, "postgres_fsync_off", EDS_LOG_STRING("store", postgres->place));
        postgres->backend_pid = PQbackendPID(postgres->connection);
    }
    PQclear(result);
    return rc;
}

static int32_t set_up(struct postgres_ledger *postgres, struct eds_error *err)
{
    int32_t rc = check_server(postgres, err);

    if (rc == EDS_OK)
        rc = run(postgres, settings, err);
    if (rc == EDS_OK && postgres->mode == POSTGRES_MODE_READ)
        rc = run(postgres, "SET default_transaction_read_only = on", err);
    if (rc == EDS_OK)
        rc = check_durability(postgres, err);
    if (rc == EDS_OK)
        rc = eds_postgres_migrate(postgres, err);
    if (rc == EDS_OK)
        rc = eds_postgres_prepare(postgres, err);
    return rc;
}

int32_t eds_postgres_connect(struct postgres_ledger *postgres, struct eds_error *err)
{
    int32_t rc;

    postgres->connection = begin_connection(postgres->url);
    if (PQstatus(postgres->connection) != CONNECTION_OK) {
        rc = eds_postgres_fail(postgres, NULL, err, "connect to");
    } else {
        (void)PQsetNoticeReceiver(postgres->connection, ignore_notice, NULL);
        rc = set_up(postgres, err);
    }
    if (rc != EDS_OK)
        eds_postgres_disconnect(postgres);
    return rc;
}

void eds_postgres_disconnect(struct postgres_ledger *postgres)
{
    PQfinish(postgres->connection); /* NULL is fine */
    postgres->connection = NULL;
    postgres->ahead.is_sent = false; /* an answer that was read stays good */
}

/* FATAL and PANIC end the connection, whether libpq has seen that yet or not. */
bool eds_postgres_lost(const struct postgres_ledger *postgres, const PGresult *result)
{
    const char *severity =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);

    return PQstatus(postgres->connection) != CONNECTION_OK || result == NULL ||
           (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0));
}

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int32_t eds_postgres_ready(struct postgres_ledger *postgres, struct eds_error *err)
{
    uint64_t end_ms = clock_ms() + RECONNECT_WAIT_MS;
    long retry_ms = RETRY_FIRST_MS;
    int32_t rc;

    eds_postgres_read_ahead(postgres);
    if (postgres->connection != NULL && PQstatus(postgres->connection) == CONNECTION_OK)
        return EDS_OK;
    for (;;) {
        struct timespec pause = {0, retry_ms * 1000000};

        eds_postgres_disconnect(postgres);
        rc = eds_postgres_connect(postgres, err);
        if ((rc != EDS_ERR_IO && rc != EDS_ERR_BUSY) || postgres->is_down || clock_ms() > end_ms)
            break;
        (void)nanosleep(&pause, NULL);
        retry_ms = retry_ms < RETRY_MAX_MS / 2 ? 2 * retry_ms : RETRY_MAX_MS;
    }
    if (rc == EDS_OK && postgres->is_down)
        EDS_LOG(EDS_LOG_INFO, "postgres_is_back", EDS_LOG_STRING("store", postgres->place));
    postgres->is_down = rc != EDS_OK; /* then the next call fails fast */
    return rc;
}
