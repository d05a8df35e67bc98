/* test_flash.c - the offline buffer in flash memory, as a chip behaves: bytes are
 * programmed once after they were erased, and the power goes away in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "device/log_format.h"
#include "device/power_workload.h"
#include "edgesentry/flash.h"

#define SIZE   (256u * 1024u)
#define SECTOR 4096u

/* A chip.  The operation fail_at (from now, programs and erases) is done in part; with
 * power_goes nothing works after it until the power comes back. */
struct chip {
    struct eds_flash flash; /* first */
    uint8_t bytes[SIZE];
    uint32_t erased[SIZE / SECTOR]; /* how often */
    uint64_t operations, fail_at;
    bool power_goes, is_dead;
    struct dice *dice;
};

static struct power_world world;

static bool fails(struct chip *chip)
{
    chip->operations++;
    if (chip->operations != chip->fail_at)
        return false;
    chip->is_dead = chip->power_goes;
    return true;
}

static int32_t chip_read(struct eds_flash *flash, uint64_t at, void *out, size_t size)
{
    const struct chip *chip = (struct chip *)flash;

    assert_true(at <= SIZE && size <= SIZE - at);
    if (chip->is_dead)
        return EDS_ERR_IO;
    memcpy(out, chip->bytes + at, size);
    return EDS_OK;
}

static int32_t chip_program(struct eds_flash *flash, uint64_t at, const void *bytes, size_t size)
{
    struct chip *chip = (struct chip *)flash;
    size_t whole = size;

    assert_true(at <= SIZE && size <= SIZE - at);
    assert_true(at % 8 == 0 && size % 8 == 0);
    if (chip->is_dead)
        return EDS_ERR_IO;
    for (size_t i = 0; i < size; i++)
        assert_int_equal(chip->bytes[at + i], 0xff); /* each byte once */
    if (fails(chip))
        whole = dice_below(chip->dice, (uint32_t)size + 1);
    memcpy(chip->bytes + at, bytes, whole);
    if (whole == size)
        return EDS_OK;
    /* Of the byte that was under way, some bits. */
    chip->bytes[at + whole] =
        (uint8_t)(((const uint8_t *)bytes)[whole] | dice_below(chip->dice, 256));
    return EDS_ERR_IO;
}

static int32_t chip_erase(struct eds_flash *flash, uint64_t at)
{
    struct chip *chip = (struct chip *)flash;
    const uint32_t size = chip->flash.erase_size;
    bool failing;

    assert_true(at % size == 0 && at < SIZE);
    if (chip->is_dead)
        return EDS_ERR_IO;
    failing = fails(chip);
    for (uint32_t i = 0; i < size; i++) /* half erased: bytes of both kinds, and others */
        if (!failing || dice_below(chip->dice, 3) > 0)
            chip->bytes[at + i] =
                failing ? (uint8_t)(chip->bytes[at + i] | dice_below(chip->dice, 256)) : 0xff;
    chip->erased[at / SECTOR]++;
    return failing ? EDS_ERR_IO : EDS_OK;
}

static void chip_init(struct chip *chip, struct dice *dice, uint32_t erase_size)
{
    memset(chip, 0, sizeof *chip);
    memset(chip->bytes, 0xff, SIZE);
    chip->dice = dice;
    chip->flash = (struct eds_flash){.size = SIZE,
                                     .erase_size = erase_size,
                                     .read = chip_read,
                                     .program = chip_program,
                                     .erase = chip_erase};
}

static void chip_fail(struct chip *chip, uint64_t n, bool power_goes)
{
    chip->operations = 0;
    chip->fail_at = n;
    chip->power_goes = power_goes;
    chip->is_dead = false;
}

static struct eds_buffer *open_chip(struct chip *chip)
{
    struct eds_buffer *buffer = NULL;
    struct eds_error err;

    if (eds_buffer_open_flash(&buffer, &chip->flash, NULL, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return buffer;
}

/* Goes round the ring a few times, then cuts the power in the middle of something. */
static void test_power_cuts(void **state)
{
    static const uint32_t erase_sizes[] = {256, 1024, SECTOR};
    static struct chip chip;
    struct dice dice;
    unsigned rounds = power_rounds(40), cuts = 0;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < rounds; i++) {
        struct eds_buffer *buffer;

        chip_init(&chip, &dice, erase_sizes[i % 3]);
        power_world_init(&world, &dice, 6000);
        buffer = open_chip(&chip);
        power_steps(&world, buffer, (unsigned)dice_below(&dice, 400));
        for (int cut = 0; cut < 3; cut++) {
            chip_fail(&chip, 1 + dice_below(&dice, 60), true);
            power_steps(&world, buffer, 15);
            cuts += chip.is_dead ? 1 : 0;
            chip.is_dead = true; /* the dead process's last words reach nothing */
            eds_buffer_close(buffer);
            chip_fail(&chip, 0, false);
            buffer = open_chip(&chip);
            power_check(&world, buffer);
        }
        power_steps(&world, buffer, 10);
        power_drain(&world, buffer);
        eds_buffer_close(buffer);
    }
    printf("%u power cuts\n", cuts);
    assert_true(cuts > rounds / 2);
}

/* Operations that fail now and then, while the power stays. */
static void test_failures(void **state)
{
    static struct chip chip;
    struct eds_buffer *buffer;
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    chip_init(&chip, &dice, 1024);
    power_world_init(&world, &dice, 6000);
    buffer = open_chip(&chip);
    for (unsigned part = 0; part < 40; part++) {
        chip_fail(&chip, 1 + dice_below(&dice, 12), false);
        power_steps(&world, buffer, 8);
        chip_fail(&chip, 0, false);
        power_steps(&world, buffer, 4);
        power_check(&world, buffer);
    }
    assert_true(world.failures > 0);
    power_drain(&world, buffer);
    eds_buffer_close(buffer);
}

/* The power goes during the very first opening, or a format: at each operation. */
static void test_cut_at_the_beginning(void **state)
{
    static struct chip chip;
    struct eds_buffer *buffer = NULL;
    struct dice dice;
    uint64_t n;

    (void)state;
    dice_seed(&dice);
    for (n = 1; n < 20; n++) {
        chip_init(&chip, &dice, SECTOR);
        chip_fail(&chip, n, true);
        if (eds_buffer_open_flash(&buffer, &chip.flash, NULL, NULL) == EDS_OK) {
            eds_buffer_close(buffer);
            break; /* it takes no more operations than these */
        }
        chip_fail(&chip, 0, false);
        eds_buffer_close(open_chip(&chip));
    }
    assert_in_range(n, 3, 10);
    for (n = 1; n < 200; n++) {
        chip_init(&chip, &dice, SECTOR);
        memset(chip.bytes, 0x5a, SIZE);
        assert_int_equal(eds_buffer_open_flash(&buffer, &chip.flash, NULL, NULL), EDS_ERR_EXISTS);
        chip_fail(&chip, n, true);
        if (eds_flash_format(&chip.flash, NULL) == EDS_OK)
            break;
        chip_fail(&chip, 0, false);
        assert_int_equal(eds_flash_format(&chip.flash, NULL), EDS_OK);
        eds_buffer_close(open_chip(&chip));
    }
    assert_in_range(n, SIZE / SECTOR, 199);
}

/* Every part of the chip wears as much as every other. */
static void test_wear(void **state)
{
    static struct chip chip;
    struct eds_buffer *buffer;
    struct dice dice;
    uint32_t least = UINT32_MAX, most = 0;

    (void)state;
    dice_seed(&dice);
    chip_init(&chip, &dice, SECTOR);
    power_world_init(&world, &dice, 3000);
    buffer = open_chip(&chip);
    for (int i = 0; i < 60 && world.devices[0].acknowledged < POWER_MAX / 2; i++)
        power_steps(&world, buffer, 20);
    eds_buffer_close(buffer);
    for (size_t i = 0; i < SIZE / SECTOR; i++) {
        least = chip.erased[i] < least ? chip.erased[i] : least;
        most = chip.erased[i] > most ? chip.erased[i] : most;
    }
    printf("erased %u to %u times\n", least, most);
    assert_true(most >= 2);              /* round more than once */
    assert_in_range(most - least, 0, 2); /* the first sector was erased once more */
}

static void test_sizes(void **state)
{
    static const struct {
        uint64_t size;
        uint32_t erase_size;
        int32_t rc;
    } rows[] = {
        {SIZE, SECTOR, EDS_OK},
        {SIZE, 8, EDS_OK},
        {SIZE, 0, EDS_ERR_USAGE},
        {SIZE, 3000, EDS_ERR_USAGE},
        {SIZE, 8192, EDS_ERR_USAGE},
        {SIZE - SECTOR, SECTOR, EDS_ERR_USAGE},
        {SIZE - 8, SECTOR, EDS_ERR_USAGE},
    };
    static struct chip chip;
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct eds_buffer *buffer = NULL;
        struct eds_error err;

        chip_init(&chip, &dice, SECTOR);
        chip.flash.size = rows[i].size;
        chip.flash.erase_size = rows[i].erase_size;
        assert_int_equal(eds_buffer_open_flash(&buffer, &chip.flash, NULL, &err), rows[i].rc);
        if (rows[i].rc == EDS_OK)
            eds_buffer_close(buffer);
        else
            assert_int_equal(eds_flash_format(&chip.flash, &err), rows[i].rc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_power_cuts),
        cmocka_unit_test(test_failures),
        cmocka_unit_test(test_cut_at_the_beginning),
        cmocka_unit_test(test_wear),
        cmocka_unit_test(test_sizes),
    };

    eds_log_configure(EDS_LOG_ERROR, EDS_LOG_LOGFMT);
    return cmocka_run_group_tests_name("flash", tests, NULL, NULL);
}
