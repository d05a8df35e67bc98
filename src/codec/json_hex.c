/* json_hex.c - hex digits in strings: the names and signatures of an
 * attestation, and payloads. */
#include "codec/json_cursor.h"

#include <assert.h>

#include "base/hex.h"
#include "base/text.h"
#include "codec/json_scan.h"

#define LOWER_HEX_SIZE_MAX 64u /* bytes: a signature */

/* An attestation has one spelling: digits of the other case are refused. */
void eds_json_lower_hex(struct eds_json_cursor *c, uint8_t *out, size_t size)
{
    char digits[2 * LOWER_HEX_SIZE_MAX + 1], number[24];
    const char *quote;
    struct eds_text wanted;
    bool good;

    assert(size <= LOWER_HEX_SIZE_MAX);
    eds_json_space(c);
    quote = c->at;
    good = eds_json_string(c, digits, 2 * size + 1) == 2 * size &&
           eds_scan_hex(out, digits, digits + 2 * size) == digits + 2 * size;
    for (size_t i = 0; good && i < 2 * size; i++)
        good = digits[i] < 'A' || digits[i] > 'F';
    if (good)
        return;
    eds_text_begin(&wanted, number, sizeof number);
    eds_text_u64(&wanted, 2 * size);
    eds_json_fail_shown(c, quote, "expected ", number, wanted.used, " lower-case hex digits");
}

/* Finishes a payload that is not just digits up to its quote: done_size digits
 * are done, and rest has room for what is left of the string, which may still
 * be digits in JSON escapes. */
static bool take_odd_rest(struct eds_json_cursor *c, uint8_t *out, char *rest, size_t done_size,
                          size_t *size)
{
    size_t rest_size = eds_json_string_rest(c, rest, (size_t)(c->end - c->at) + 1);
    const char *bad;
    char said[96];
    struct eds_text text;

    if (c->rc != EDS_OK)
        return false;
    eds_text_begin(&text, said, sizeof said);
    eds_text_string(&text, "invalid hex payload: ");
    if (rest_size % 2 != 0) {
        eds_text_string(&text, "Odd number of digits");
        eds_json_fail_said(c, said);
        return false;
    }
    bad = eds_scan_hex(out, rest, rest + rest_size);
    *size = (done_size + rest_size) / 2;
    if (bad == rest + rest_size)
        return true;
    if (eds_scan_hex_values[(uint8_t)*bad] != EDS_NO_DIGIT)
        bad++; /* the second one of the pair it is */
    eds_hex_say_character(&text, (uint8_t)*bad, done_size + (size_t)(bad - rest));
    eds_json_fail_said(c, said);
    return false;
}

const uint8_t *eds_json_hex_in_place(struct eds_json_cursor *c, char *text, size_t *size)
{
    const char *first, *after;
    uint8_t *out;

    *size = 0;
    if (!eds_json_take(c, '"')) {
        eds_json_fail_expected(c, c->at, "a string of hex digits");
        return NULL;
    }
    first = c->at;
    out = (uint8_t *)text + (first - c->text);
    after = eds_scan_hex(out, first, c->end);
    *size = (size_t)(after - first) / 2;
    c->at = after;
    /* From here on the string's place holds bytes, a line break maybe among
     * them: nothing counts lines there any more. */
    c->spent = first;
    c->spent_end = c->end;
    if (after < c->end && *after == '"')
        c->at++;
    else if (!take_odd_rest(c, out + *size, text + (after - c->text), 2 * *size, size))
        return NULL;
    c->spent_end = c->at;
    return out;
}
