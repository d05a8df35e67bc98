/* json_number.c - plain whole numbers, and arrays of bytes. */
#include "codec/json_cursor.h"

#include "base/text.h"
#include "codec/json_scan.h"

/* Moves over the digits of a whole number and returns the first of them, or
 * NULL.  A number that touches the end of the text is not there yet: another
 * digit might follow. */
static const char *take_digits(struct eds_json_cursor *c, const char *wanted)
{
    const char *at, *first;

    eds_json_space(c);
    at = first = c->at;
    while (at < c->end && *at >= '0' && *at <= '9')
        at++;
    if (at == first) {
        eds_json_fail_expected(c, at, wanted);
        return NULL;
    }
    if (at - first > 1 && *first == '0') {
        eds_json_fail(c, first, "a number must not begin with a zero");
        return NULL;
    }
    if (at == c->end || *at == '.' || *at == 'e' || *at == 'E') {
        eds_json_fail_expected(c, at, "a number without fraction and exponent");
        return NULL;
    }
    c->at = at;
    return first;
}

uint64_t eds_json_u64(struct eds_json_cursor *c)
{
    const char *first = take_digits(c, "a whole number");
    uint64_t number = 0;

    if (first == NULL)
        return 0;
    for (const char *at = first; at < c->at; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (number > (UINT64_MAX - digit) / 10) {
            eds_json_fail_shown(c, first, "the number ", first, (size_t)(c->at - first),
                                " is out of range 0..18446744073709551615");
            return 0;
        }
        number = number * 10 + digit;
    }
    return number;
}

static uint8_t take_byte(struct eds_json_cursor *c)
{
    const char *first = take_digits(c, "a byte (0..255)");
    unsigned number = 0;

    if (first == NULL)
        return 0;
    for (const char *at = first; at < c->at && number <= UINT8_MAX; at++)
        number = number * 10 + (unsigned)(*at - '0');
    if (number > UINT8_MAX) {
        eds_json_fail_shown(c, first, "byte ", first, (size_t)(c->at - first),
                            " is out of range 0..255");
        return 0;
    }
    return (uint8_t)number;
}

/* Says that an array has another number of bytes than it should. */
static void fail_count(struct eds_json_cursor *c, const char *what, size_t count)
{
    char number[24];
    struct eds_text text;

    eds_text_begin(&text, number, sizeof number);
    eds_text_u64(&text, count);
    eds_json_fail_shown(c, c->at, what, number, text.used, " bytes");
}

/* Takes the array of count bytes in one of its two usual forms, compact or
 * pretty; says whether it was one. */
static bool take_usual_list(struct eds_json_cursor *c, uint8_t *out, size_t count)
{
    const char *first = c->at, *after;

    after = eds_scan_byte_list(out, count, first, c->end);
    if (after != NULL) {
        c->at = after;
        return true;
    }
    eds_json_space(c);
    after = eds_scan_spaced_list(out, count, c->at, c->end);
    if (after != NULL) {
        c->at = after;
        if (eds_json_take(c, ']'))
            return true;
    }
    c->at = first;
    return false;
}

void eds_json_bytes(struct eds_json_cursor *c, uint8_t *out, size_t count)
{
    if (!eds_json_take(c, '[')) {
        eds_json_fail_expected(c, c->at, "an array of bytes");
        return;
    }
    if (take_usual_list(c, out, count))
        return;
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && !eds_json_take(c, ',')) {
            if (c->at < c->end && *c->at == ']')
                fail_count(c, "the array ends before its ", count);
            else
                eds_json_fail_expected(c, c->at, "',' or ']'");
            return;
        }
        out[i] = take_byte(c);
    }
    if (c->rc != EDS_OK || eds_json_take(c, ']'))
        return;
    if (c->at < c->end && *c->at == ',')
        fail_count(c, "the array goes on after its ", count);
    else
        eds_json_fail_expected(c, c->at, "',' or ']'");
}
