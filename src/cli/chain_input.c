/* chain_input.c - see chain_input.h.
 *
 * A pipe cannot be read twice, so what was looked at is kept and given to the
 * real reader before the rest of the file. */
#include "cli/chain_input.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/file.h"

#define BUFFER_SIZE (4u * EDS_JSON_ENTRY_TEXT_MAX)  /* the reader's */
#define AHEAD_SIZE  (EDS_JSON_ENTRY_TEXT_MAX + 64u) /* the longest record, and '[' */

const char *const eds_chain_format_names[] = {"array", "ndjson", "compact", NULL};

enum eds_chain_format eds_chain_format_parse(const char *name)
{
    enum eds_chain_format format = EDS_CHAIN_ARRAY;

    while (strcmp(eds_chain_format_names[format], name) != 0) {
        format++;
        assert(eds_chain_format_names[format] != NULL); /* the parser let no other name through */
    }
    return format;
}

static char *ahead_of(const struct eds_chain_input *input)
{
    return input->memory + BUFFER_SIZE;
}

static ptrdiff_t read_ahead(void *context, void *buf, size_t size)
{
    struct eds_chain_input *input = context;
    size_t left = input->ahead_size - input->ahead_at;

    if (size > left)
        size = left;
    memcpy(buf, ahead_of(input) + input->ahead_at, size);
    input->ahead_at += size;
    return (ptrdiff_t)size;
}

static ptrdiff_t read_input(void *context, void *buf, size_t size)
{
    struct eds_chain_input *input = context;
    ptrdiff_t got = read_ahead(input, buf, size);

    return got > 0 ? got : eds_file_read_some(&input->fd, buf, size);
}

/* Fills the bytes to look at; a short read is not the end of a pipe. */
static int32_t fill_ahead(struct eds_chain_input *input, const char *path, struct eds_error *err)
{
    ptrdiff_t got = 1;

    while (input->ahead_size < AHEAD_SIZE && got > 0) {
        got = eds_file_read_some(&input->fd, ahead_of(input) + input->ahead_size,
                                 AHEAD_SIZE - input->ahead_size);
        if (got < 0)
            return eds_os_error(err, errno, path);
        input->ahead_size += (size_t)got;
    }
    return EDS_OK;
}

int32_t eds_chain_input_open(struct eds_chain_input *input, const char *path,
                             enum eds_chain_format format, struct eds_error *err)
{
    int32_t rc;

    memset(input, 0, sizeof *input);
    input->fd = -1;
    rc = eds_file_open(&input->fd, path, err);
    if (rc != EDS_OK)
        return rc;
    input->memory = malloc(BUFFER_SIZE + AHEAD_SIZE);
    if (input->memory == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    rc = fill_ahead(input, path, err);
    if (rc != EDS_OK)
        return rc;
    eds_chain_reader_init(&input->reader, format, read_ahead, input, input->memory, BUFFER_SIZE);
    input->has_first = eds_chain_reader_next(&input->reader, &input->first, NULL) == EDS_OK;
    input->ahead_at = 0;
    eds_chain_reader_init(&input->reader, format, read_input, input, input->memory, BUFFER_SIZE);
    return EDS_OK;
}

void eds_chain_input_close(struct eds_chain_input *input)
{
    eds_file_close(input->fd);
    free(input->memory);
    input->fd = -1;
    input->memory = NULL;
}
