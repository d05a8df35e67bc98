/* fleet_sample.c - see fleet_sample.h. */
#include "fleet/fleet_sample.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "edgesentry/ed25519.h"
#include "registry/lifecycle.h"

#define NOW_MS UINT64_C(1795305600123)

ptrdiff_t text_file_read(void *context, void *buf, size_t size)
{
    struct text_file *file = context;
    size_t left = file->size - file->at;

    if (file->fail_at > 0 && file->at >= file->fail_at) {
        errno = EIO;
        return -1;
    }
    if (size > left)
        size = left;
    if (size > file->piece)
        size = file->piece;
    memcpy(buf, file->text + file->at, size);
    file->at += size;
    return (ptrdiff_t)size;
}

void sample_public_key(uint8_t out[EDS_PUBLIC_KEY_SIZE], uint32_t number)
{
    uint8_t seed[EDS_SEED_SIZE] = {7};

    memcpy(seed + 1, &number, sizeof number);
    eds_ed25519_public_key(out, seed);
}

static void dice_label(struct dice *dice, char out[EDS_ENROLMENT_LABEL_SIZE])
{
    static const char *const labels[] = {"",   "harbour", "Hafen \"Süd\"", "a,b;c", "  spaced  ",
                                         "\"", "=1+1",    "naïve\\",       "日本",  "'",
                                         ",",  ";",       "\"\"",          "{}"};

    strcpy(out, labels[dice_below(dice, sizeof labels / sizeof labels[0])]);
}

static uint64_t dice_moment(struct dice *dice)
{
    return 1 + dice_u64(dice) % (2 * NOW_MS);
}

void dice_enrolment(struct dice *dice, struct eds_enrolment *out, unsigned number,
                    uint32_t first_key)
{
    static const char *const ends[] = {"", " \"x\"", ",;", "é", "\\n"};
    size_t key_count = 1 + (dice_below(dice, 4) == 0 ? dice_below(dice, 5) : 0);
    struct eds_error err;

    memset(out, 0, sizeof *out);
    snprintf(out->id, sizeof out->id, "lift-%05u%s", number, ends[dice_below(dice, 5)]);
    out->attest_required = dice_below(dice, 2) == 0;
    dice_label(dice, out->site);
    dice_label(dice, out->cohort);
    dice_label(dice, out->firmware);
    for (uint32_t i = 0; i < key_count; i++) {
        struct eds_lifecycle_end end = {EDS_KEY_NO_END, EDS_KEY_NO_END};
        uint8_t key[EDS_PUBLIC_KEY_SIZE];

        sample_public_key(key, first_key + i);
        if (dice_below(dice, 2) == 0)
            end.at_ms = dice_moment(dice);
        if (dice_below(dice, 2) == 0)
            end.sequence = dice_u64(dice) >> dice_below(dice, 64);
        if (end.sequence == EDS_KEY_NO_END)
            end.sequence = 0;
        assert_int_equal(eds_lifecycle_rotate(out, key,
                                              dice_below(dice, 2) == 0 ? dice_moment(dice) : 0,
                                              &end, &err),
                         EDS_OK);
    }
    if (dice_below(dice, 3) == 0) {
        uint8_t key_id[EDS_KEY_ID_SIZE];

        eds_key_id(key_id, out->keys[dice_below(dice, key_count)].public_key);
        assert_int_equal(eds_lifecycle_revoke_key(out, key_id, NOW_MS, &err), EDS_OK);
    }
    if (dice_below(dice, 2) == 0)
        (void)eds_lifecycle_move(out, (enum eds_device_state)dice_below(dice, 4), NOW_MS, &err);
}
