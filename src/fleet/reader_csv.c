/* reader_csv.c - devices out of the rows of a CSV file.
 *
 * A row is one key.  Rows of one device follow each other: a device is complete
 * when another id comes, so one row is read ahead.  A fault of a row is said when
 * it is met; the device's other rows are then read for their own faults only. */
#include <string.h>

#include "base/text.h"
#include "fleet/reader.h"

static int32_t break_off(struct eds_fleet_reader *reader, size_t at, const char *what,
                         struct eds_error *err)
{
    reader->broken = true;
    eds_fleet_consume(reader, at);
    return eds_error_set(err, EDS_ERR_MALFORMED, "line %llu column %llu: %s; reading stopped here",
                         (unsigned long long)reader->line, (unsigned long long)reader->column,
                         what);
}

/* The same where the row is read already. */
static int32_t refuse_row(struct eds_fleet_reader *reader, const char *what, struct eds_error *err)
{
    reader->broken = true;
    return eds_error_set(err, EDS_ERR_MALFORMED, "line %llu: %s; reading stopped here",
                         (unsigned long long)reader->row_line, what);
}

/* Reads the next row that is not empty into reader->row.  EDS_ERR_NOT_FOUND. */
static int32_t read_row(struct eds_fleet_reader *reader, struct eds_error *err)
{
    struct eds_csv_fault fault;
    size_t size;
    int32_t rc;

    do {
        do {
            rc = eds_csv_measure(reader->buf + reader->start, reader->end - reader->start,
                                 reader->at_end, reader->separator, &size, &fault);
        } while (rc == EDS_ERR_TRUNCATED &&
                 (eds_fleet_read_more(reader, err) || (reader->at_end && reader->rc == EDS_OK)));
        if (reader->rc != EDS_OK)
            return reader->rc;
        if (rc == EDS_ERR_TRUNCATED || (rc == EDS_OK && size > EDS_FLEET_TEXT_MAX))
            return break_off(reader, 0, "a row of more than 65536 bytes", err);
        if (rc != EDS_OK)
            return break_off(reader, fault.at, fault.what, err);
        if (size == 0)
            return EDS_ERR_NOT_FOUND;
        reader->row_line = reader->line;
        eds_fleet_consume(reader, size);
        if (eds_csv_split(&reader->row, reader->buf + reader->start - size, size,
                          reader->separator) != EDS_OK)
            return refuse_row(reader, "more than 32 cells", err);
    } while (reader->row.count == 1 && reader->row.cells[0][0] == '\0');
    return EDS_OK;
}

/* The first of these that comes: names have none of them. */
static char find_separator(const struct eds_fleet_reader *reader)
{
    for (size_t i = reader->start; i < reader->end && reader->buf[i] != '\n'; i++)
        if (strchr(",;\t", reader->buf[i]) != NULL && reader->buf[i] != '\0')
            return reader->buf[i];
    return ',';
}

/* Bytes from outside, so that they can neither end the line nor move a terminal's
 * cursor. */
static void say_clean(struct eds_text *text, const char *cell)
{
    for (size_t i = 0; i < 32 && cell[i] != '\0'; i++)
        eds_text_char(text, cell[i] >= ' ' && cell[i] <= '~' ? cell[i] : '?');
}

static int32_t take_column(struct eds_fleet_reader *reader, const char *name, struct eds_error *err)
{
    char words[EDS_ERROR_TEXT_SIZE];
    struct eds_text text;
    enum eds_fleet_field field = 0;

    while (field < EDS_FLEET_FIELD_COUNT && strcmp(eds_fleet_field_names[field], name) != 0)
        field++;
    for (size_t i = 0; i < reader->column_count; i++)
        if (reader->columns[i] == field)
            return refuse_row(reader, "the header names a column twice", err);
    if (field < EDS_FLEET_FIELD_COUNT) {
        reader->columns[reader->column_count++] = field;
        return EDS_OK;
    }
    eds_text_begin(&text, words, sizeof words);
    eds_text_string(&text, "the header has to name columns, and \"");
    say_clean(&text, name);
    eds_text_string(&text, "\" is none of");
    for (size_t i = 0; i < EDS_FLEET_FIELD_COUNT; i++) {
        eds_text_string(&text, i == 0 ? " " : ", ");
        eds_text_string(&text, eds_fleet_field_names[i]);
    }
    return refuse_row(reader, words, err);
}

static bool has_column(const struct eds_fleet_reader *reader, enum eds_fleet_field field,
                       size_t *at)
{
    for (*at = 0; *at < reader->column_count; ++*at)
        if (reader->columns[*at] == field)
            return true;
    return false;
}

static int32_t read_header(struct eds_fleet_reader *reader, struct eds_error *err)
{
    size_t key_column;
    int32_t rc;

    reader->begun = true;
    reader->separator = find_separator(reader);
    rc = read_row(reader, err);
    for (size_t i = 0; rc == EDS_OK && i < reader->row.count; i++)
        rc = take_column(reader, reader->row.cells[i], err);
    if (rc == EDS_OK && (!has_column(reader, EDS_FLEET_PUBLIC_KEY, &key_column) ||
                         !has_column(reader, EDS_FLEET_DEVICE_ID, &reader->id_column)))
        rc = refuse_row(reader, "the header has to name at least device_id and public_key", err);
    if (rc == EDS_ERR_NOT_FOUND)
        rc = break_off(reader, 0, "the file is empty; even one without devices has a header", err);
    return rc;
}

/* The device's name as far as it can be shown, so that a fault can be found. */
static int32_t fail_cell(struct eds_fleet_reader *reader, const char *name,
                         const struct eds_error *why, struct eds_error *err)
{
    reader->entry_is_bad = true;
    return eds_error_set(err, why->code, "line %llu, %s: %s", (unsigned long long)reader->row_line,
                         name, why->text);
}

/* A later row of a device says of the device what its first one says, or nothing. */
static int32_t check_same(const struct eds_fleet_reader *reader, enum eds_fleet_field field,
                          const char *cell, struct eds_fleet_entry *scratch, struct eds_error *err)
{
    const struct eds_enrolment *first = &reader->entry.it;
    const struct eds_enrolment *now = &scratch->it;
    int32_t rc;

    if (cell[0] == '\0')
        return EDS_OK;
    rc = eds_fleet_set(scratch, field, cell, err);
    if (rc != EDS_OK)
        return rc;
    if ((field == EDS_FLEET_SITE && strcmp(first->site, now->site) != 0) ||
        (field == EDS_FLEET_COHORT && strcmp(first->cohort, now->cohort) != 0) ||
        (field == EDS_FLEET_FIRMWARE && strcmp(first->firmware, now->firmware) != 0) ||
        (field == EDS_FLEET_ATTEST && first->attest_required != now->attest_required) ||
        (field == EDS_FLEET_STATE && first->state != now->state))
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "not what line %llu says of the same device; a further key's row may "
                             "leave it empty",
                             (unsigned long long)reader->entry.line);
    return EDS_OK;
}

/* Takes the row that was read into the entry. */
static int32_t take_row(struct eds_fleet_reader *reader, struct eds_error *err)
{
    struct eds_fleet_entry *entry = &reader->entry, scratch;
    bool is_first = !reader->has_entry;
    struct eds_error why;
    int32_t rc;

    if (is_first) {
        eds_fleet_entry_begin(entry, reader->row_line);
        reader->has_entry = true;
        reader->entry_is_bad = false;
    } else {
        eds_fleet_entry_begin(&scratch, reader->row_line);
    }
    reader->has_row = false;
    rc = eds_fleet_key_begin(entry, &why);
    if (rc != EDS_OK)
        return fail_cell(reader, "public_key", &why, err);
    for (size_t i = 0; i < reader->column_count; i++) {
        enum eds_fleet_field field = reader->columns[i];
        const char *cell = reader->row.cells[i];

        if (is_first || eds_fleet_is_key_field(field))
            rc = eds_fleet_set(entry, field, cell, &why);
        else
            rc = check_same(reader, field, cell, &scratch, &why);
        if (rc != EDS_OK)
            return fail_cell(reader, eds_fleet_field_names[field], &why, err);
    }
    rc = eds_fleet_key_end(entry, &why);
    return rc == EDS_OK ? EDS_OK : fail_cell(reader, "public_key", &why, err);
}

/* Reads a row ahead; a fault of its form is told here. */
static int32_t look_ahead(struct eds_fleet_reader *reader, struct eds_error *err)
{
    int32_t rc = reader->has_row ? EDS_OK : read_row(reader, err);

    if (rc != EDS_OK || reader->has_row)
        return rc;
    if (reader->row.count != reader->column_count)
        return eds_error_set(
            err, EDS_ERR_MALFORMED, "line %llu: %zu cells, and the header names %zu columns",
            (unsigned long long)reader->row_line, reader->row.count, reader->column_count);
    reader->has_row = true;
    return EDS_OK;
}

int32_t eds_fleet_next_row(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                           struct eds_error *err)
{
    int32_t rc = reader->begun ? EDS_OK : read_header(reader, err);

    while (rc == EDS_OK) {
        bool goes_on;

        rc = look_ahead(reader, err);
        if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
            return rc;
        goes_on = rc == EDS_OK && reader->has_entry && reader->entry.it.id[0] != '\0' &&
                  strcmp(reader->row.cells[reader->id_column], reader->entry.it.id) == 0;
        if (reader->has_entry && !goes_on) {
            reader->has_entry = false;
            if (!reader->entry_is_bad) {
                *out = reader->entry;
                return EDS_OK;
            }
        }
        if (rc == EDS_OK)
            rc = take_row(reader, err);
    }
    return rc;
}
