/* when.c - see when.h. */
#include "cli/when.h"

#include <string.h>

#include "base/port.h"
#include "store/instant.h"

static bool parse_span(uint64_t *span_ms, const char *text)
{
    static const struct {
        char unit;
        uint64_t ms;
    } units[] = {{'s', 1000}, {'m', 60000}, {'h', 3600000}, {'d', 86400000}};
    uint64_t number = 0;
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 9 || strlen(text) != digits + 1)
        return false;
    for (size_t i = 0; i < digits; i++)
        number = number * 10 + (uint64_t)(text[i] - '0');
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (units[i].unit == text[digits]) {
            *span_ms = number * units[i].ms;
            return true;
        }
    return false;
}

int32_t eds_when_parse(uint64_t *unix_ms, const char *text, uint64_t now_ms, struct eds_error *err)
{
    uint64_t span_ms;

    if (strcmp(text, "now") == 0) {
        *unix_ms = now_ms;
        return EDS_OK;
    }
    if (text[0] == '+' && parse_span(&span_ms, text + 1)) {
        *unix_ms = now_ms + span_ms;
        return EDS_OK;
    }
    if (eds_instant_parse_any(unix_ms, text))
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_USAGE,
                         "expected 2026-11-22T00:00:00Z, now, or a span from now like +24h");
}

int32_t eds_check_when(const char *text, struct eds_error *err)
{
    uint64_t ignored;

    return eds_when_parse(&ignored, text, eds_port_time_ms(), err);
}
