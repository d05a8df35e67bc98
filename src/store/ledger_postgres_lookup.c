/* ledger_postgres_lookup.c - one row by its key. */
#include "store/ledger_postgres.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

/* Looks a row up.  EDS_OK and *out, which the caller clears; EDS_ERR_NOT_FOUND
 * for no row and for a key that no row can have, without *out. */
static int32_t find(struct postgres_ledger *postgres, enum postgres_statement which,
                    const char *key, const uint64_t *number, PGresult **out, struct eds_error *err)
{
    struct postgres_params params = {0};
    int32_t rc;

    *out = NULL;
    if (!eds_utf8_valid(key, strlen(key)))
        return EDS_ERR_NOT_FOUND;
    eds_postgres_add_text(&params, key);
    if (number != NULL)
        eds_postgres_add_u64(&params, *number);
    rc = eds_postgres_query(postgres, which, &params, out, err);
    if (rc == EDS_OK && PQntuples(*out) == 0) {
        PQclear(*out);
        *out = NULL;
        return EDS_ERR_NOT_FOUND;
    }
    return rc;
}

int32_t eds_postgres_head(struct eds_ledger *ledger, const char *device_id, struct eds_head *out,
                          struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct eds_head head = {0};
    PGresult *result;
    int32_t rc = find(postgres, POSTGRES_STATEMENT_HEAD, device_id, NULL, &result, err);

    if (rc == EDS_OK)
        rc = eds_postgres_read_head(&head, result, 0, 0, postgres, device_id, err);
    else if (rc == EDS_ERR_NOT_FOUND)
        rc = EDS_OK; /* a device never seen has the zero head */
    PQclear(result);
    if (rc == EDS_OK)
        *out = head;
    return rc;
}

int32_t eds_postgres_record_hash(struct eds_ledger *ledger, const char *device_id,
                                 uint64_t sequence, uint8_t out[EDS_HASH_SIZE],
                                 struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    uint64_t id = 0;
    PGresult *result;
    int32_t rc = find(postgres, POSTGRES_STATEMENT_RECORD_HASH, device_id, &sequence, &result, err);

    if (rc == EDS_OK && !eds_postgres_column_bytes(out, EDS_HASH_SIZE, result, 0, 0)) {
        (void)eds_postgres_column_u64(&id, result, 0, 1);
        rc = eds_postgres_damaged(postgres, err, "audit_records", id, "record_hash");
    }
    PQclear(result);
    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(err, rc, "device %s has no record %llu", device_id,
                             (unsigned long long)sequence);
    return rc;
}

int32_t eds_postgres_object(struct eds_ledger *ledger, const char *object_ref,
                            uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    PGresult *result;
    int32_t rc = find(postgres, POSTGRES_STATEMENT_OBJECT, object_ref, NULL, &result, err);

    if (rc == EDS_OK && !eds_postgres_column_bytes(out, EDS_HASH_SIZE, result, 0, 0))
        rc = eds_error_set(err, EDS_ERR_MALFORMED,
                           "damaged ledger in PostgreSQL %s: raw_objects of %s has no valid "
                           "payload_hash",
                           postgres->place, object_ref);
    PQclear(result);
    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(err, rc, "no object %s", object_ref);
    return rc;
}

int32_t eds_postgres_payload(struct eds_ledger *ledger, const char *object_ref, void **out,
                             size_t *out_size, struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    PGresult *result;
    int32_t rc = find(postgres, POSTGRES_STATEMENT_PAYLOAD, object_ref, NULL, &result, err);

    if (rc == EDS_OK && PQgetisnull(result, 0, 0))
        rc = EDS_ERR_NOT_FOUND;
    if (rc == EDS_OK) {
        size_t size = (size_t)PQgetlength(result, 0, 0);
        void *copy = malloc(size > 0 ? size : 1);

        if (copy == NULL) {
            rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the %zu bytes of a payload",
                               size);
        } else {
            if (size > 0)
                memcpy(copy, PQgetvalue(result, 0, 0), size);
            *out = copy;
            *out_size = size;
        }
    }
    PQclear(result);
    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(err, rc, "no payload for %s is kept here", object_ref);
    return rc;
}

int32_t eds_postgres_counts(struct eds_ledger *ledger, struct eds_ledger_counts *out,
                            struct eds_error *err)
{
    struct postgres_ledger *postgres = (struct postgres_ledger *)ledger;
    struct postgres_params none = {0};
    uint64_t numbers[8] = {0};
    PGresult *result = NULL;
    int32_t rc = eds_postgres_query(postgres, POSTGRES_STATEMENT_COUNTS, &none, &result, err);

    if (rc != EDS_OK)
        return rc;
    for (int i = 0; i < 8; i++)
        (void)eds_postgres_column_u64(&numbers[i], result, 0, i);
    PQclear(result);
    *out = (struct eds_ledger_counts){
        .records = numbers[0],
        .devices = numbers[1],
        .operations = numbers[2],
        .accepted = numbers[3],
        .rejected = numbers[2] - numbers[3] - numbers[6] - numbers[7],
        .quarantined = numbers[7],
        .changed = numbers[6],
        .conflicts = numbers[4],
        .objects = numbers[5],
    };
    return EDS_OK;
}
