/* file.h - reading files, and "-" for standard input.
 *
 * Errors are EDS_ERR_IO in the original's words with the file behind them:
 * "No such file or directory (os error 2): records.json". */
#ifndef EDS_CLI_FILE_H
#define EDS_CLI_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

/* eds_os_error fills *err from an errno value and returns EDS_ERR_IO. */
int32_t eds_os_error(struct eds_error *err, int error_number, const char *path);

/* eds_is_standard_stream tells the name "-". */
bool eds_is_standard_stream(const char *path);

/* eds_file_open opens a file for reading; 0 for "-".  Close with
 * eds_file_close, which leaves standard input open. */
int32_t eds_file_open(int *fd, const char *path, struct eds_error *err);
void eds_file_close(int fd);

/* eds_file_read_some is a read function for eds_chain_reader and its like;
 * context is a pointer to the descriptor. */
ptrdiff_t eds_file_read_some(void *context, void *buf, size_t size);

/* eds_file_read_fixed reads a whole file into the caller's buffer, without a
 * copy anywhere else, so that it may hold a secret.  EDS_ERR_TOO_LARGE if the
 * file has more than buf_size bytes.  On failure buf is wiped. */
int32_t eds_file_read_fixed(const char *path, char *buf, size_t buf_size, size_t *size,
                            struct eds_error *err);

/* eds_file_read reads a whole file of at most size_max bytes into memory that
 * the caller frees; *out has a NUL behind its last byte.  EDS_ERR_TOO_LARGE,
 * EDS_ERR_NO_MEMORY. */
int32_t eds_file_read(const char *path, size_t size_max, char **out, size_t *size,
                      struct eds_error *err);

#endif
