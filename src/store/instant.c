/* instant.c - see instant.h.
 *
 * Days are counted in years that begin in March: then a leap day is the last
 * day of its year, and no month needs a special case. */
#include "store/instant.h"

#include <stddef.h>
#include <string.h>

#include "base/text.h"

#define DAY_MS                 86400000u
#define ERA_DAYS               146097u /* 400 years */
#define DAYS_TO_1970           719468u /* from 0000-03-01 */
#define YEAR_DIGITS            9u      /* of the last year that 64 bits of ms reach */
#define MARCH_MONTHS           10u     /* January and February are months 10 and 11 */
#define DAYS_OF_MONTHS(months) ((153u * (months) + 2u) / 5u) /* from March on */

static void add_padded(struct eds_text *text, uint64_t number, unsigned digits)
{
    uint64_t limit = 10;

    for (unsigned i = 1; i < digits; i++)
        limit *= 10;
    for (limit /= 10; limit > 1 && number < limit; limit /= 10)
        eds_text_char(text, '0');
    eds_text_u64(text, number);
}

void eds_instant_format(char out[EDS_INSTANT_SIZE], uint64_t unix_ms)
{
    uint64_t days = unix_ms / DAY_MS + DAYS_TO_1970, ms = unix_ms % DAY_MS;
    uint64_t era = days / ERA_DAYS, day = days % ERA_DAYS;
    uint64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    uint64_t month;
    struct eds_text text;

    day -= 365 * year + year / 4 - year / 100;
    month = (5 * day + 2) / 153;
    day -= DAYS_OF_MONTHS(month);
    year += 400 * era + (month >= MARCH_MONTHS ? 1 : 0);
    month = month >= MARCH_MONTHS ? month - MARCH_MONTHS + 1 : month + 3;

    eds_text_begin(&text, out, EDS_INSTANT_SIZE);
    add_padded(&text, year, 4);
    eds_text_char(&text, '-');
    add_padded(&text, month, 2);
    eds_text_char(&text, '-');
    add_padded(&text, day + 1, 2);
    eds_text_char(&text, 'T');
    add_padded(&text, ms / 3600000, 2);
    eds_text_char(&text, ':');
    add_padded(&text, ms / 60000 % 60, 2);
    eds_text_char(&text, ':');
    add_padded(&text, ms / 1000 % 60, 2);
    eds_text_char(&text, '.');
    add_padded(&text, ms % 1000, 3);
    eds_text_char(&text, 'Z');
}

/* Reads the digits at *at up to the character that must end them. */
static bool take_number(const char **at, size_t digits_max, char end, uint64_t *out)
{
    size_t digits = 0;

    for (*out = 0; digits < digits_max && **at >= '0' && **at <= '9'; digits++)
        *out = *out * 10 + (uint64_t)(*(*at)++ - '0');
    return digits > 0 && *(*at)++ == end;
}

/* Are the fields, each followed by what must follow it, as wide as they are written? */
static bool is_usual_form(const char *text, const char *end)
{
    return end - text == 24 && *end == '\0' && text[4] == '-' && text[7] == '-' &&
           text[10] == 'T' && text[13] == ':' && text[16] == ':' && text[19] == '.';
}

bool eds_instant_parse(uint64_t *unix_ms, const char *text)
{
    uint64_t year, month, day, hour, minute, second, ms, months, days, day_ms;
    char again[EDS_INSTANT_SIZE];
    const char *at = text;

    if (!take_number(&at, YEAR_DIGITS, '-', &year) || !take_number(&at, 2, '-', &month) ||
        !take_number(&at, 2, 'T', &day) || !take_number(&at, 2, ':', &hour) ||
        !take_number(&at, 2, ':', &minute) || !take_number(&at, 2, '.', &second) ||
        !take_number(&at, 3, 'Z', &ms))
        return false;
    if (year < 1970 || month < 1 || month > 12 || day < 1)
        return false;
    months = month > 2 ? month - 3 : month + MARCH_MONTHS - 1;
    year -= month > 2 ? 0 : 1;
    days = 365 * year + year / 4 - year / 100 + year / 400 + DAYS_OF_MONTHS(months) + day - 1;
    days -= DAYS_TO_1970; /* not below it: the year is at least 1970 */
    day_ms = hour * 3600000 + minute * 60000 + second * 1000 + ms;
    if (days > (UINT64_MAX - day_ms) / DAY_MS)
        return false;
    *unix_ms = days * DAY_MS + day_ms;

    /* Nearly all are plainly right, and there are millions to be read. */
    if (is_usual_form(text, at) && day <= 28 && hour < 24 && minute < 60 && second < 60)
        return true;
    /* One moment, one text: this catches 30 February, 24:00 and lost zeros. */
    eds_instant_format(again, *unix_ms);
    return strcmp(again, text) == 0;
}

bool eds_instant_parse_any(uint64_t *unix_ms, const char *text)
{
    static const char end[] = ".000Z";
    size_t size = strlen(text);
    char whole[EDS_INSTANT_SIZE];

    if (eds_instant_parse(unix_ms, text))
        return true;
    if (size == 0 || text[size - 1] != 'Z' || size - 1 + sizeof end > sizeof whole)
        return false;
    memcpy(whole, text, size - 1);
    memcpy(whole + size - 1, end, sizeof end);
    return eds_instant_parse(unix_ms, whole);
}
