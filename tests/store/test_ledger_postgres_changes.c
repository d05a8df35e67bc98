/* test_ledger_postgres_changes.c - what operators change, in PostgreSQL, while the n-th
 * row that is written fails, at once or at COMMIT, or the connection breaks: each change
 * is made whole or not at all, and works at the second try.
 *
 * EDS_TEST_THOROUGH: for each n. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "store/change_script.h"
#include "store/tcp_proxy.h"
#include "support/dice.h"
#include "support/postgres.h"

static struct postgres_server server;

static struct eds_ledger *open_at(int port)
{
    char url[POSTGRES_URL_SIZE];
    struct eds_ledger *ledger = NULL;
    struct eds_error err;

    postgres_place(&server, port, url);
    if (eds_ledger_open(&ledger, url, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return ledger;
}

/* As in test_ledger_postgres_sql_faults.c: a sequence counts the rows written, and no
 * rollback takes it back; the n-th fails with `state`. */
static void plant(uint64_t n, const char *state, bool late)
{
    unsigned place = server.schema_count;
    char sql[1024];

    snprintf(sql, sizeof sql,
             "CREATE SEQUENCE place%u.steps;"
             "CREATE FUNCTION place%u.fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
             " IF nextval(''place%u.steps'') = %llu THEN"
             " RAISE EXCEPTION ''planted'' USING ERRCODE = ''%s'';"
             " END IF; RETURN NEW; END'",
             place, place, place, (unsigned long long)n, state);
    postgres_sql(&server, sql);
    snprintf(sql, sizeof sql,
             "DO 'DECLARE t TEXT; BEGIN FOREACH t IN ARRAY ARRAY[''registry'',''registry_keys'',"
             "''registry_version'',''chain_heads'',''chain_gaps'',''device_commands'',"
             "''operation_logs'',"
             "''audit_records'',''ledger_writers''] LOOP EXECUTE format(''CREATE %s TRIGGER fault"
             " %s INSERT OR UPDATE ON place%u.%%I %s FOR EACH ROW EXECUTE FUNCTION"
             " place%u.fail()'', t); END LOOP; END'",
             late ? "CONSTRAINT" : "", late ? "AFTER" : "BEFORE", place,
             late ? "DEFERRABLE INITIALLY DEFERRED" : "", place);
    postgres_sql(&server, sql);
}

static uint64_t next(uint64_t n)
{
    return getenv("EDS_TEST_THOROUGH") != NULL ? n + 1 : 2 * n + 1;
}

static void sweep(bool late)
{
    static const char *const states[] = {"53100", "57014", "XX000", "40001", "40P01"};
    unsigned failed_count = 1;
    struct dice dice;
    uint64_t n;

    dice_seed(&dice);
    for (n = 1; failed_count > 0; n = next(n)) {
        struct eds_ledger *ledger = open_at(server.port);

        plant(n, states[dice_below(&dice, sizeof states / sizeof states[0])], late);
        failed_count = change_script_run(ledger, NULL, NULL, NULL);
        assert_in_range(failed_count, 0, 1);
        ledger->ops->close(ledger);
    }
    print_message("fewer than %llu rows\n", (unsigned long long)n);
    assert_true(n > 40);
}

static void test_each_row(void **state)
{
    (void)state;
    sweep(false);
}

static void test_each_commit(void **state)
{
    (void)state;
    sweep(true);
}

/* The COMMIT of every step is lost on its way, or its answer: nobody is told that it
 * failed, because what became of it is looked up.  Only an import whose COMMIT never
 * came is told so: what it has read is gone, and it cannot be sent again from here. */
struct cut {
    struct tcp_proxy *proxy;
    enum proxy_fault fault;
};

static void cut(void *context)
{
    struct cut *cut = context;

    tcp_proxy_arm(cut->proxy, cut->fault, "\0commit\0", 8, 0);
}

static void test_cut_around_commit(void **state)
{
    (void)state;
    for (enum proxy_fault fault = PROXY_BEFORE; fault <= PROXY_HOLD; fault++) {
        int port;
        struct cut context = {tcp_proxy_start(server.port, &port), fault};
        struct eds_ledger *ledger = open_at(port);
        bool is_lost = fault == PROXY_BEFORE || fault == PROXY_HOLD;

        assert_int_equal(change_script_run(ledger, cut, NULL, &context), is_lost ? 1 : 0);
        assert_true(tcp_proxy_broken(context.proxy) > 10);
        ledger->ops->close(ledger);
        tcp_proxy_stop(context.proxy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_row),
        cmocka_unit_test(test_each_commit),
        cmocka_unit_test(test_cut_around_commit),
    };
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_remove(&server);
    return failed;
}
