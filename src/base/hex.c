/* hex.c - see hex.h. */
#include "base/hex.h"

#include <string.h>

#include "base/text.h"
#include "base/utf8.h"

void eds_hex_encode(char *out, const void *bytes, size_t size)
{
    static const char digits[16] = "0123456789abcdef";
    const uint8_t *at = bytes;

    for (size_t i = 0; i < size; i++) {
        *out++ = digits[at[i] >> 4];
        *out++ = digits[at[i] & 15];
    }
    *out = '\0';
}

/* The value of a digit, or 255.  A table: this is on the path of every payload. */
static uint8_t digit_value(char c)
{
    static const uint8_t values[256] = {
#define ROW(base, n) [base] = (n), [(base) + 1] = (n) + 1, [(base) + 2] = (n) + 2
        /* Stored one higher, so that 0 means "no digit". */
        ROW('0', 1),  ROW('3', 4),  ROW('6', 7),  ['9'] = 10,
        ROW('a', 11), ROW('d', 14), ROW('A', 11), ROW('D', 14),
#undef ROW
    };
    return (uint8_t)(values[(uint8_t)c] - 1);
}

static int32_t say(struct eds_error *err, const char *before, const char *what)
{
    struct eds_text text;

    if (err == NULL)
        return EDS_ERR_MALFORMED;
    err->code = EDS_ERR_MALFORMED;
    eds_text_begin(&text, err->text, sizeof err->text);
    eds_text_string(&text, before);
    eds_text_string(&text, what);
    return EDS_ERR_MALFORMED;
}

/* Rust's Debug form of a character below U+0100, without its quotes. */
static void say_escaped(struct eds_text *text, uint8_t byte)
{
    static const char plain[] = "\t\n\r'\\", named[] = "tnr'\\";
    const char *known = byte == 0 ? NULL : strchr(plain, byte);
    uint8_t character[4];

    if (byte == 0) {
        eds_text_string(text, "\\0");
    } else if (known != NULL) {
        eds_text_char(text, '\\');
        eds_text_char(text, named[known - plain]);
    } else if (byte < ' ' || (byte >= 0x7f && byte < 0xa0) || byte == 0xad) {
        eds_text_string(text, "\\u{");
        if (byte >= 0x10)
            eds_text_char(text, "0123456789abcdef"[byte >> 4]);
        eds_text_char(text, "0123456789abcdef"[byte & 15]);
        eds_text_char(text, '}');
    } else {
        eds_text_bytes(text, (const char *)character, eds_utf8_encode(character, byte));
    }
}

void eds_hex_say_character(struct eds_text *text, uint8_t byte, size_t position)
{
    eds_text_string(text, "Invalid character '");
    say_escaped(text, byte);
    eds_text_string(text, "' at position ");
    eds_text_u64(text, position);
}

/* A byte above 0x7f is named by the character of the same number, as the
 * original does ("Invalid character 'Ã' at position 0" for UTF-8's e-acute). */
static int32_t say_character(struct eds_error *err, uint8_t byte, size_t position)
{
    struct eds_text text;

    if (err == NULL)
        return EDS_ERR_MALFORMED;
    err->code = EDS_ERR_MALFORMED;
    eds_text_begin(&text, err->text, sizeof err->text);
    eds_hex_say_character(&text, byte, position);
    return EDS_ERR_MALFORMED;
}

int32_t eds_hex_decode(uint8_t *out, const char *text, size_t text_size, struct eds_error *err)
{
    if (text_size % 2 != 0)
        return say(err, "", "Odd number of digits");
    for (size_t i = 0; i < text_size; i += 2) {
        uint8_t high = digit_value(text[i]);
        uint8_t low = digit_value(text[i + 1]);

        if ((high | low) > 15) {
            size_t at = high > 15 ? i : i + 1;

            return say_character(err, (uint8_t)text[at], at);
        }
        out[i / 2] = (uint8_t)(high << 4 | low);
    }
    return EDS_OK;
}

/* Checks digits without keeping them, so that a text of any length can be
 * refused for its digits first and for its length second, as the original. */
static int32_t check_digits(const char *text, size_t text_size, struct eds_error *err)
{
    for (size_t i = 0; i < text_size; i++)
        if (digit_value(text[i]) > 15)
            return say_character(err, (uint8_t)text[i], i);
    return EDS_OK;
}

int32_t eds_hex_decode_exactly(uint8_t *out, size_t size, const char *text, size_t text_size,
                               struct eds_error *err)
{
    struct eds_error why;
    struct eds_text said;

    if (text_size % 2 != 0)
        return say(err, "invalid hex input: ", "Odd number of digits");
    if (check_digits(text, text_size, &why) != EDS_OK)
        return say(err, "invalid hex input: ", why.text);
    if (text_size / 2 == size)
        return eds_hex_decode(out, text, text_size, err);
    if (err != NULL) {
        err->code = EDS_ERR_MALFORMED;
        eds_text_begin(&said, err->text, sizeof err->text);
        eds_text_string(&said, "invalid byte length: expected ");
        eds_text_u64(&said, size);
        eds_text_string(&said, ", actual ");
        eds_text_u64(&said, text_size / 2);
    }
    return EDS_ERR_MALFORMED;
}
