/* reader.h - the devices of a file, one after the other, in constant memory.
 *
 *   csv     a header row with the fields' names, then a row a key; the rows of a
 *           device follow each other
 *   json    an array of objects, or {"devices": [...]} as "device list --json"
 *           prints it
 *   ndjson  one object a line
 *
 * Form: docs/SPEC.md. */
#ifndef EDS_FLEET_READER_H
#define EDS_FLEET_READER_H

#include "fleet/csv.h"
#include "fleet/entry.h"

enum eds_fleet_format { EDS_FLEET_CSV, EDS_FLEET_JSON, EDS_FLEET_NDJSON, EDS_FLEET_GUESS };

/* The longest text of one device, or of a row. */
#define EDS_FLEET_TEXT_MAX 65536u /* bytes */

/* About 140 KiB: on the heap, please. */
struct eds_fleet_reader {
    enum eds_fleet_format format; /* never GUESS after the first device */
    ptrdiff_t (*read)(void *context, void *buf, size_t size);
    void *context;

    size_t start, end; /* bytes not consumed yet: [start, end) of buf */
    uint64_t consumed; /* bytes of the file before start: for progress */
    uint64_t line, column;
    bool at_end, begun, broken;
    int32_t rc; /* EDS_ERR_IO stays */

    /* CSV: */
    char separator;
    enum eds_fleet_field columns[EDS_CSV_CELLS_MAX];
    size_t column_count;
    struct eds_csv_row row; /* read, and not taken yet if has_row */
    bool has_row;
    uint64_t row_line;
    size_t id_column;
    struct eds_fleet_entry entry; /* whose rows are being read, if has_entry */
    bool has_entry, entry_is_bad;

    /* JSON: */
    bool in_object; /* {"devices": [ */
    uint64_t count;

    char buf[2 * EDS_FLEET_TEXT_MAX + 1];
};

/* eds_fleet_reader_init prepares a reader.
 *
 *   read  fills up to size bytes and returns how many; 0 at the end; -1 on error
 *         with errno set */
void eds_fleet_reader_init(struct eds_fleet_reader *reader, enum eds_fleet_format format,
                           ptrdiff_t (*read)(void *context, void *buf, size_t size), void *context);

/* eds_fleet_reader_next gives the next device, whose keys are good keys, at least
 * one.
 *
 * EDS_OK; EDS_ERR_NOT_FOUND at the end; EDS_ERR_IO when reading fails; anything
 * else is a fault of one device or row, *err says where and what, and the next
 * call goes on with the next one; reader->broken says that there is none, as
 * nothing tells where it would begin. */
int32_t eds_fleet_reader_next(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                              struct eds_error *err);

/* For reader.c's own files: what the two kinds of files have in common. */
bool eds_fleet_read_more(struct eds_fleet_reader *reader, struct eds_error *err);
void eds_fleet_consume(struct eds_fleet_reader *reader, size_t size);
int32_t eds_fleet_next_row(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                           struct eds_error *err);
int32_t eds_fleet_next_object(struct eds_fleet_reader *reader, struct eds_fleet_entry *out,
                              struct eds_error *err);

#endif
