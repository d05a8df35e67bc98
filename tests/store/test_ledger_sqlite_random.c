/* test_ledger_sqlite_random.c - two stores, told the same at random, hold the same.
 *
 * Commits good and bad are drawn; both stores must answer alike, and in the end
 * (and now and then) hold the same to the last byte.  SQLite is closed and
 * opened again on the way. */
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/ledger_batch.h"
#include "store/ledger_dump.h"
#include "store/ledger_sqlite.h"
#include "support/dice.h"
#include "support/temp_dir.h"

#define DEVICE_COUNT 12u
#define ROUND_COUNT  150u

struct pair {
    struct dice dice;
    char directory[EDS_TEMP_DIR_SIZE];
    struct eds_ledger *sqlite, *memory;
    struct chain chains[DEVICE_COUNT];
    struct batch *batch;
};

static void open_sqlite(struct pair *pair)
{
    char url[EDS_TEMP_DIR_SIZE + 32];
    struct eds_error err;

    snprintf(url, sizeof url, "sqlite:%s/ledger.db", pair->directory);
    if (eds_ledger_open(&pair->sqlite, url, &err) != EDS_OK)
        fail_msg("%s", err.text);
    ((struct sqlite_ledger *)pair->sqlite)->tail_max = 1 + dice_below(&pair->dice, 40);
}

static void assert_same(struct pair *pair)
{
    struct eds_error err;
    char *one = ledger_dump(pair->sqlite, &err), *other;

    if (one == NULL)
        fail_msg("%s", err.text);
    other = ledger_dump(pair->memory, &err);
    if (other == NULL)
        fail_msg("%s", err.text);
    assert_string_equal(one, other);
    free(one);
    free(other);
}

/* An append, most often a good one. */
static void draw_append(struct pair *pair, struct chain *chain)
{
    struct dice *dice = &pair->dice;
    struct eds_entry *entry = batch_append(pair->batch, chain);
    struct eds_append *append = batch_last_append(pair->batch);

    if (dice_below(dice, 4) == 0)
        batch_attest(entry);
    if (dice_below(dice, 5) == 0) { /* a reference that others have too */
        size_t number = dice_below(dice, 40);

        snprintf((char *)entry->record.object_ref, sizeof entry->record.object_ref, "shared/%zu",
                 number);
        memset(entry->record.payload_hash, (int)number, EDS_HASH_SIZE);
        if (dice_below(dice, 150) == 0)
            entry->record.payload_hash[0] ^= 1;
    }
    if (dice_below(dice, 6) == 0) {
        append->payload = NULL;
        append->payload_size = 0;
    } else if (dice_below(dice, 10) == 0) {
        append->payload_size = 0;
    }
    if (dice_below(dice, 300) == 0)
        entry->record.prev_record_hash[5] ^= 1;
    if (dice_below(dice, 300) == 0)
        entry->record.sequence++;
}

static void draw_commit(struct pair *pair)
{
    struct dice *dice = &pair->dice;
    size_t append_count = dice_below(dice, 30), conflict_count = dice_below(dice, 4);

    batch_clear(pair->batch);
    pair->batch->commit.now_ms = dice_u64(dice);
    for (size_t i = 0; i < append_count; i++)
        draw_append(pair, &pair->chains[dice_below(dice, DEVICE_COUNT)]);
    for (size_t i = 0; i < conflict_count; i++) {
        const struct chain *chain = &pair->chains[dice_below(dice, DEVICE_COUNT)];

        batch_conflict(pair->batch, chain->device_id, 1 + dice_below(dice, 5),
                       1 + (unsigned)dice_below(dice, 3));
    }
    for (size_t i = 0; i < append_count; i++)
        batch_operation(pair->batch, EDS_DECISION_ACCEPTED,
                        (const char *)pair->batch->appends[i].entry->record.device_id,
                        pair->batch->appends[i].entry->record.sequence, "accepted");
    for (size_t i = dice_below(dice, 3); i > 0; i--)
        batch_operation(pair->batch, EDS_DECISION_REJECTED, "nobody", dice_u64(dice),
                        "unknown device: nobody");
}

static void test_told_the_same(void **state)
{
    struct pair *pair = *state;
    struct chain before[DEVICE_COUNT];
    unsigned good = 0, bad = 0;

    for (unsigned round = 0; round < ROUND_COUNT; round++) {
        int32_t one, other;

        memcpy(before, pair->chains, sizeof before);
        if (dice_below(&pair->dice, 20) == 0) /* a stale head */
            pair->chains[dice_below(&pair->dice, DEVICE_COUNT)].record_hash[0] ^= 1;
        for (size_t i = 0; round % 10 == 9 && i < DEVICE_COUNT; i++) /* all of them */
            pair->chains[i].record_hash[1] ^= 1;
        draw_commit(pair);
        one = pair->sqlite->ops->commit(pair->sqlite, &pair->batch->commit, NULL);
        other = pair->memory->ops->commit(pair->memory, &pair->batch->commit, NULL);
        assert_int_equal(one, other);
        good += one == EDS_OK;
        bad += one != EDS_OK;
        for (size_t i = 0; i < DEVICE_COUNT;
             i++) /* stale heads of devices not in the commit, too */
            if (one != EDS_OK || pair->chains[i].sequence == before[i].sequence)
                pair->chains[i] = before[i];
        if (round % 50 == 20) {
            pair->sqlite->ops->close(pair->sqlite);
            open_sqlite(pair);
            assert_same(pair);
        }
    }
    assert_same(pair);
    assert_true(good > ROUND_COUNT / 4 && bad > 0); /* whatever the seed */
}

static int set_up(void **state)
{
    struct pair *pair = calloc(1, sizeof *pair);
    char id[32];

    assert_non_null(pair);
    dice_seed(&pair->dice);
    temp_dir_make(pair->directory);
    open_sqlite(pair);
    assert_int_equal(eds_ledger_open(&pair->memory, "memory:", NULL), EDS_OK);
    pair->batch = batch_new(0);
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        snprintf(id, sizeof id, "device-%u", i * 7 % DEVICE_COUNT);
        pair->chains[i] = chain_of(id);
    }
    *state = pair;
    return 0;
}

static int tear_down(void **state)
{
    struct pair *pair = *state;

    pair->sqlite->ops->close(pair->sqlite);
    pair->memory->ops->close(pair->memory);
    batch_free(pair->batch);
    temp_dir_remove(pair->directory);
    free(pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_told_the_same, set_up, tear_down),
    };

    return cmocka_run_group_tests_name("two stores", tests, NULL, NULL);
}
