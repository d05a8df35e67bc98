/* ledger_postgres_commit.c - one commit, one transaction, two round trips: all
 * rows, then COMMIT.
 *
 * A connection that breaks before COMMIT was sent leaves nothing behind, and
 * the commit is simply made again.  One that breaks after may or may not have
 * left all of it.  So each transaction also signs for itself: it writes its
 * number into this writer's row of ledger_writers.  On a new connection we end
 * the old backend and then write to the same row, which waits until the old
 * transaction has ended in one way or the other; the number found there tells
 * which. */
#include "store/ledger_postgres.h"

#include <string.h>

#define ATTEMPT_MAX 2
#define RESOLVE_MAX 3
#define CAREFUL_MAX 1000u        /* commits */
#define PAYLOAD_MAX (512u << 20) /* bytes; a value in PostgreSQL ends at 1 GiB */

static int32_t check_payloads(const struct eds_commit *commit, struct eds_error *err)
{
    for (size_t i = 0; i < commit->append_count; i++)
        if (commit->appends[i].payload != NULL && commit->appends[i].payload_size > PAYLOAD_MAX)
            return eds_error_set(err, EDS_ERR_TOO_LARGE,
                                 "a payload of %zu bytes; PostgreSQL keeps up to %u here",
                                 commit->appends[i].payload_size, PAYLOAD_MAX);
    return EDS_OK;
}

void eds_postgres_sign_params(struct postgres_ledger *postgres, struct postgres_params *params)
{
    eds_postgres_add_bytes(params, postgres->writer_id, POSTGRES_WRITER_SIZE);
    eds_postgres_add_u64(params, ++postgres->commit_number);
}

static int32_t sign(struct postgres_ledger *postgres, struct eds_error *err)
{
    struct postgres_params params = {0};

    eds_postgres_sign_params(postgres, &params);
    return eds_postgres_send(postgres, POSTGRES_STATEMENT_SIGN_COMMIT, &params, POSTGRES_STEP_PLAIN,
                             0, err);
}

static int32_t send_all(struct postgres_ledger *postgres, const struct eds_commit *commit,
                        struct eds_error *err)
{
    struct postgres_params none = {0};
    int32_t rc =
        eds_postgres_send(postgres, POSTGRES_STATEMENT_BEGIN, &none, POSTGRES_STEP_PLAIN, 0, err);

    if (rc == EDS_OK)
        rc = eds_postgres_send_heads(postgres, commit, err);
    if (rc == EDS_OK)
        rc = eds_postgres_send_records(postgres, commit, err);
    if (rc == EDS_OK)
        rc = eds_postgres_send_objects(postgres, commit,
                                       postgres->careful_count > 0 ? POSTGRES_REFERENCES_MISSING
                                                                   : POSTGRES_REFERENCES_NEW,
                                       err);
    if (rc == EDS_OK)
        rc = eds_postgres_send_conflicts(postgres, commit, err);
    if (rc == EDS_OK)
        rc = eds_postgres_send_quarantined(postgres, commit, err);
    if (rc == EDS_OK)
        rc = eds_postgres_send_operations(postgres, commit, err);
    if (rc == EDS_OK)
        rc = sign(postgres, err);
    return rc;
}

static int32_t begin_pipeline(struct postgres_ledger *postgres, struct eds_error *err)
{
    postgres->step_count = 0;
    if (PQenterPipelineMode(postgres->connection) != 1)
        return eds_postgres_fail(postgres, NULL, err, "write to");
    return EDS_OK;
}

/* Sends what send_all or, for the references in use, send_objects has, and reads what
 * became of it.  *is_in_step: the connection is good for another statement. */
static int32_t exchange(struct postgres_ledger *postgres, const struct eds_commit *commit,
                        bool for_shared, struct postgres_answers *answers, bool *is_in_step,
                        struct eds_error *err)
{
    int32_t rc = begin_pipeline(postgres, err);

    *is_in_step = false;
    if (rc == EDS_OK)
        rc = for_shared
                 ? eds_postgres_send_objects(postgres, commit, POSTGRES_REFERENCES_SHARED, err)
                 : send_all(postgres, commit, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_postgres_answers(postgres, answers, err);
    *is_in_step = !answers->lost;
    return rc;
}

/* Writes all rows.  Where that fails nothing is left of it: the transaction was
 * rolled back, or its connection closed. */
static int32_t write_rows(struct postgres_ledger *postgres, const struct eds_commit *commit,
                          struct postgres_answers *answers, struct eds_error *err)
{
    bool is_in_step;
    PGresult *result;
    int32_t rc;

    *answers = (struct postgres_answers){false, false};
    rc = exchange(postgres, commit, false, answers, &is_in_step, err);
    if (rc == EDS_OK && answers->has_shared)
        rc = exchange(postgres, commit, true, answers, &is_in_step, err);
    if (rc == EDS_OK)
        return EDS_OK;
    answers->lost = answers->lost || PQstatus(postgres->connection) != CONNECTION_OK;
    result = is_in_step ? PQexec(postgres->connection, "ROLLBACK") : NULL;
    if (PQresultStatus(result) != PGRES_COMMAND_OK)
        eds_postgres_disconnect(postgres); /* in the middle of a pipeline: closing rolls back */
    PQclear(result);
    return rc;
}

/* Nearly always every reference is new.  To look first whether it is would cost each
 * record a way down their index, so that is left to the index itself, which fails the
 * whole commit for one that is in use.  It is then made again and looks, and so do the
 * commits after it until none has had such a reference for a while. */
static int32_t write_all(struct postgres_ledger *postgres, const struct eds_commit *commit,
                         bool *lost, struct eds_error *err)
{
    struct postgres_answers answers;
    int32_t rc = write_rows(postgres, commit, &answers, err);

    if (rc != EDS_OK && answers.has_shared && postgres->careful_count == 0) {
        postgres->careful_count = CAREFUL_MAX;
        rc = eds_postgres_ready(postgres, err);
        if (rc == EDS_OK)
            rc = write_rows(postgres, commit, &answers, err);
    }
    if (answers.has_shared)
        postgres->careful_count = CAREFUL_MAX;
    else if (rc == EDS_OK && postgres->careful_count > 0)
        postgres->careful_count--;
    *lost = rc != EDS_OK && answers.lost;
    return rc;
}

/* Was the last COMMIT, whose answer never came, done?  EDS_OK and *done, or a
 * failure that leaves it open. */
static int32_t find_out(struct postgres_ledger *postgres, int pid, const uint8_t start[8],
                        bool *done, struct eds_error *err)
{
    struct postgres_params backend = {0}, writer = {0};
    PGresult *result = NULL;
    uint64_t number = 0;
    int32_t rc = eds_postgres_ready(postgres, err);

    eds_postgres_add_u64(&backend, (uint64_t)pid);
    eds_postgres_add_bytes(&backend, start, 8);
    eds_postgres_add_bytes(&writer, postgres->writer_id, POSTGRES_WRITER_SIZE);
    if (rc == EDS_OK)
        rc = eds_postgres_execute(postgres, POSTGRES_STATEMENT_END_BACKEND, &backend, &result, err);
    PQclear(result);
    result = NULL;
    if (rc == EDS_OK)
        rc = eds_postgres_execute(postgres, POSTGRES_STATEMENT_LAST_COMMIT, &writer, &result, err);
    if (rc == EDS_OK && !eds_postgres_column_u64(&number, result, 0, 0))
        rc = eds_postgres_fail(postgres, result, err, "read");
    PQclear(result);
    *done = number == postgres->commit_number;
    return rc;
}

static int32_t resolve(struct postgres_ledger *postgres, bool *lost, struct eds_error *err)
{
    int pid = postgres->backend_pid; /* of the connection that is gone */
    uint8_t start[8];
    struct eds_error why = {0};
    bool done = false;
    int32_t rc = EDS_ERR_IO;

    memcpy(start, postgres->backend_start, sizeof start);
    for (int i = 0; rc != EDS_OK && i < RESOLVE_MAX; i++)
        rc = find_out(postgres, pid, start, &done, &why);
    if (rc != EDS_OK)
        return eds_error_set(err, rc,
                             "the connection broke inside COMMIT, and whether it was done cannot "
                             "be seen now: %s",
                             why.text);
    if (done)
        return EDS_OK;
    *lost = true; /* as if COMMIT had never been sent */
    return eds_error_set(err, EDS_ERR_IO, "the connection to PostgreSQL %s broke inside COMMIT",
                         postgres->place);
}

int32_t eds_postgres_finish(struct postgres_ledger *postgres, bool *lost, struct eds_error *err)
{
    struct postgres_params none = {0};
    PGresult *result = NULL;
    int32_t rc = eds_postgres_execute(postgres, POSTGRES_STATEMENT_COMMIT, &none, &result, err);

    if (rc == EDS_OK && strcmp(PQcmdStatus(result), "COMMIT") != 0) /* it can say ROLLBACK */
        rc = eds_error_set(err, EDS_ERR_IO, "PostgreSQL %s rolled a commit back", postgres->place);
    PQclear(result);
    if (rc != EDS_OK && postgres->connection == NULL)
        rc = resolve(postgres, lost, err);
    return rc;
}

int32_t eds_postgres_commit(struct eds_ledger *ledger, const struct eds_commit *commit,
                            struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    bool lost = true;
    int32_t rc;

    if (postgres->mode == POSTGRES_MODE_READ)
        return eds_error_set(err, EDS_ERR_USAGE, "PostgreSQL %s is open for reading only",
                             postgres->place);
    rc = eds_commit_plan_make(&postgres->plan, commit, err);
    if (rc == EDS_OK)
        rc = check_payloads(commit, err);
    if (rc != EDS_OK || commit->append_count + commit->conflict_count + commit->quarantined_count +
                                commit->operation_count ==
                            0)
        return rc;
    for (int i = 0; lost && i < ATTEMPT_MAX; i++) {
        lost = false;
        rc = eds_postgres_ready(postgres, err);
        if (rc == EDS_OK)
            rc = write_all(postgres, commit, &lost, err);
        if (rc == EDS_OK)
            rc = eds_postgres_finish(postgres, &lost, err);
    }
    return rc;
}
