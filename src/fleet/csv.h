/* csv.h - the rows of a CSV file, by RFC 4180.
 *
 * Cells stand in quotes or not; inside quotes a quote is written twice, and line
 * breaks mean themselves.  Lines end with LF or CRLF.  No heap. */
#ifndef EDS_FLEET_CSV_H
#define EDS_FLEET_CSV_H

#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

#define EDS_CSV_CELLS_MAX 32u

struct eds_csv_row {
    char *cells[EDS_CSV_CELLS_MAX]; /* NUL-terminated, in the text they came from */
    size_t count;
};

/* Where a row is broken: for the caller's words. */
struct eds_csv_fault {
    const char *what;
    size_t at; /* bytes from the row's beginning */
};

/* eds_csv_measure finds the end of the row at the front of a text.
 *
 *   at_end  nothing comes after size bytes
 *
 * EDS_OK and the row's size with its line break; EDS_ERR_TRUNCATED when more bytes
 * have to come (never at the end); EDS_ERR_MALFORMED and *fault. */
int32_t eds_csv_measure(const char *text, size_t size, bool at_end, char separator,
                        size_t *row_size, struct eds_csv_fault *fault);

/* eds_csv_split takes a row of that size apart in place; one byte after it is
 * written to where no line break ends it.  EDS_OK, or EDS_ERR_TOO_LARGE for more
 * cells than EDS_CSV_CELLS_MAX. */
int32_t eds_csv_split(struct eds_csv_row *out, char *row, size_t size, char separator);

#endif
