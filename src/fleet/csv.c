/* csv.c - see csv.h. */
#include "fleet/csv.h"

#include <string.h>

/* Where in a row the next byte is. */
enum place {
    AT_START, /* of a cell */
    IN_PLAIN, /* in one without quotes */
    IN_QUOTES,
    AFTER_QUOTE, /* the end of it, or half of a quote that is meant */
};

/* What a byte is wrong for at a place, or NULL. */
static const char *fault_of(enum place place, char c, char separator)
{
    if (c == '\0')
        return "a NUL byte (a file in UTF-16 has to be saved as UTF-8)";
    if (place == IN_PLAIN && c == '"')
        return "a quote inside a cell that does not begin with one; put the cell in quotes, and "
               "write each quote in it twice";
    if (place == AFTER_QUOTE && c != '"' && c != separator && c != '\r' && c != '\n')
        return "after a cell in quotes the next cell or line has to come";
    return NULL;
}

static enum place step(enum place place, char c, char separator)
{
    if (place == IN_QUOTES)
        return c == '"' ? AFTER_QUOTE : IN_QUOTES;
    if (c == '"')
        return IN_QUOTES; /* a cell's first, or the second of two */
    return c == separator ? AT_START : IN_PLAIN;
}

int32_t eds_csv_measure(const char *text, size_t size, bool at_end, char separator,
                        size_t *row_size, struct eds_csv_fault *fault)
{
    enum place place = AT_START;

    for (size_t i = 0; i < size; i++) {
        char c = text[i];

        *fault = (struct eds_csv_fault){fault_of(place, c, separator), i};
        if (fault->what != NULL)
            return EDS_ERR_MALFORMED;
        if (place != IN_QUOTES && c == '\r') {
            if (i + 1 == size && !at_end)
                return EDS_ERR_TRUNCATED;
            if (i + 1 == size || text[i + 1] != '\n') {
                fault->what = "a carriage return alone; lines end with LF or CRLF";
                return EDS_ERR_MALFORMED;
            }
            c = text[++i];
        }
        if (place != IN_QUOTES && c == '\n') {
            *row_size = i + 1;
            return EDS_OK;
        }
        place = step(place, c, separator);
    }
    if (!at_end)
        return EDS_ERR_TRUNCATED;
    *row_size = size;
    *fault = (struct eds_csv_fault){"the file ends inside a cell in quotes", size};
    return place == IN_QUOTES ? EDS_ERR_MALFORMED : EDS_OK;
}

/* Moves the cell at *at down over its quotes and ends it; *at is then behind what
 * separates it from the next. */
static void take_quoted(char **at, const char *end)
{
    char *out = *at, *in = *at + 1;

    while (in < end && (*in != '"' || (in + 1 < end && in[1] == '"'))) {
        if (*in == '"')
            in++;
        *out++ = *in++;
    }
    *out = '\0';
    *at = in + 2; /* the quote, and the separator or end */
}

int32_t eds_csv_split(struct eds_csv_row *out, char *row, size_t size, char separator)
{
    char *at = row, *end = row + size;

    if (end > row && end[-1] == '\n')
        end--;
    if (end > row && end[-1] == '\r' && row[size - 1] == '\n')
        end--;
    out->count = 0;
    do {
        if (out->count == EDS_CSV_CELLS_MAX)
            return EDS_ERR_TOO_LARGE;
        out->cells[out->count++] = at;
        if (at < end && *at == '"') {
            take_quoted(&at, end);
        } else {
            char *stop = memchr(at, separator, (size_t)(end - at));

            if (stop == NULL)
                stop = end;
            *stop = '\0';
            at = stop + 1;
        }
    } while (at <= end);
    return EDS_OK;
}
