/* chain_input.h - a file of records as a command takes it: by name or from
 * standard input, in one of three shapes, with a look at its first record
 * before the real reading begins. */
#ifndef EDS_CLI_CHAIN_INPUT_H
#define EDS_CLI_CHAIN_INPUT_H

#include "cli/command.h"
#include "edgesentry/json.h"

#define EDS_OPTION_FORMAT(what)                                                                    \
    {                                                                                              \
        .name = "format", .value = "FORMAT", .fallback = "array",                                  \
        .choices = eds_chain_format_names, .help = (what)                                          \
    }

extern const char *const eds_chain_format_names[]; /* in the order of enum eds_chain_format */

/* eds_chain_format_parse reads one of those names. */
enum eds_chain_format eds_chain_format_parse(const char *name);

struct eds_chain_input {
    struct eds_chain_reader reader; /* ready to read from the first record on */
    struct eds_entry first;         /* valid if has_first */
    bool has_first;                 /* else empty or not readable: the reader says which */
    int fd;
    char *memory;                /* the reader's buffer and the bytes looked at */
    size_t ahead_at, ahead_size; /* bytes looked at but not read yet */
};

/* eds_chain_input_open opens a file ("-": standard input) and looks at its
 * first record.  EDS_ERR_IO, EDS_ERR_NO_MEMORY.  The input must not move
 * afterwards; eds_chain_input_close also after a failure. */
int32_t eds_chain_input_open(struct eds_chain_input *input, const char *path,
                             enum eds_chain_format format, struct eds_error *err);
void eds_chain_input_close(struct eds_chain_input *input);

#endif
