/* test_store_sqlite_power.c - the power is cut at every single operation of the
 * buffer in SQLite, its disk fails and is full, and memory runs out inside SQLite.
 *
 * The disk is the one under the ledger's tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/power_workload.h"
#include "store/ledger_sqlite_faulty_vfs.h"
#include "support/temp_dir.h"

#define CHANGING (FAULTY_OPEN | FAULTY_WRITE | FAULTY_SYNC | FAULTY_TRUNCATE | FAULTY_DELETE)

static struct power_world world;

struct bench {
    char directory[EDS_TEMP_DIR_SIZE];
    struct eds_buffer *buffer; /* NULL: could not be opened */
    struct eds_error err;
};

static bool open_buffer(struct bench *bench)
{
    char url[EDS_TEMP_DIR_SIZE + 32];

    snprintf(url, sizeof url, "sqlite:%s/buffer.db", bench->directory);
    bench->buffer = NULL;
    return eds_buffer_open(&bench->buffer, url, NULL, &bench->err) == EDS_OK;
}

static void must_open(struct bench *bench)
{
    if (!open_buffer(bench))
        fail_msg("%s", bench->err.text);
}

static void begin(struct bench *bench)
{
    temp_dir_make(bench->directory);
    faulty_vfs_begin(NULL);
}

static void end(struct bench *bench)
{
    eds_buffer_close(bench->buffer);
    temp_dir_remove(bench->directory);
}

/* The bench goes on in a new directory with what the power cut left. */
static void cut_power(struct bench *bench, struct dice *dice)
{
    char directory[EDS_TEMP_DIR_SIZE];

    temp_dir_make(directory);
    faulty_vfs_leave(directory, dice);
    end(bench); /* the dead process's: nothing it does counts any more */
    strcpy(bench->directory, directory);
    faulty_vfs_begin(directory);
}

/* False if the steps were through before the n-th operation. */
static bool cut_once(struct dice *dice, uint64_t n, uint64_t *later)
{
    struct bench bench;
    bool was_cut;

    begin(&bench);
    power_world_init(&world, dice, 3000);
    faulty_vfs_fail(CHANGING, n, true);
    if (open_buffer(&bench))
        power_steps(&world, bench.buffer, 8);
    was_cut = faulty_vfs_failures() > 0;
    cut_power(&bench, dice);
    if (dice_below(dice, 2) == 0) { /* and once more, soon after */
        faulty_vfs_fail(CHANGING, 1 + dice_below(dice, 20), true);
        if (open_buffer(&bench)) {
            faulty_vfs_fail(0, 0, false);
            power_check(&world, bench.buffer);
            faulty_vfs_fail(CHANGING, 1 + dice_below(dice, 9), true);
            power_steps(&world, bench.buffer, 3);
            ++*later;
        }
        cut_power(&bench, dice);
    }
    faulty_vfs_fail(0, 0, false);
    must_open(&bench);
    power_check(&world, bench.buffer);
    power_steps(&world, bench.buffer, 4);
    power_drain(&world, bench.buffer);
    end(&bench);
    return was_cut;
}

static void test_power_cuts(void **state)
{
    struct dice dice;
    uint64_t later = 0;
    unsigned rounds = power_rounds(70), cuts = 0;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < rounds; i++) /* other steps each time: some end before n */
        cuts += cut_once(&dice, 1 + i % 70, &later) ? 1 : 0;
    printf("%u power cuts, %llu of them soon after another\n", cuts, (unsigned long long)later);
    assert_true(cuts > rounds * 3 / 7);
}

/* The disk fails once, or is full for a while: the same process goes on. */
static void test_failures(void **state)
{
    static const unsigned kinds[] = {FAULTY_WRITE, FAULTY_SYNC, FAULTY_WRITE | FAULTY_SYNC,
                                     FAULTY_ALL};
    unsigned rounds = power_rounds(16);
    struct dice dice;
    uint64_t failures = 0;

    (void)state;
    dice_seed(&dice);
    for (unsigned round = 0; round < rounds; round++) {
        struct bench bench;

        begin(&bench);
        power_world_init(&world, &dice, 3000);
        must_open(&bench);
        for (unsigned part = 0; part < 6; part++) {
            faulty_vfs_fail(kinds[round % 4], 1 + dice_below(&dice, 12), dice_below(&dice, 2) == 0);
            power_steps(&world, bench.buffer, 4);
            faulty_vfs_fail(0, 0, false);
            power_steps(&world, bench.buffer, 3);
            power_check(&world, bench.buffer);
        }
        failures += world.failures;
        cut_power(&bench, &dice);
        must_open(&bench);
        power_check(&world, bench.buffer);
        power_drain(&world, bench.buffer);
        end(&bench);
    }
    assert_true(failures > rounds);
}

static sqlite3_mem_methods real_memory;
static uint64_t allocations, failing;

static void *failing_malloc(int size)
{
    return ++allocations == failing ? NULL : real_memory.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
    return ++allocations == failing ? NULL : real_memory.xRealloc(old, size);
}

static void test_no_memory(void **state)
{
    struct dice dice;
    uint64_t failures = 0;

    (void)state;
    dice_seed(&dice);
    for (uint64_t n = 1; n < 900; n += 1 + n / 40) {
        struct bench bench;

        begin(&bench);
        power_world_init(&world, &dice, 3000);
        allocations = 0;
        failing = n;
        if (open_buffer(&bench)) {
            power_steps(&world, bench.buffer, 5);
            failing = 0;
            power_check(&world, bench.buffer);
        }
        failing = 0;
        failures += world.failures + (bench.buffer == NULL ? 1 : 0);
        eds_buffer_close(bench.buffer);
        must_open(&bench);
        power_check(&world, bench.buffer);
        power_drain(&world, bench.buffer);
        end(&bench);
    }
    assert_true(failures > 40);
}

static int set_up(void **state)
{
    sqlite3_mem_methods methods;

    (void)state;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory), SQLITE_OK);
    methods = real_memory;
    methods.xMalloc = failing_malloc;
    methods.xRealloc = failing_realloc;
    assert_int_equal(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    faulty_vfs_install(); /* it does not sync, which makes it fast */
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    faulty_vfs_uninstall();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_no_memory),
    };

    return cmocka_run_group_tests_name("buffer in SQLite", tests, set_up, tear_down);
}
