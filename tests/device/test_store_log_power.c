/* test_store_log_power.c - the power is cut at every single write and sync of the
 * log store, and its medium fails at each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/log_medium.h"
#include "device/maker.h"
#include "device/power_workload.h"

#define SIZE EDS_LOG_SIZE_MIN

static struct power_world world;

static struct eds_buffer *open_medium(struct log_medium *medium)
{
    struct eds_buffer *buffer = NULL;
    struct eds_error err;

    if (medium_open(medium, &buffer, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return buffer;
}

/* Fills the log so far that the ring has gone round, with things in it that
 * count and things that don't. */
static void go_round(struct log_medium *medium, struct eds_buffer *buffer, uint64_t serials)
{
    struct log_header header;
    uint64_t last = 0;

    (void)medium;
    while (last < serials) {
        power_steps(&world, buffer, 10);
        for (size_t at = 0; at < medium->size; at += eds_ring_sector_size(medium->size))
            if (eds_ring_header_decode(&header, medium->bytes + at) && header.serial > last)
                last = header.serial;
        if (world.devices[0].acknowledged > POWER_MAX / 2 ||
            world.devices[1].acknowledged > POWER_MAX / 2)
            return;
    }
}

/* One power cut at the n-th operation of some steps; false if there are fewer. */
static bool cut_once(struct dice *dice, uint64_t n, uint64_t serials)
{
    struct log_medium medium;
    struct eds_buffer *buffer;
    bool was_cut;

    medium_make(&medium, SIZE);
    power_world_init(&world, dice, 6000);
    buffer = open_medium(&medium);
    go_round(&medium, buffer, serials);
    medium_fail(&medium, n, true);
    power_steps(&world, buffer, 12);
    was_cut = medium.operations >= n;
    medium_fail(&medium, 1, true); /* the dead process's last words reach nothing */
    eds_buffer_close(buffer);
    medium_cut(&medium, dice);
    if (dice_below(dice, 2) == 0) { /* and once more, soon after */
        buffer = open_medium(&medium);
        power_check(&world, buffer);
        medium_fail(&medium, 1 + dice_below(dice, 9), true);
        power_steps(&world, buffer, 4);
        medium_fail(&medium, 1, true);
        eds_buffer_close(buffer);
        medium_cut(&medium, dice);
    }
    buffer = open_medium(&medium);
    power_check(&world, buffer);
    power_steps(&world, buffer, 10);
    power_drain(&world, buffer);
    assert_int_equal(world.failures > 0, was_cut || world.failures > 0);
    eds_buffer_close(buffer);
    medium_free(&medium);
    return was_cut;
}

static void test_cuts_at_the_start(void **state)
{
    struct dice dice;
    unsigned cuts = 0;

    (void)state;
    dice_seed(&dice);
    for (uint64_t n = 1; n <= 40; n++) /* other steps each time: some end before n */
        cuts += cut_once(&dice, n, 0) ? 1 : 0;
    printf("%u power cuts at the start\n", cuts);
    assert_true(cuts > 10);
}

static void test_cuts_in_later_rounds(void **state)
{
    struct dice dice;
    unsigned rounds = power_rounds(25), cuts = 0;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < rounds; i++)
        cuts += cut_once(&dice, 1 + dice_below(&dice, 25), 40 + dice_below(&dice, 160)) ? 1 : 0;
    printf("%u power cuts in later rounds\n", cuts);
    assert_true(cuts > rounds / 3);
}

/* A medium that fails now and then: the same process goes on. */
static void test_failures(void **state)
{
    struct dice dice;
    unsigned rounds = power_rounds(25);
    uint64_t failures = 0;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < rounds; i++) {
        struct log_medium medium;
        struct eds_buffer *buffer;

        medium_make(&medium, SIZE);
        power_world_init(&world, &dice, 6000);
        buffer = open_medium(&medium);
        for (unsigned part = 0; part < 20; part++) {
            medium_fail(&medium, 1 + dice_below(&dice, 20), dice_below(&dice, 4) == 0);
            power_steps(&world, buffer, 8);
            medium_fail(&medium, 0, false);
            power_steps(&world, buffer, 8);
            power_check(&world, buffer);
        }
        failures += world.failures;
        if (dice_below(&dice, 2) == 0) {
            medium_fail(&medium, 1, true);
            eds_buffer_close(buffer);
            medium_cut(&medium, &dice);
            buffer = open_medium(&medium);
            power_check(&world, buffer);
        }
        power_drain(&world, buffer);
        eds_buffer_close(buffer);
        medium_free(&medium);
    }
    assert_true(failures > rounds);
}

/* A full log says so and takes no more; and takes again what there is room for,
 * for any number of rounds. */
static void test_full(void **state)
{
    struct log_medium medium;
    struct eds_buffer *buffer;
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    medium_make(&medium, SIZE);
    power_world_init(&world, &dice, 4000);
    buffer = open_medium(&medium);
    for (int round = 0; round < 6; round++) {
        struct eds_buffer_counts counts;
        uint64_t failures = world.failures;

        for (int i = 0; i < 200 && world.failures == failures; i++) { /* pushes only */
            struct eds_buffer_head head;
            char reference[EDS_OBJECT_REF_SIZE];
            static uint8_t payload[4000];
            struct eds_buffer_item item = {.payload = payload, .payload_size = sizeof payload};

            eds_buffer_head(buffer, "device-0", &head);
            made_reference(reference, "device-0", head.sequence + 1);
            assert_int_equal(eds_record_sign(&item.entry.record, "device-0", head.sequence + 1, 1,
                                             payload, sizeof payload, head.record_hash, reference,
                                             world.devices[0].seed, NULL),
                             EDS_OK);
            if (eds_buffer_push_many(buffer, &item, 1, NULL) == EDS_OK) {
                assert_int_equal(eds_record_digest(world.devices[0].hashes[head.sequence + 1],
                                                   &item.entry.record),
                                 EDS_OK);
                world.devices[0].acknowledged = head.sequence + 1;
            } else {
                world.failures++;
            }
        }
        assert_int_equal(world.failures, failures + 1);
        eds_buffer_counts(buffer, &counts);
        assert_in_range(counts.size, SIZE / 2, SIZE * 5 / 8);
        if (round % 2 == 0) {
            eds_buffer_close(buffer);
            buffer = open_medium(&medium);
        }
        power_check(&world, buffer);
        if (round % 3 != 0)
            power_drain(&world, buffer);
        else
            for (int i = 0; i < 10; i++) {
                struct eds_buffer_item *item;

                assert_int_equal(eds_buffer_next(buffer, NULL, 0, false, &item, NULL), EDS_OK);
                world.devices[0].delivered = item->entry.record.sequence;
                assert_int_equal(eds_buffer_settle(buffer, item, EDS_SETTLE_REMOVE, NULL, NULL),
                                 EDS_OK);
                free(item);
            }
    }
    eds_buffer_close(buffer);
    medium_free(&medium);
}

/* Every sector is written about as often as every other. */
static void test_wear(void **state)
{
    struct log_medium medium;
    struct eds_buffer *buffer;
    struct dice dice;
    struct log_header header;
    uint64_t least = UINT64_MAX, most = 0;

    (void)state;
    dice_seed(&dice);
    medium_make(&medium, SIZE);
    power_world_init(&world, &dice, 3000);
    buffer = open_medium(&medium);
    go_round(&medium, buffer, 200);
    for (size_t at = 0; at < SIZE; at += eds_ring_sector_size(SIZE)) {
        assert_true(eds_ring_header_decode(&header, medium.bytes + at));
        least = header.serial < least ? header.serial : least;
        most = header.serial > most ? header.serial : most;
    }
    assert_int_equal(most - least, SIZE / eds_ring_sector_size(SIZE) - 1);
    eds_buffer_close(buffer);
    medium_free(&medium);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts_at_the_start),
        cmocka_unit_test(test_cuts_in_later_rounds),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_wear),
    };

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    return cmocka_run_group_tests_name("log power", tests, NULL, NULL);
}
