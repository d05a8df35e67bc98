/* ledger_postgres_error.c - what PostgreSQL reports, as our code and a sentence.
 *
 * The server's primary message is told, never its detail: that may hold values
 * of rows.  The password is in neither. */
#include "store/ledger_postgres.h"

#include <stdio.h>
#include <string.h>

bool eds_postgres_has_state(const PGresult *result, const char *sqlstate)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return state != NULL && strncmp(state, sqlstate, strlen(sqlstate)) == 0;
}

/* By SQLSTATE or, where the text is shorter, by its class. */
static const struct {
    const char *state;
    int32_t code;
} codes[] = {
    {"23505", EDS_ERR_HEAD_MOVED}, /* unique_violation: another node was faster */
    {"21000", EDS_ERR_EXISTS},     /* one row put twice: one key in two enrolments */
    {"40", EDS_ERR_HEAD_MOVED},    /* serialization failure, deadlock */
    {"22021", EDS_ERR_USAGE},      /* bytes that are no UTF-8 */
    {"22P05", EDS_ERR_USAGE},      {"55P03", EDS_ERR_BUSY}, /* lock_timeout */
    {"57014", EDS_ERR_BUSY},                                /* statement_timeout, or cancelled */
    {"53300", EDS_ERR_BUSY},                                /* too many connections */
    {"53200", EDS_ERR_IO},                                  /* the server's memory, not ours */
    {"54000", EDS_ERR_TOO_LARGE},
};

static int32_t translate(const PGresult *result)
{
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if (eds_postgres_has_state(result, codes[i].state))
            return codes[i].code;
    return EDS_ERR_IO;
}

/* A message on one line, without its ends. */
static void flatten(char *out, size_t out_size, const char *message)
{
    size_t size = 0;

    for (; *message != '\0' && size + 3 < out_size; message++) {
        if (*message != '\n') {
            out[size++] = *message == '\t' ? ' ' : *message;
        } else if (message[1] != '\0') {
            out[size++] = ';';
            out[size++] = ' ';
        }
    }
    out[size] = '\0';
}

int32_t eds_postgres_fail(const struct postgres_ledger *postgres, const PGresult *result,
                          struct eds_error *err, const char *doing)
{
    const char *state = result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    char text[400];

    if (message == NULL)
        message = result != NULL ? PQresultErrorMessage(result) : "";
    if (message[0] == '\0' && postgres->connection != NULL)
        message = PQerrorMessage(postgres->connection);
    if (message[0] == '\0')
        message = "no memory, or the connection was closed";
    flatten(text, sizeof text, message);
    return eds_error_set(err, translate(result), "cannot %s PostgreSQL %s: %s%s%s%s", doing,
                         postgres->place, text, state != NULL ? " (SQLSTATE " : "",
                         state != NULL ? state : "", state != NULL ? ")" : "");
}

int32_t eds_postgres_damaged(const struct postgres_ledger *postgres, struct eds_error *err,
                             const char *table, uint64_t id, const char *column)
{
    return eds_error_set(err, EDS_ERR_MALFORMED,
                         "damaged ledger in PostgreSQL %s: row %llu of %s has no valid %s",
                         postgres->place, (unsigned long long)id, table, column);
}
