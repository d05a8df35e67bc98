/* record_file.c - see record_file.h. */
#include "cli/record_file.h"

#include <stdlib.h>

#include "cli/file.h"
#include "cli/output.h"

int32_t eds_record_file_read(struct eds_entry *out, const char *path, struct eds_error *err)
{
    char *text = NULL;
    size_t size = 0;
    int32_t rc = eds_file_read(path, EDS_JSON_ENTRY_TEXT_MAX, &text, &size, err);

    if (rc == EDS_OK)
        rc = eds_json_entry_decode(out, text, size, err);
    free(text);
    return rc;
}

int32_t eds_record_file_write(const struct eds_entry *entry, const char *path,
                              struct eds_error *err)
{
    char text[EDS_JSON_ENTRY_SIZE_MAX + 1];
    size_t size = eds_json_entry_encode(text, EDS_JSON_ENTRY_SIZE_MAX, entry, EDS_JSON_PRETTY, 0);

    if (size == 0)
        return eds_error_set(err, EDS_ERR_INVALID_UTF8, "a string of the record is not valid");
    if (path == NULL || eds_is_standard_stream(path))
        text[size++] = '\n';
    return eds_output_file(path != NULL ? path : "-", EDS_OUTPUT_PUBLIC, text, size, err);
}
