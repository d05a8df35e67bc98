/* ledger_postgres_rows.c - the rows of a commit, sent by columns.
 *
 * One INSERT takes up to CHUNK_ROWS rows, and no more bytes than CHUNK_SIZE and
 * one row: so a commit's memory is bounded, and arrays stay below PostgreSQL's
 * 1 GiB. */
#include "store/ledger_postgres.h"

#include <stdlib.h>
#include <string.h>

#include "store/ledger_postgres_time.h"

#define CHUNK_ROWS 4096u
#define CHUNK_SIZE (16u << 20) /* bytes */

static int32_t no_memory(struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to write a commit");
}

/* Begins columns of the types listed, which ends with 0. */
static void begin_columns(struct postgres_ledger *postgres, const int *types)
{
    for (int i = 0; types[i] != 0; i++)
        eds_postgres_array_begin(&postgres->columns[i], (enum postgres_type)types[i]);
}

static bool finish_columns(struct postgres_ledger *postgres, int count,
                           struct postgres_params *params)
{
    bool is_good = true;

    for (int i = 0; i < count; i++)
        is_good = is_good && eds_postgres_array_finish(&postgres->columns[i], params);
    return is_good;
}

static bool is_full(const struct postgres_ledger *postgres, int count)
{
    for (int i = 0; i < count; i++)
        if (postgres->columns[i].size >= CHUNK_SIZE)
            return true;
    return postgres->columns[0].count >= CHUNK_ROWS;
}

static int compare_moves(const void *a, const void *b)
{
    const struct eds_head_move *const *left = a, *const *right = b;

    return strcmp((*left)->device_id, (*right)->device_id);
}

static int32_t sort_moves(struct postgres_ledger *postgres, struct eds_error *err)
{
    size_t count = postgres->plan.devices.count;

    if (count > postgres->move_capacity) {
        struct eds_head_move **moves = realloc(postgres->moves, count * sizeof *moves);

        if (moves == NULL)
            return no_memory(err);
        postgres->moves = moves;
        postgres->move_capacity = count;
    }
    for (size_t i = 0; i < count; i++)
        postgres->moves[i] = &postgres->plan.moves[i];
    if (count > 1)
        qsort(postgres->moves, count, sizeof *postgres->moves, compare_moves);
    return EDS_OK;
}

/* Are there heads that move_heads does not lock itself, in the order of all? */
static bool has_others(const struct postgres_ledger *postgres, const struct eds_commit *commit)
{
    for (size_t i = 0; i < postgres->plan.devices.count; i++)
        if (postgres->moves[i]->from_sequence == 0)
            return true;
    return commit->conflict_count > 0;
}

/* The heads of all devices, also of those that are new as far as we know: another
 * node may have made and be moving one, which adding it would wait for while we
 * hold what that node waits for.  Alone, a row needs no order to be locked in. */
static int32_t lock_heads(struct postgres_ledger *postgres, const struct eds_commit *commit,
                          struct eds_error *err)
{
    static const int types[] = {POSTGRES_TYPE_TEXT, 0};
    struct postgres_params params = {0};

    if (!has_others(postgres, commit))
        return EDS_OK;
    begin_columns(postgres, types);
    for (size_t i = 0; i < postgres->plan.devices.count; i++)
        eds_postgres_array_add_text(&postgres->columns[0], postgres->moves[i]->device_id);
    for (size_t i = 0; i < commit->conflict_count; i++)
        eds_postgres_array_add_text(&postgres->columns[0],
                                    (const char *)commit->conflicts[i].entry->record.device_id);
    if (postgres->columns[0].count < 2)
        return EDS_OK;
    if (!finish_columns(postgres, 1, &params))
        return no_memory(err);
    return eds_postgres_send(postgres, POSTGRES_STATEMENT_LOCK_HEADS, &params, POSTGRES_STEP_PLAIN,
                             0, err);
}

static int32_t move_heads(struct postgres_ledger *postgres, struct eds_error *err)
{
    static const int types[] = {POSTGRES_TYPE_TEXT,
                                POSTGRES_TYPE_INT8,
                                POSTGRES_TYPE_BYTEA,
                                POSTGRES_TYPE_INT8,
                                POSTGRES_TYPE_BYTEA,
                                POSTGRES_TYPE_BOOL,
                                0};
    struct postgres_params params = {0};
    struct postgres_array *columns = postgres->columns;

    begin_columns(postgres, types);
    for (size_t i = 0; i < postgres->plan.devices.count; i++) {
        const struct eds_head_move *move = postgres->moves[i];

        if (move->from_sequence == 0)
            continue;
        eds_postgres_array_add_text(&columns[0], move->device_id);
        eds_postgres_array_add_u64(&columns[1], move->from_sequence);
        eds_postgres_array_add(&columns[2], move->from_hash, EDS_HASH_SIZE);
        eds_postgres_array_add_u64(&columns[3], move->to_sequence);
        eds_postgres_array_add(&columns[4], move->to_hash, EDS_HASH_SIZE);
        eds_postgres_array_add_bool(&columns[5], move->attested);
    }
    if (columns[0].count == 0 && !columns[0].failed)
        return EDS_OK;
    if (!finish_columns(postgres, 6, &params))
        return no_memory(err);
    return eds_postgres_send(postgres, POSTGRES_STATEMENT_MOVE_HEADS, &params, POSTGRES_STEP_HEADS,
                             columns[0].count, err);
}

static int32_t add_heads(struct postgres_ledger *postgres, struct eds_error *err)
{
    static const int types[] = {POSTGRES_TYPE_TEXT, POSTGRES_TYPE_INT8, POSTGRES_TYPE_BYTEA,
                                POSTGRES_TYPE_BOOL, 0};
    static const uint8_t zero[EDS_HASH_SIZE];
    struct postgres_params params = {0};
    struct postgres_array *columns = postgres->columns;

    begin_columns(postgres, types);
    for (size_t i = 0; i < postgres->plan.devices.count; i++) {
        const struct eds_head_move *move = postgres->moves[i];

        if (move->from_sequence > 0)
            continue;
        if (memcmp(move->from_hash, zero, sizeof zero) != 0)
            return eds_error_set(err, EDS_ERR_HEAD_MOVED,
                                 "the head of device %s is another one by now", move->device_id);
        eds_postgres_array_add_text(&columns[0], move->device_id);
        eds_postgres_array_add_u64(&columns[1], move->to_sequence);
        eds_postgres_array_add(&columns[2], move->to_hash, EDS_HASH_SIZE);
        eds_postgres_array_add_bool(&columns[3], move->attested);
    }
    if (columns[0].count == 0 && !columns[0].failed)
        return EDS_OK;
    if (!finish_columns(postgres, 4, &params))
        return no_memory(err);
    return eds_postgres_send(postgres, POSTGRES_STATEMENT_ADD_HEADS, &params, POSTGRES_STEP_HEADS,
                             columns[0].count, err);
}

int32_t eds_postgres_send_heads(struct postgres_ledger *postgres, const struct eds_commit *commit,
                                struct eds_error *err)
{
    int32_t rc = sort_moves(postgres, err);

    if (rc == EDS_OK)
        rc = lock_heads(postgres, commit, err);
    if (rc == EDS_OK)
        rc = move_heads(postgres, err);
    if (rc == EDS_OK)
        rc = add_heads(postgres, err);
    return rc;
}

static void add_record(struct postgres_array *columns, const struct eds_append *append)
{
    const EdsAuditRecord *record = &append->entry->record;
    const struct eds_attestation *attestation = &append->entry->attestation;

    eds_postgres_array_add_text(&columns[0], (const char *)record->device_id);
    eds_postgres_array_add_u64(&columns[1], record->sequence);
    eds_postgres_array_add_u64(&columns[2], record->timestamp_ms);
    eds_postgres_array_add(&columns[3], record->payload_hash, EDS_HASH_SIZE);
    eds_postgres_array_add(&columns[4], record->signature, EDS_SIGNATURE_SIZE);
    eds_postgres_array_add(&columns[5], record->prev_record_hash, EDS_HASH_SIZE);
    eds_postgres_array_add_text(&columns[6], (const char *)record->object_ref);
    eds_postgres_array_add(&columns[7], append->record_hash, EDS_HASH_SIZE);
    if (attestation->present) {
        eds_postgres_array_add(&columns[8], attestation->key_id, EDS_KEY_ID_SIZE);
        eds_postgres_array_add(&columns[9], attestation->signature, EDS_SIGNATURE_SIZE);
    } else {
        eds_postgres_array_add_null(&columns[8]);
        eds_postgres_array_add_null(&columns[9]);
    }
}

/* Gives records that came earlier their time; rare, so a statement of its own. */
static int32_t date_records(struct postgres_ledger *postgres, const struct eds_commit *commit,
                            struct eds_error *err)
{
    static const int types[] = {POSTGRES_TYPE_TEXT, POSTGRES_TYPE_INT8, POSTGRES_TYPE_TIMESTAMPTZ,
                                0};
    struct postgres_array *columns = postgres->columns;
    struct postgres_params params = {0};

    if (commit->ingested_ms == NULL || commit->append_count == 0)
        return EDS_OK;
    begin_columns(postgres, types);
    for (size_t i = 0; i < commit->append_count; i++) {
        const EdsAuditRecord *record = &commit->appends[i].entry->record;

        eds_postgres_array_add_text(&columns[0], (const char *)record->device_id);
        eds_postgres_array_add_u64(&columns[1], record->sequence);
        eds_postgres_array_add_u64(&columns[2], eds_postgres_time(commit->ingested_ms[i]));
    }
    if (!finish_columns(postgres, 3, &params))
        return no_memory(err);
    return eds_postgres_send(postgres, POSTGRES_STATEMENT_DATE_RECORDS, &params,
                             POSTGRES_STEP_PLAIN, 0, err);
}

int32_t eds_postgres_send_records(struct postgres_ledger *postgres, const struct eds_commit *commit,
                                  struct eds_error *err)
{
    static const int types[] = {POSTGRES_TYPE_TEXT,
                                POSTGRES_TYPE_INT8,
                                POSTGRES_TYPE_INT8,
                                POSTGRES_TYPE_BYTEA,
                                POSTGRES_TYPE_BYTEA,
                                POSTGRES_TYPE_BYTEA,
                                POSTGRES_TYPE_TEXT,
                                POSTGRES_TYPE_BYTEA,
                                POSTGRES_TYPE_BYTEA,
                                POSTGRES_TYPE_BYTEA,
                                0};
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < commit->append_count;) {
        struct postgres_params params = {0};

        begin_columns(postgres, types);
        while (i < commit->append_count && !is_full(postgres, 10))
            add_record(postgres->columns, &commit->appends[i++]);
        if (!finish_columns(postgres, 10, &params))
            return no_memory(err);
        eds_postgres_add_instant(&params, commit->now_ms);
        rc = eds_postgres_send(postgres, POSTGRES_STATEMENT_ADD_RECORDS, &params,
                               POSTGRES_STEP_PLAIN, 0, err);
    }
    return rc == EDS_OK ? date_records(postgres, commit, err) : rc;
}

static int32_t send_object_columns(struct postgres_ledger *postgres, enum postgres_references how,
                                   struct eds_error *err)
{
    struct postgres_params hashes = {0}, payloads = {0};
    struct postgres_array *columns = postgres->columns;
    int32_t rc;

    if (!finish_columns(postgres, 2, &hashes) ||
        !eds_postgres_array_finish(&columns[0], &payloads) ||
        !eds_postgres_array_finish(&columns[2], &payloads))
        return no_memory(err);
    if (how != POSTGRES_REFERENCES_SHARED) {
        bool are_new = how == POSTGRES_REFERENCES_NEW;

        eds_postgres_add_bytes(&hashes, payloads.values[1], (size_t)payloads.sizes[1]);
        return eds_postgres_send(
            postgres, are_new ? POSTGRES_STATEMENT_ADD_NEW_OBJECTS : POSTGRES_STATEMENT_ADD_OBJECTS,
            &hashes, are_new ? POSTGRES_STEP_NEW_OBJECTS : POSTGRES_STEP_OBJECTS, columns[0].count,
            err);
    }
    rc = eds_postgres_send(postgres, POSTGRES_STATEMENT_TAKEN_OBJECTS, &hashes, POSTGRES_STEP_TAKEN,
                           0, err);
    if (rc == EDS_OK)
        rc = eds_postgres_send(postgres, POSTGRES_STATEMENT_FILL_OBJECTS, &payloads,
                               POSTGRES_STEP_PLAIN, 0, err);
    return rc;
}

int32_t eds_postgres_send_objects(struct postgres_ledger *postgres, const struct eds_commit *commit,
                                  enum postgres_references how, struct eds_error *err)
{
    static const int types[] = {POSTGRES_TYPE_TEXT, POSTGRES_TYPE_BYTEA, POSTGRES_TYPE_BYTEA, 0};
    struct postgres_array *columns = postgres->columns;
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < commit->append_count;) {
        begin_columns(postgres, types);
        while (i < commit->append_count && !is_full(postgres, 3)) {
            const struct eds_append *append = &commit->appends[i++];
            const EdsAuditRecord *record = &append->entry->record;

            eds_postgres_array_add_text(&columns[0], (const char *)record->object_ref);
            eds_postgres_array_add(&columns[1], record->payload_hash, EDS_HASH_SIZE);
            if (append->payload != NULL)
                eds_postgres_array_add(&columns[2], append->payload, append->payload_size);
            else
                eds_postgres_array_add_null(&columns[2]);
        }
        rc = send_object_columns(postgres, how, err);
    }
    return rc;
}

/* The first twelve parameters of a row that is written alone. */
static void add_row(struct postgres_params *params, const struct eds_entry *entry,
                    const uint8_t *record_hash, uint64_t now_ms)
{
    const EdsAuditRecord *record = &entry->record;
    const struct eds_attestation *attestation = &entry->attestation;

    eds_postgres_add_text(params, (const char *)record->device_id);
    eds_postgres_add_u64(params, record->sequence);
    eds_postgres_add_u64(params, record->timestamp_ms);
    eds_postgres_add_bytes(params, record->payload_hash, EDS_HASH_SIZE);
    eds_postgres_add_bytes(params, record->signature, EDS_SIGNATURE_SIZE);
    eds_postgres_add_bytes(params, record->prev_record_hash, EDS_HASH_SIZE);
    eds_postgres_add_text(params, (const char *)record->object_ref);
    eds_postgres_add_bytes(params, record_hash, EDS_HASH_SIZE);
    if (attestation->present) {
        eds_postgres_add_bytes(params, attestation->key_id, EDS_KEY_ID_SIZE);
        eds_postgres_add_bytes(params, attestation->signature, EDS_SIGNATURE_SIZE);
    } else {
        eds_postgres_add_null(params);
        eds_postgres_add_null(params);
    }
    eds_postgres_add_instant(params, now_ms);
}

/* Rare, so one by one; each is kept or not by what the ones before it did. */
int32_t eds_postgres_send_conflicts(struct postgres_ledger *postgres,
                                    const struct eds_commit *commit, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < commit->conflict_count; i++) {
        const struct eds_conflict *conflict = &commit->conflicts[i];
        struct postgres_params params = {0};

        add_row(&params, conflict->entry, conflict->record_hash, commit->now_ms);
        eds_postgres_add_u64(&params, EDS_CONFLICTS_KEPT_MAX);
        rc = eds_postgres_send(postgres, POSTGRES_STATEMENT_ADD_CONFLICT, &params,
                               POSTGRES_STEP_CONFLICT, 0, err);
    }
    return rc;
}

/* Likewise. */
int32_t eds_postgres_send_quarantined(struct postgres_ledger *postgres,
                                      const struct eds_commit *commit, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < commit->quarantined_count; i++) {
        const struct eds_append *append = &commit->quarantined[i];
        struct postgres_params params = {0};

        add_row(&params, append->entry, append->record_hash, commit->now_ms);
        eds_postgres_add_bytes(&params, append->payload, append->payload_size);
        eds_postgres_add_u64(&params, EDS_QUARANTINED_MAX);
        rc = eds_postgres_send(postgres, POSTGRES_STATEMENT_ADD_QUARANTINED, &params,
                               POSTGRES_STEP_QUARANTINED, 0, err);
    }
    return rc;
}

int32_t eds_postgres_send_operations(struct postgres_ledger *postgres,
                                     const struct eds_commit *commit, struct eds_error *err)
{
    static const int types[] = {POSTGRES_TYPE_TEXT, POSTGRES_TYPE_TEXT, POSTGRES_TYPE_INT8,
                                POSTGRES_TYPE_TEXT, 0};
    struct postgres_array *columns = postgres->columns;
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < commit->operation_count;) {
        struct postgres_params params = {0};

        begin_columns(postgres, types);
        while (i < commit->operation_count && !is_full(postgres, 4)) {
            const struct eds_operation *operation = &commit->operations[i++];

            eds_postgres_array_add_text(&columns[0], eds_decision_name(operation->decision));
            eds_postgres_array_add_text(&columns[1], operation->device_id);
            eds_postgres_array_add_u64(&columns[2], operation->sequence);
            eds_postgres_array_add_text(&columns[3], operation->message);
        }
        if (!finish_columns(postgres, 4, &params))
            return no_memory(err);
        eds_postgres_add_instant(&params, commit->now_ms);
        rc = eds_postgres_send(postgres, POSTGRES_STATEMENT_ADD_OPERATIONS, &params,
                               POSTGRES_STEP_PLAIN, 0, err);
    }
    return rc;
}
