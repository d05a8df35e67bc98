/* ledger_postgres_scan.c - the PostgreSQL ledger, read from end to end.
 *
 * A scan is cut into slices, each a query of its own that starts behind the
 * last row of the one before.  So memory stays constant, no snapshot is held
 * that would keep the server from tidying up, a visit may use the connection in
 * between, and a scan outlives a server's restart.  Nothing is ever deleted,
 * and a device's records are added behind those that are there: every row that
 * was there when the scan began is seen, each device's records without a gap. */
#include "store/ledger_postgres.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define SLICE_ROWS          512 /* as in the statements */
#define RECORD_COLUMN_COUNT 13
#define BEFORE_ALL          UINT64_C(0x8000000000000000) /* the lowest BIGINT */

struct scan {
    struct postgres_ledger *postgres;
    struct eds_error *err;
    enum postgres_statement which;
    const char *table; /* for errors */

    /* The last row visited. */
    char device_id[EDS_DEVICE_ID_SIZE];
    uint64_t number;                  /* its sequence, its id, or that there was one */
    int device_column, number_column; /* of the two, if the next slice is asked for early */

    int32_t (*visit_row)(struct scan *, const PGresult *, int row);
    int32_t (*visit_stored)(void *context, const struct eds_stored *);
    int32_t (*visit_head)(void *context, const char *device_id, const struct eds_head *);
    int32_t (*visit_operation)(void *context, const struct eds_operation *, uint64_t created_ms);
    void *context;
};

/* Asks for what follows the last row of a slice, if that can be read. */
static void ask_ahead(struct scan *scan, const PGresult *result, int row)
{
    struct postgres_params params = {0};
    const char *device_id =
        eds_postgres_column_text(result, row, scan->device_column, EDS_DEVICE_ID_SIZE);
    uint64_t number;

    if (scan->number_column == 0 || device_id == NULL ||
        !eds_postgres_column_u64(&number, result, row, scan->number_column))
        return;
    eds_postgres_add_text(&params, device_id);
    eds_postgres_add_u64(&params, number);
    eds_postgres_send_ahead(scan->postgres, scan, scan->which, &params);
}

static int32_t next_slice(struct scan *scan, PGresult **out)
{
    struct postgres_params params = {0};

    *out = eds_postgres_take_ahead(scan->postgres, scan);
    if (*out != NULL)
        return EDS_OK;
    eds_postgres_add_text(&params, scan->device_id);
    eds_postgres_add_u64(&params, scan->number);
    return eds_postgres_query(scan->postgres, scan->which, &params, out, scan->err);
}

static int32_t run(struct scan *scan)
{
    int row_count = SLICE_ROWS;
    int32_t rc = EDS_OK;

    while (rc == EDS_OK && row_count == SLICE_ROWS) {
        PGresult *result = NULL;

        rc = next_slice(scan, &result);
        if (rc != EDS_OK)
            return rc;
        row_count = PQntuples(result);
        if (row_count == SLICE_ROWS)
            ask_ahead(scan, result, row_count - 1);
        for (int row = 0; rc == EDS_OK && row < row_count; row++)
            rc = scan->visit_row(scan, result, row);
        PQclear(result);
    }
    PQclear(eds_postgres_take_ahead(scan->postgres, scan)); /* of a scan that ended early */
    return rc;
}

static int32_t visit_record(struct scan *scan, const PGresult *result, int row)
{
    struct postgres_row record;
    int32_t rc =
        eds_postgres_read_record(&record, result, row, scan->postgres, scan->table, scan->err);

    if (rc != EDS_OK)
        return rc;
    memcpy(scan->device_id, record.entry.record.device_id, sizeof scan->device_id);
    scan->number = record.entry.record.sequence;
    return scan->visit_stored(scan->context, &record.stored);
}

/* The object's columns stand behind the record's. */
static int32_t read_object(struct eds_stored_object *out, void **fetched, struct scan *scan,
                           const PGresult *result, int row, const char *object_ref)
{
    uint8_t is_kept = 0;
    int32_t rc;

    if (PQgetisnull(result, row, RECORD_COLUMN_COUNT))
        return EDS_OK;
    out->is_there = true;
    if (!eds_postgres_column_bytes(out->payload_hash, EDS_HASH_SIZE, result, row,
                                   RECORD_COLUMN_COUNT))
        return eds_error_set(scan->err, EDS_ERR_MALFORMED,
                             "damaged ledger in PostgreSQL %s: raw_objects of %s has no valid "
                             "payload_hash",
                             scan->postgres->place, object_ref);
    if (!PQgetisnull(result, row, RECORD_COLUMN_COUNT + 1)) {
        out->payload = PQgetvalue(result, row, RECORD_COLUMN_COUNT + 1);
        out->payload_size = (size_t)PQgetlength(result, row, RECORD_COLUMN_COUNT + 1);
        return EDS_OK;
    }
    (void)eds_postgres_column_bytes(&is_kept, 1, result, row, RECORD_COLUMN_COUNT + 2);
    if (is_kept == 0)
        return EDS_OK;
    rc = eds_postgres_payload(&scan->postgres->ledger, object_ref, fetched, &out->payload_size,
                              scan->err);
    out->payload = rc == EDS_OK ? *fetched : NULL;
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

static int32_t visit_whole(struct scan *scan, const PGresult *result, int row)
{
    struct eds_stored_object object = {.is_there = false};
    struct postgres_row record;
    void *fetched = NULL;
    int32_t rc =
        eds_postgres_read_record(&record, result, row, scan->postgres, scan->table, scan->err);

    if (rc == EDS_OK)
        rc = read_object(&object, &fetched, scan, result, row,
                         (const char *)record.entry.record.object_ref);
    if (rc == EDS_OK) {
        memcpy(scan->device_id, record.entry.record.device_id, sizeof scan->device_id);
        scan->number = record.entry.record.sequence;
        record.stored.object = &object;
        rc = scan->visit_stored(scan->context, &record.stored);
    }
    free(fetched);
    return rc;
}

static int32_t visit_conflict(struct scan *scan, const PGresult *result, int row)
{
    struct postgres_row record;
    int32_t rc =
        eds_postgres_read_record(&record, result, row, scan->postgres, scan->table, scan->err);

    if (rc != EDS_OK)
        return rc;
    (void)eds_postgres_column_u64(&scan->number, result, row, 0);
    return scan->visit_stored(scan->context, &record.stored);
}

static int32_t visit_head(struct scan *scan, const PGresult *result, int row)
{
    const char *device_id = eds_postgres_column_text(result, row, 0, EDS_DEVICE_ID_SIZE);
    struct eds_head head = {0};
    int32_t rc;

    if (device_id == NULL)
        return eds_postgres_damaged(scan->postgres, scan->err, scan->table, 0, "device_id");
    strcpy(scan->device_id, device_id);
    scan->number = 1;
    rc = eds_postgres_read_head(&head, result, row, 1, scan->postgres, device_id, scan->err);
    return rc != EDS_OK ? rc : scan->visit_head(scan->context, device_id, &head);
}

static int32_t visit_operation(struct scan *scan, const PGresult *result, int row)
{
    const char *decision = eds_postgres_column_text(result, row, 1, sizeof "Quarantined");
    struct eds_operation operation = {
        .device_id = eds_postgres_column_text(result, row, 2, SIZE_MAX),
        .message = eds_postgres_column_text(result, row, 4, SIZE_MAX),
        .who = eds_postgres_column_text(result, row, 7, SIZE_MAX), /* NULL for NULL */
        .why = eds_postgres_column_text(result, row, 8, SIZE_MAX),
    };
    uint64_t created_ms = 0;
    const char *bad = NULL;

    (void)eds_postgres_column_u64(&scan->number, result, row, 0);
    if (decision == NULL || !eds_decision_parse(&operation.decision, decision))
        bad = "decision";
    if (operation.device_id == NULL)
        bad = "device_id";
    if (!eds_postgres_column_u64(&operation.sequence, result, row, 3))
        bad = "sequence";
    if (operation.message == NULL)
        bad = "message";
    if (!eds_postgres_column_instant(&created_ms, result, row, 5))
        bad = "created_at";
    if (bad != NULL)
        return eds_postgres_damaged(scan->postgres, scan->err, scan->table, scan->number, bad);
    return scan->visit_operation(scan->context, &operation, created_ms);
}

static int32_t scan_records(struct scan *scan, const char *device_id,
                            enum postgres_statement of_all, enum postgres_statement of_device)
{
    scan->table = "audit_records";
    scan->number = BEFORE_ALL;
    scan->device_column = 1;
    scan->number_column = 2;
    scan->which = of_all;
    if (device_id == NULL)
        return run(scan);
    if (strlen(device_id) >= sizeof scan->device_id ||
        !eds_utf8_valid(device_id, strlen(device_id)))
        return EDS_OK; /* no record can have it */
    strcpy(scan->device_id, device_id);
    scan->which = of_device;
    return run(scan);
}

int32_t eds_postgres_scan(struct eds_ledger *ledger, const char *device_id,
                          int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                          struct eds_error *err)
{
    struct scan scan = {
        .postgres = (struct postgres_ledger *)ledger,
        .err = err,
        .visit_row = visit_record,
        .visit_stored = visit,
        .context = context,
    };

    return scan_records(&scan, device_id, POSTGRES_STATEMENT_SCAN_ALL,
                        POSTGRES_STATEMENT_SCAN_DEVICE);
}

int32_t eds_postgres_scan_whole(struct eds_ledger *ledger, const char *device_id,
                                int32_t (*visit)(void *context, const struct eds_stored *),
                                void *context, struct eds_error *err)
{
    struct scan scan = {
        .postgres = (struct postgres_ledger *)ledger,
        .err = err,
        .visit_row = visit_whole,
        .visit_stored = visit,
        .context = context,
    };

    return scan_records(&scan, device_id, POSTGRES_STATEMENT_SCAN_WHOLE_ALL,
                        POSTGRES_STATEMENT_SCAN_WHOLE_DEVICE);
}

int32_t eds_postgres_heads(struct eds_ledger *ledger,
                           int32_t (*visit)(void *context, const char *device_id,
                                            const struct eds_head *),
                           void *context, struct eds_error *err)
{
    struct scan scan = {
        .postgres = (struct postgres_ledger *)ledger,
        .err = err,
        .which = POSTGRES_STATEMENT_SCAN_HEADS,
        .table = "chain_heads",
        .number = 0,
        .visit_row = visit_head,
        .visit_head = visit,
        .context = context,
    };

    return run(&scan);
}

int32_t eds_postgres_operations(struct eds_ledger *ledger,
                                int32_t (*visit)(void *context, const struct eds_operation *,
                                                 uint64_t created_ms),
                                void *context, struct eds_error *err)
{
    struct scan scan = {
        .postgres = (struct postgres_ledger *)ledger,
        .err = err,
        .which = POSTGRES_STATEMENT_SCAN_OPERATIONS,
        .table = "operation_logs",
        .number = BEFORE_ALL,
        .visit_row = visit_operation,
        .visit_operation = visit,
        .context = context,
    };

    return run(&scan);
}

int32_t eds_postgres_conflicts(struct eds_ledger *ledger,
                               int32_t (*visit)(void *context, const struct eds_stored *),
                               void *context, struct eds_error *err)
{
    struct scan scan = {
        .postgres = (struct postgres_ledger *)ledger,
        .err = err,
        .which = POSTGRES_STATEMENT_SCAN_CONFLICTS,
        .table = "conflicts",
        .number = BEFORE_ALL,
        .visit_row = visit_conflict,
        .visit_stored = visit,
        .context = context,
    };

    return run(&scan);
}
