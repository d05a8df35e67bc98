/* passphrase.h - asking for the passphrase of a key file. */
#ifndef EDS_CLI_PASSPHRASE_H
#define EDS_CLI_PASSPHRASE_H

#include "cli/args.h"

#define EDS_PASSPHRASE_SIZE 1024u /* bytes, NUL included */

#define EDS_OPTION_PASSPHRASE_FILE                                                                 \
    {                                                                                              \
        .name = "passphrase-file", .value = "FILE",                                                \
        .help = "Take the passphrase from the first line of this file ('-': standard input) "      \
                "instead of EDS_PASSPHRASE or the terminal"                                        \
    }

/* eds_passphrase_get takes it from --passphrase-file, else from the variable
 * EDS_PASSPHRASE, else from the terminal without echo.
 *
 *   out       with a NUL behind it; wiped on failure; the caller wipes it after use
 *   is_new    ask twice, and refuse an empty one
 *
 * EDS_OK, EDS_ERR_USAGE (none to be had), EDS_ERR_MALFORMED (empty, or two
 * that differ), EDS_ERR_TOO_LARGE, EDS_ERR_IO. */
int32_t eds_passphrase_get(char out[EDS_PASSPHRASE_SIZE], size_t *size, const struct eds_args *args,
                           bool is_new, struct eds_error *err);

#endif
