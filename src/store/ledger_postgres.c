/* ledger_postgres.c - the PostgreSQL ledger: open and close. */
#include "store/ledger_postgres.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "base/wipe.h"
#include "store/ledger_postgres_roster.h"

#define PLACE_SIZE 256u

/* A word of the connection, as the URL, the environment and libpq's defaults
 * have it together. */
static const char *word_of(const PQconninfoOption *options, const char *keyword)
{
    for (; options->keyword != NULL; options++)
        if (strcmp(options->keyword, keyword) == 0 && options->val != NULL)
            return options->val;
    return NULL;
}

/* Says which database is meant, without a secret. */
static char *name_place(PQconninfoOption *options)
{
    const char *database = word_of(options, "dbname"), *host = word_of(options, "host");
    const char *user = word_of(options, "user");
    char *place = malloc(PLACE_SIZE);

    if (host == NULL)
        host = word_of(options, "hostaddr");
    if (place != NULL)
        snprintf(place, PLACE_SIZE, "database %.96s at %.128s",
                 database != NULL ? database : (user != NULL ? user : "(default)"),
                 host != NULL ? host : "the local socket");
    return place;
}

/* libpq's own words on a URL that it cannot read may hold the whole of it,
 * password included; only those on a parameter's name do not. */
static int32_t refuse_url(const char *message, struct eds_error *err)
{
    static const char harmless[] = "invalid URI query parameter";

    if (message == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a connection");
    if (strncmp(message, harmless, sizeof harmless - 1) == 0)
        return eds_error_set(err, EDS_ERR_USAGE, "cannot read the PostgreSQL URL: %.*s",
                             (int)strcspn(message, "\n"), message);
    return eds_error_set(err, EDS_ERR_USAGE,
                         "cannot read the PostgreSQL URL: expected "
                         "postgresql://USER@HOST:PORT/DATABASE?PARAMETER=VALUE, with other bytes "
                         "as %%XX");
}

static int32_t read_url(struct postgres_ledger *postgres, const char *url, struct eds_error *err)
{
    char *message = NULL;
    PQconninfoOption *options = PQconninfoParse(url, &message);
    int32_t rc = EDS_OK;

    if (options == NULL) {
        rc = refuse_url(message, err);
    } else {
        postgres->url = strdup(url);
        postgres->place = name_place(options);
        if (postgres->url == NULL || postgres->place == NULL)
            rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a ledger");
    }
    PQconninfoFree(options);
    PQfreemem(message);
    return rc;
}

/* The writer's row has served its purpose; one that stays is forgotten later. */
static void forget_writer(struct postgres_ledger *postgres)
{
    struct postgres_params params = {0};
    PGresult *result = NULL;

    if (postgres->connection == NULL || postgres->commit_number == 0)
        return;
    eds_postgres_add_bytes(&params, postgres->writer_id, POSTGRES_WRITER_SIZE);
    (void)eds_postgres_execute(postgres, POSTGRES_STATEMENT_FORGET_WRITER, &params, &result, NULL);
    PQclear(result);
}

static void close_ledger(struct eds_ledger *ledger)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;

    forget_writer(postgres);
    eds_postgres_disconnect(postgres);
    eds_commit_plan_free(&postgres->plan);
    for (int i = 0; i < POSTGRES_COLUMN_COUNT; i++)
        free(postgres->columns[i].bytes);
    free(postgres->moves);
    free(postgres->steps);
    free(postgres->place);
    if (postgres->url != NULL)
        eds_wipe(postgres->url, strlen(postgres->url)); /* a password may be in it */
    free(postgres->url);
    free(postgres);
}

static const struct eds_ledger_ops postgres_ops = {
    .name = "postgresql",
    .commit = eds_postgres_commit,
    .head = eds_postgres_head,
    .record_hash = eds_postgres_record_hash,
    .object = eds_postgres_object,
    .payload = eds_postgres_payload,
    .scan = eds_postgres_scan,
    .scan_whole = eds_postgres_scan_whole,
    .heads = eds_postgres_heads,
    .operations = eds_postgres_operations,
    .conflicts = eds_postgres_conflicts,
    .counts = eds_postgres_counts,
    .close = close_ledger,
};

static int32_t forget_old_writers(struct postgres_ledger *postgres, struct eds_error *err)
{
    struct postgres_params none = {0};
    PGresult *result = NULL;
    int32_t rc =
        eds_postgres_execute(postgres, POSTGRES_STATEMENT_FORGET_OLD_WRITERS, &none, &result, err);

    PQclear(result);
    return rc;
}

int32_t eds_postgres_open(struct eds_ledger **out, const char *url, enum postgres_mode mode,
                          struct eds_error *err)
{
    struct postgres_ledger *postgres = calloc(1, sizeof *postgres);
    int32_t rc;

    if (postgres == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a ledger");
    postgres->ledger.ops = &postgres_ops;
    postgres->ledger.roster = &eds_postgres_roster_ops;
    postgres->ledger.quarantine = &eds_postgres_quarantine_ops;
    postgres->ledger.gaps = &eds_postgres_gap_ops;
    postgres->ledger.orders = &eds_postgres_order_ops;
    postgres->mode = mode;
    rc = eds_commit_plan_init(&postgres->plan, err);
    if (rc == EDS_OK && eds_port_random(postgres->writer_id, POSTGRES_WRITER_SIZE) != 0)
        rc = eds_error_set(err, EDS_ERR_IO, "the system has no random bytes");
    if (rc == EDS_OK)
        rc = read_url(postgres, url, err);
    if (rc == EDS_OK)
        rc = eds_postgres_connect(postgres, err);
    if (rc == EDS_OK && mode != POSTGRES_MODE_READ)
        rc = forget_old_writers(postgres, err);
    if (rc != EDS_OK) {
        close_ledger(&postgres->ledger);
        return rc;
    }
    *out = &postgres->ledger;
    return EDS_OK;
}
