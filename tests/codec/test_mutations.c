/* Records damaged in every small way: the verdict is jansson's, nothing outside
 * the text is touched, and what is cut off is called so. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sample.h"
#include "support/dice.h"

/* Holds our verdict against jansson's. */
static void check_verdict(const char *text, size_t size)
{
    struct eds_entry entry, again;
    struct eds_error err = {EDS_OK, ""};
    struct sample sample;
    int32_t rc = sample_decode(&entry, text, size, &err);
    bool sure, is_record = sample_is_record(text, size, &sure);

    if (sure && is_record != (rc == EDS_OK))
        fail_msg("jansson says %d, we say: %s\n%.*s", is_record, err.text, (int)size, text);
    if (rc != EDS_OK) {
        assert_true(rc == EDS_ERR_MALFORMED || rc == EDS_ERR_TRUNCATED);
        assert_true(err.code == rc && strlen(err.text) > 20);
        return;
    }
    for (int style = EDS_JSON_COMPACT; style <= EDS_JSON_PRETTY; style++) {
        sample_encode(&sample, &entry, (enum eds_json_style)style);
        assert_int_equal(sample_decode(&again, sample.text, sample.size, &err), EDS_OK);
        assert_entries_equal(&entry, &again);
    }
}

static void test_every_byte_edited(void **state)
{
    struct eds_entry good, entry;
    struct sample sample;
    unsigned taken = 0;

    (void)state;
    sample_entry(&good, true);
    sample_encode(&sample, &good, EDS_JSON_COMPACT);
    for (size_t at = 0; at < sample.size; at++) {
        char was = sample.text[at];
        char *copy = sample_exact(sample.text, sample.size);

        for (unsigned byte = 0; byte < 256; byte++) {
            sample.text[at] = copy[at] = (char)byte;
            /* jansson is slow: it is asked of all that we take, and of some others. */
            if (eds_json_entry_decode(&entry, copy, sample.size, NULL) == EDS_OK)
                taken++;
            else if ((at * 7 + byte) % 61 != 0)
                continue;
            check_verdict(sample.text, sample.size);
        }
        free(copy);
        sample.text[at] = was;
    }
    assert_in_range(taken, 5000, 20000); /* other characters in strings, other digits */
}

static void test_every_byte_left_out_or_doubled(void **state)
{
    struct eds_entry good;
    struct sample sample, edited;

    (void)state;
    sample_entry(&good, true);
    for (int style = EDS_JSON_COMPACT; style <= EDS_JSON_PRETTY; style++) {
        sample_encode(&sample, &good, (enum eds_json_style)style);
        for (size_t at = 0; at < sample.size; at++) {
            memcpy(edited.text, sample.text, at);
            memcpy(edited.text + at, sample.text + at + 1, sample.size - at - 1);
            check_verdict(edited.text, sample.size - 1);
            memcpy(edited.text + at + 1, sample.text + at, sample.size - at);
            edited.text[at] = sample.text[at];
            check_verdict(edited.text, sample.size + 1);
        }
    }
}

/* Every prefix of a record ends too early, and that is all that is wrong. */
static void check_prefixes(const char *text, size_t size)
{
    for (size_t cut = 0; cut < size; cut++) {
        struct eds_entry entry;
        struct eds_error err = {EDS_OK, ""};

        if (sample_decode(&entry, text, cut, &err) != EDS_ERR_TRUNCATED)
            fail_msg("%zu bytes: %s", cut, err.text);
        assert_non_null(strstr(err.text, "found the end of the text at line "));
    }
}

static void test_prefixes(void **state)
{
    static const char escaped[] = "lift\\ud83d\\ude00\\n\xf0\x9f\x98\x80\xe2\x82\xac\xc3\xa9";
    struct eds_entry entry;
    struct sample sample;

    (void)state;
    sample_entry(&entry, true);
    sample_encode(&sample, &entry, EDS_JSON_COMPACT);
    sample_replace(&sample, "\"sequence\"", "\"\\u0073equence\"", 15);
    sample_replace(&sample, "\"lift-01\"", "\"\xc3\xa9\"", 4);
    sample_replace(&sample, "inspection", escaped, sizeof escaped - 1);
    check_prefixes(sample.text, sample.size);
    sample_encode(&sample, &entry, EDS_JSON_PRETTY);
    check_prefixes(sample.text, sample.size);
}

/* Damages a text in one to three ways. */
static size_t damage(struct dice *dice, char *text, size_t size)
{
    static const char alphabet[] = "{}[]:,\"\\ \n\t0123456789-+.eEuntrfls\xc3\xa9\xf0\x9f\x80\xff";

    for (size_t edits = 1 + dice_below(dice, 3); edits > 0 && size > 1; edits--) {
        size_t at = dice_below(dice, size), run = 1 + dice_below(dice, 12);
        char byte = dice_below(dice, 4) == 0 ? (char)dice_below(dice, 256)
                                             : alphabet[dice_below(dice, sizeof alphabet)];

        run = run < size - at ? run : size - at;
        switch (dice_below(dice, 4)) {
        case 0: /* another byte */
            text[at] = byte;
            break;
        case 1: /* one more */
            memmove(text + at + 1, text + at, size - at);
            text[at] = byte;
            size++;
            break;
        case 2: /* some less */
            memmove(text + at, text + at + run, size - at - run);
            size -= run;
            break;
        default: /* some twice */
            memmove(text + at + run, text + at, size - at);
            size += run;
        }
    }
    return size;
}

static void make_damaged(struct dice *dice, struct sample *out)
{
    struct eds_entry entry;

    sample_entry(&entry, dice_below(dice, 2) == 0);
    sample_encode(out, &entry, dice_below(dice, 4) == 0 ? EDS_JSON_PRETTY : EDS_JSON_COMPACT);
    out->size = damage(dice, out->text, out->size);
}

static void test_random_damage(void **state)
{
    struct dice dice;
    struct sample sample;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 20000; i++) {
        make_damaged(&dice, &sample);
        check_verdict(sample.text, sample.size);
    }
}

/* More bytes change EDS_ERR_TRUNCATED alone: a failure stays, word for word. */
static void test_failures_stay(void **state)
{
    struct dice dice;
    struct sample sample;

    (void)state;
    dice_seed(&dice);
    for (unsigned i = 0; i < 300; i++) {
        struct eds_error before = {EDS_ERR_TRUNCATED, ""};
        int32_t last = EDS_ERR_TRUNCATED;

        make_damaged(&dice, &sample);
        for (size_t cut = 0; cut <= sample.size; cut++) {
            struct eds_entry entry;
            struct eds_error err = {EDS_OK, ""};
            int32_t rc = sample_decode(&entry, sample.text, cut, &err);

            if (last == EDS_ERR_MALFORMED && (rc != last || strcmp(err.text, before.text) != 0))
                fail_msg("%s\nand with more: %s", before.text, err.text);
            last = rc;
            before = err;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_byte_edited),
        cmocka_unit_test(test_every_byte_left_out_or_doubled),
        cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_failures_stay),
    };

    return run_on_all_levels(tests);
}
