/* record_file.h - one record in a JSON file of its own. */
#ifndef EDS_CLI_RECORD_FILE_H
#define EDS_CLI_RECORD_FILE_H

#include "edgesentry/json.h"

/* eds_record_file_read reads a file ("-": standard input) that holds one
 * record.  EDS_ERR_IO and the errors of eds_json_entry_decode. */
int32_t eds_record_file_read(struct eds_entry *out, const char *path, struct eds_error *err);

/* eds_record_file_write writes a record as the original does: pretty, with a
 * newline behind it on standard output (path NULL or "-") and none in a file. */
int32_t eds_record_file_write(const struct eds_entry *entry, const char *path,
                              struct eds_error *err);

#endif
