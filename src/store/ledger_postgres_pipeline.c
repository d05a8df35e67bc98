/* ledger_postgres_pipeline.c - statements sent without waiting, then all their
 * answers: a commit of any size takes two round trips. */
#include "store/ledger_postgres.h"

#include <stdlib.h>
#include <string.h>

static int32_t expect(struct postgres_ledger *postgres, enum postgres_step_kind kind, size_t rows,
                      struct eds_error *err)
{
    if (postgres->step_count == postgres->step_capacity) {
        size_t capacity = postgres->step_capacity == 0 ? 32 : 2 * postgres->step_capacity;
        struct postgres_step *steps = realloc(postgres->steps, capacity * sizeof *steps);

        if (steps == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to write a commit");
        postgres->steps = steps;
        postgres->step_capacity = capacity;
    }
    postgres->steps[postgres->step_count++] = (struct postgres_step){kind, rows};
    return EDS_OK;
}

int32_t eds_postgres_send(struct postgres_ledger *postgres, enum postgres_statement which,
                          const struct postgres_params *params, enum postgres_step_kind kind,
                          size_t rows, struct eds_error *err)
{
    int32_t rc = expect(postgres, kind, rows, err);

    if (rc != EDS_OK)
        return rc;
    if (PQsendQueryPrepared(postgres->connection, eds_postgres_statement_name(which), params->count,
                            params->values, params->sizes, params->formats, 1) != 1)
        return eds_postgres_fail(postgres, NULL, err, "write to");
    return EDS_OK;
}

/* What the answer to a statement that worked means. */
static int32_t judge(const struct postgres_step *step, const PGresult *result,
                     struct postgres_answers *answers, struct eds_error *err)
{
    switch (step->kind) {
    case POSTGRES_STEP_PLAIN:
    case POSTGRES_STEP_NEW_OBJECTS:
        break;
    case POSTGRES_STEP_HEADS:
        if (strtoull(PQcmdTuples((PGresult *)result), NULL, 10) != step->rows)
            return eds_error_set(err, EDS_ERR_HEAD_MOVED,
                                 "the head of a device is another one by now (%s of %zu are where "
                                 "they were)",
                                 PQcmdTuples((PGresult *)result), step->rows);
        break;
    case POSTGRES_STEP_OBJECTS:
        if (strtoull(PQcmdTuples((PGresult *)result), NULL, 10) != step->rows)
            answers->has_shared = true;
        break;
    case POSTGRES_STEP_QUARANTINED:
        if (PQntuples(result) != 1 || *PQgetvalue(result, 0, 0) == 0)
            return eds_error_set(err, EDS_ERR_HEAD_MOVED,
                                 "a device is not quarantined, or has %u records there",
                                 EDS_QUARANTINED_MAX);
        break;
    case POSTGRES_STEP_CONFLICT:
        if (PQntuples(result) != 1)
            return eds_error_set(err, EDS_ERR_USAGE, "a conflict on a device that has no record");
        break;
    case POSTGRES_STEP_TAKEN:
        if (PQntuples(result) > 0)
            return eds_error_set(err, EDS_ERR_HEAD_MOVED,
                                 "object_ref %s stands for another payload",
                                 PQgetvalue(result, 0, 0));
        break;
    }
    return EDS_OK;
}

/* Did a step fail because a reference is in use? */
static bool is_shared(const struct postgres_step *step, const PGresult *result)
{
    const char *constraint =
        result == NULL ? NULL : PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);

    return step->kind == POSTGRES_STEP_NEW_OBJECTS && eds_postgres_has_state(result, "23505") &&
           constraint != NULL && strcmp(constraint, "raw_objects_pkey") == 0;
}

/* One step's answer.  The first failure is the one that is told; what follows
 * it in the pipeline was not run. */
static int32_t read_answer(struct postgres_ledger *postgres, const struct postgres_step *step,
                           struct postgres_answers *answers, int32_t rc, struct eds_error *err)
{
    PGresult *result = PQgetResult(postgres->connection);
    ExecStatusType status = PQresultStatus(result);

    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
        if (rc == EDS_OK)
            rc = judge(step, result, answers, err);
    } else if (status != PGRES_PIPELINE_ABORTED) {
        if (rc == EDS_OK)
            rc = eds_postgres_fail(postgres, result, err, "write to");
        answers->has_shared = answers->has_shared || is_shared(step, result);
        answers->lost = eds_postgres_lost(postgres, result);
    }
    PQclear(result);
    if (!answers->lost)
        PQclear(PQgetResult(postgres->connection)); /* NULL: the end of this step's answers */
    return rc;
}

int32_t eds_postgres_answers(struct postgres_ledger *postgres, struct postgres_answers *answers,
                             struct eds_error *err)
{
    PGresult *result;
    int32_t rc = EDS_OK;

    if (PQpipelineSync(postgres->connection) != 1) {
        answers->lost = true;
        return eds_postgres_fail(postgres, NULL, err, "write to");
    }
    for (size_t i = 0; i < postgres->step_count && !answers->lost; i++)
        rc = read_answer(postgres, &postgres->steps[i], answers, rc, err);
    postgres->step_count = 0;
    if (answers->lost)
        return rc;
    result = PQgetResult(postgres->connection);
    if (PQresultStatus(result) != PGRES_PIPELINE_SYNC ||
        PQexitPipelineMode(postgres->connection) != 1) {
        answers->lost = true; /* out of step: only a new connection helps */
        if (rc == EDS_OK)
            rc = eds_postgres_fail(postgres, result, err, "write to");
    }
    PQclear(result);
    return rc;
}
