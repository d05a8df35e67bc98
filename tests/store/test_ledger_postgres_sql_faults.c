/* test_ledger_postgres_sql_faults.c - the server refuses: the n-th of what a
 * commit does fails, for any reason and also at COMMIT itself, or the disk is
 * full.  Nothing is left of the commit, and the same commit made again works.
 *
 * EDS_TEST_FAULTS=N: how many faults of each kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/ledger_postgres_bench.h"
#include "support/dice.h"

static struct postgres_server server;

static void run_sql(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run_sql(const char *format, ...)
{
    va_list arguments;
    char sql[1024];

    va_start(arguments, format);
    assert_in_range(vsnprintf(sql, sizeof sql, format, arguments), 1, sizeof sql - 1);
    va_end(arguments);
    postgres_sql(&server, sql);
}

/* Every change to a row counts in a sequence, which no rollback takes back; the
 * one whose number is `at` fails with `state`.  With `late` it does so at
 * COMMIT. */
static void plant(bool late)
{
    static const char *const tables[] = {"audit_records", "operation_logs", "chain_heads",
                                         "raw_objects",   "conflicts",      "ledger_writers"};
    unsigned place = server.schema_count;

    run_sql("CREATE TABLE place%u.fault(at BIGINT, state TEXT);"
            "INSERT INTO place%u.fault VALUES(0, '');"
            "CREATE SEQUENCE place%u.steps;"
            "CREATE FUNCTION place%u.fail() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
            " IF nextval(''place%u.steps'') = (SELECT at FROM place%u.fault) THEN"
            " RAISE EXCEPTION ''planted'' USING ERRCODE = (SELECT state FROM place%u.fault);"
            " END IF; RETURN NEW; END'",
            place, place, place, place, place, place, place);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        run_sql("CREATE %s TRIGGER fault %s INSERT OR UPDATE ON place%u.%s %s FOR EACH ROW"
                " EXECUTE FUNCTION place%u.fail()",
                late ? "CONSTRAINT" : "", late ? "AFTER" : "BEFORE", place, tables[i],
                late ? "DEFERRABLE INITIALLY DEFERRED" : "", place);
}

static void arm(unsigned at, const char *state)
{
    unsigned place = server.schema_count;

    run_sql("UPDATE place%u.fault SET at = %u, state = '%s';"
            "ALTER SEQUENCE place%u.steps RESTART",
            place, at, state, place);
}

/* What else goes wrong in a server: a full disk, no memory, an administrator, a
 * lock, a bug. */
static const struct {
    const char *state;
    int32_t code;
} reasons[] = {
    {"53100", EDS_ERR_IO},         {"53200", EDS_ERR_IO}, {"57014", EDS_ERR_BUSY},
    {"55P03", EDS_ERR_BUSY},       {"XX000", EDS_ERR_IO}, {"40P01", EDS_ERR_HEAD_MOVED},
    {"40001", EDS_ERR_HEAD_MOVED}, {"58030", EDS_ERR_IO},
};
#define REASON_COUNT (sizeof reasons / sizeof reasons[0])

/* Lets each step of a commit fail in turn; returns how many there were. */
static unsigned fail_each_step(struct postgres_bench *bench, struct dice *dice)
{
    for (unsigned n = 1;; n++) {
        size_t reason = dice_below(dice, REASON_COUNT);
        struct eds_error err;
        int32_t rc;

        arm(n, reasons[reason].state);
        postgres_bench_fill(bench);
        rc = postgres_bench_try(bench, &err);
        if (rc == EDS_OK) { /* it was through before that step */
            assert_int_equal(bench->memory->ops->commit(bench->memory, &bench->batch->commit, &err),
                             EDS_OK);
            return n - 1;
        }
        assert_int_equal(rc, reasons[reason].code);
        postgres_bench_compare(bench); /* nothing of it is there */
        postgres_bench_insist(bench);  /* the same again, and now it is */
        postgres_bench_compare(bench);
    }
}

static void fail_often(struct postgres_bench *bench, bool late)
{
    unsigned fault_count = 0;
    struct dice dice;

    dice_seed(&dice);
    postgres_bench_commit(bench, "first");
    plant(late);
    while (fault_count < postgres_bench_faults()) {
        unsigned steps = fail_each_step(bench, &dice);

        assert_in_range(steps, 10, 40); /* rows of a commit of the bench */
        fault_count += steps;
    }
    print_message("%u faults\n", fault_count);
}

static void test_each_statement(void **state)
{
    fail_often(*state, false);
}

/* COMMIT is where all that was deferred is checked. */
static void test_each_commit(void **state)
{
    fail_often(*state, true);
}

/* Commits large payloads until the disk is full; what failed stays filled in. */
static void fill_disk(struct postgres_bench *bench, struct dice *dice)
{
    static uint8_t payload[512 << 10];
    struct eds_error err = {0};
    int32_t rc = EDS_OK;

    for (unsigned i = 0; rc == EDS_OK && i < 60; i++) {
        postgres_bench_fill(bench);
        dice_bytes(dice, payload, sizeof payload);
        bench->batch->appends[0].payload = payload;
        bench->batch->appends[0].payload_size = sizeof payload;
        rc = postgres_bench_try(bench, &err);
        if (rc == EDS_OK)
            assert_int_equal(bench->memory->ops->commit(bench->memory, &bench->batch->commit, NULL),
                             EDS_OK);
    }
    assert_int_equal(rc, EDS_ERR_IO);
    assert_non_null(strstr(err.text, "53100"));
}

static char mounted[sizeof server.directory + 16]; /* "" if nothing is */

/* Also where a test fails; the server may still be using it. */
static void unmount(void)
{
    if (mounted[0] != '\0')
        (void)umount2(mounted, MNT_DETACH);
    mounted[0] = '\0';
}

static bool mount_small_disk(const char *directory, unsigned long flags, unsigned size_mb)
{
    char size[32];

    snprintf(size, sizeof size, "size=%um", size_mb);
    return mount("none", directory, "tmpfs", flags, size) == 0;
}

/* A tablespace of a few megabytes fills up under the ledger, twice.  Making one
 * takes a mount: root's, in a container that may. */
static void test_disk_full(void **state)
{
    char directory[sizeof server.directory + 16];
    struct postgres_bench *bench;
    struct eds_error err;
    struct stat owner;
    struct dice dice;

    (void)state;
    snprintf(directory, sizeof directory, "%s/small", server.directory);
    assert_int_equal(mkdir(directory, 0777), 0);
    if (!mount_small_disk(directory, 0, 8)) {
        print_message("a small disk cannot be mounted here\n");
        skip();
    }
    strcpy(mounted, directory);
    (void)atexit(unmount);
    assert_int_equal(stat(server.directory, &owner), 0); /* whom the server runs as */
    assert_int_equal(chown(directory, owner.st_uid, owner.st_gid), 0);
    dice_seed(&dice);
    run_sql("CREATE TABLESPACE small LOCATION '%s'", directory);
    bench = postgres_bench_new(&server, "-cdefault_tablespace%3Dsmall");
    for (unsigned size_mb = 16; size_mb <= 24; size_mb += 8) {
        fill_disk(bench, &dice);
        postgres_bench_compare(bench); /* reading goes on */
        assert_int_equal(postgres_bench_try(bench, &err), EDS_ERR_IO);
        assert_true(mount_small_disk(directory, MS_REMOUNT, size_mb));
        postgres_bench_insist(bench);
        postgres_bench_compare(bench);
    }
    postgres_bench_free(bench);
    unmount();
}

#define BENCH_TEST(test) POSTGRES_BENCH_TEST(test, &server)

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(test_each_statement), BENCH_TEST(test_each_commit),
        cmocka_unit_test(test_disk_full), /* the last one: it takes a disk away */
    };
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    postgres_remove(&server);
    return failed;
}
