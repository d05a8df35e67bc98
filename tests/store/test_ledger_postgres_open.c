/* test_ledger_postgres_open.c - which URLs and databases are taken, what is said
 * of those that are not, and that no password is ever said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "store/ledger_batch.h"
#include "support/postgres.h"

#define PASSWORD "s3cret-w0rd"

static struct postgres_server server;

/* %d stands for the server's port. */
static const struct {
    const char *what, *url;
    int32_t expected;
    const char *said; /* a part of the sentence */
} rows[] = {
    {"good", "postgresql://eds:" PASSWORD "@127.0.0.1:%d/postgres", EDS_OK, ""},
    {"short scheme", "postgres://eds:" PASSWORD "@127.0.0.1:%d/postgres", EDS_OK, ""},
    {"no such database", "postgresql://eds:" PASSWORD "@127.0.0.1:%d/nothing", EDS_ERR_IO,
     "database nothing at 127.0.0.1"},
    {"no such role", "postgresql://who:" PASSWORD "@127.0.0.1:%d/postgres", EDS_ERR_IO,
     "role \"who\" does not exist"},
    {"nobody listens", "postgresql://eds:" PASSWORD "@127.0.0.1:1/postgres", EDS_ERR_IO,
     "database postgres at 127.0.0.1"},
    {"bad escape", "postgresql://eds:" PASSWORD "%%zz@127.0.0.1:%d/postgres", EDS_ERR_USAGE,
     "cannot read the PostgreSQL URL"},
    {"no end of the host", "postgresql://eds:" PASSWORD "@[127.0.0.1:%d/postgres", EDS_ERR_USAGE,
     "cannot read the PostgreSQL URL"},
    {"mistyped parameter", "postgresql://eds:" PASSWORD "@127.0.0.1:%d/postgres?sslmood=require",
     EDS_ERR_USAGE, "sslmood"},
    {"TLS that the server lacks",
     "postgresql://eds:" PASSWORD "@127.0.0.1:%d/postgres?sslmode=verify-full", EDS_ERR_IO,
     "database postgres at 127.0.0.1"},
    {"another encoding", "postgresql://eds:" PASSWORD "@127.0.0.1:%d/latin", EDS_ERR_UNSUPPORTED,
     "LATIN1"},
};

static void test_urls(void **state)
{
    (void)state;
    postgres_sql(&server, "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_ledger *ledger = NULL;
        struct eds_error err = {0};
        char url[256];
        int32_t rc;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(url, sizeof url, rows[i].url, server.port);
#pragma GCC diagnostic pop
        rc = eds_ledger_open(&ledger, url, &err);
        if (rc != rows[i].expected || strstr(err.text, rows[i].said) == NULL)
            fail_msg("%s: %s (%s)", rows[i].what, eds_error_name(rc), err.text);
        if (strstr(err.text, PASSWORD) != NULL)
            fail_msg("%s: the password is in: %s", rows[i].what, err.text);
        if (ledger != NULL)
            ledger->ops->close(ledger);
    }
}

static int32_t open_place(const char *url, struct eds_ledger **out, struct eds_error *err)
{
    memset(err, 0, sizeof *err);
    return eds_ledger_open(out, url, err);
}

static void close_ledger(struct eds_ledger *ledger)
{
    ledger->ops->close(ledger);
}

static void test_read_only(void **state)
{
    struct eds_ledger *ledger = NULL;
    struct batch *batch = batch_new(1);
    struct chain chain = chain_of("lift-01");
    struct eds_ledger_counts counts;
    struct eds_error err;
    char url[POSTGRES_URL_SIZE], read_only[POSTGRES_URL_SIZE + 16];

    (void)state;
    postgres_place(&server, server.port, url);
    snprintf(read_only, sizeof read_only, "%s&mode=ro", url);
    assert_int_equal(open_place(read_only, &ledger, &err), EDS_ERR_NOT_FOUND);
    assert_int_equal(open_place(url, &ledger, &err), EDS_OK);
    batch_append(batch, &chain);
    assert_int_equal(ledger->ops->commit(ledger, &batch->commit, &err), EDS_OK);
    close_ledger(ledger);
    assert_int_equal(open_place(read_only, &ledger, &err), EDS_OK);
    batch_clear(batch);
    batch_append(batch, &chain);
    assert_int_equal(ledger->ops->commit(ledger, &batch->commit, &err), EDS_ERR_USAGE);
    assert_int_equal(ledger->ops->counts(ledger, &counts, &err), EDS_OK);
    assert_int_equal(counts.records, 1);
    close_ledger(ledger);
    batch_free(batch);
}

/* What is in the way of a migration is said, and stays as it was. */
static void test_other_schemas(void **state)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err;
    char url[POSTGRES_URL_SIZE], sql[128];

    (void)state;
    postgres_place(&server, server.port, url);
    snprintf(sql, sizeof sql, "CREATE TABLE place%u.audit_records(id INT)", server.schema_count);
    postgres_sql(&server, sql);
    assert_int_equal(open_place(url, &ledger, &err), EDS_ERR_EXISTS);
    snprintf(sql, sizeof sql, "DROP TABLE place%u.audit_records", server.schema_count);
    postgres_sql(&server, sql);
    assert_int_equal(open_place(url, &ledger, &err), EDS_OK);
    close_ledger(ledger);
    assert_int_equal(open_place(url, &ledger, &err), EDS_OK); /* a second time changes nothing */
    close_ledger(ledger);
    snprintf(sql, sizeof sql, "INSERT INTO place%u.edgesentry_schema VALUES (99)",
             server.schema_count);
    postgres_sql(&server, sql);
    assert_int_equal(open_place(url, &ledger, &err), EDS_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.text, "99"));
}

static int32_t accept_any(void *context, const struct eds_stored *stored)
{
    (void)context;
    (void)stored;
    return EDS_OK;
}

/* Somebody was at the tables: each row is one column spoiled. */
static void test_damage(void **state)
{
    static const struct {
        const char *change, *said;
    } damages[] = {
        {"signature = '\\\\x00'", "signature"},
        {"record_hash = ''", "record_hash"},
        {"prev_record_hash = '\\\\x00'", "prev_record_hash"},
        {"object_ref = repeat('x', 512)", "object_ref"},
        {"ingested_at = '-infinity'", "ingested_at"},
        {"ingested_at = 'infinity'", "ingested_at"},
        {"ingested_ms = 5", "ingested_at"},
        {"attest_key_id = '\\\\x0011223344556677'", "attestation"},
        {"device_id = repeat('x', 256)", "device_id"},
    };
    struct batch *batch = batch_new(1795305600123u);

    (void)state;
    for (size_t i = 0; i < sizeof damages / sizeof damages[0]; i++) {
        struct eds_ledger *ledger = NULL;
        struct chain chain = chain_of("lift-01");
        struct eds_error err;
        char url[POSTGRES_URL_SIZE], sql[160];

        postgres_place(&server, server.port, url);
        assert_int_equal(open_place(url, &ledger, &err), EDS_OK);
        batch_clear(batch);
        batch_append(batch, &chain);
        assert_int_equal(ledger->ops->commit(ledger, &batch->commit, &err), EDS_OK);
        assert_int_equal(ledger->ops->scan(ledger, NULL, accept_any, NULL, &err), EDS_OK);
        snprintf(sql, sizeof sql, "UPDATE place%u.audit_records SET %s", server.schema_count,
                 damages[i].change);
        postgres_sql(&server, sql);
        assert_int_equal(ledger->ops->scan(ledger, NULL, accept_any, NULL, &err),
                         EDS_ERR_MALFORMED);
        if (strstr(err.text, damages[i].said) == NULL)
            fail_msg("%s: %s", damages[i].change, err.text);
        close_ledger(ledger);
    }
    batch_free(batch);
}

static void test_bounds(void **state)
{
    struct eds_ledger *ledger = NULL;
    struct batch *batch = batch_new(1);
    struct chain chain = chain_of("lift-01");
    struct eds_head head;
    struct eds_error err;
    char url[POSTGRES_URL_SIZE];

    (void)state;
    postgres_place(&server, server.port, url);
    assert_int_equal(open_place(url, &ledger, &err), EDS_OK);
    batch_append(batch, &chain);
    batch_last_append(batch)->payload_size = ((size_t)512 << 20) + 1; /* refused unread */
    assert_int_equal(ledger->ops->commit(ledger, &batch->commit, &err), EDS_ERR_TOO_LARGE);
    assert_int_equal(ledger->ops->head(ledger, "\xff\xfe", &head, &err), EDS_OK);
    assert_int_equal(head.sequence, 0); /* no id of any record */
    batch_clear(batch);
    batch_operation(batch, EDS_DECISION_REJECTED, "\xff", 1, "not UTF-8");
    assert_int_equal(ledger->ops->commit(ledger, &batch->commit, &err), EDS_ERR_USAGE);
    batch_clear(batch);
    batch_operation(batch, EDS_DECISION_REJECTED, "lift-01", 1, "still usable");
    assert_int_equal(ledger->ops->commit(ledger, &batch->commit, &err), EDS_OK);
    close_ledger(ledger);
    batch_free(batch);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_urls),          cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_other_schemas), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_bounds),
    };
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_remove(&server);
    return failed;
}
