/* output.h - writing a file so that it is there whole or not at all.
 *
 * Bytes go to a temporary file beside the target, are synced, and take the
 * target's name in one step; a crash or a full disk leaves what was there
 * before.  "-" is standard output; a target that exists and is no regular
 * file (a pipe, a terminal, /dev/null) is written as it is; a symbolic link
 * is followed.  Errors as in file.h. */
#ifndef EDS_CLI_OUTPUT_H
#define EDS_CLI_OUTPUT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "edgesentry/error.h"

enum eds_output_kind {
    EDS_OUTPUT_PUBLIC,         /* 0644 less umask, or the old file's mode; replaces */
    EDS_OUTPUT_SECRET,         /* 0600; never replaces: EDS_ERR_EXISTS */
    EDS_OUTPUT_SECRET_REPLACE, /* 0600; replaces */
};

/* Open between eds_output_open and commit or discard.  About 24 KiB. */
struct eds_output {
    enum eds_output_kind kind;
    int fd;
    const char *name;         /* the caller's: for errors */
    char path[PATH_MAX];      /* the target, links followed */
    char temporary[PATH_MAX]; /* "": the target is written directly */
    size_t used;              /* bytes of buf */
    char buf[16384];          /* wiped when the output is closed */
};

int32_t eds_output_open(struct eds_output *output, const char *path, enum eds_output_kind kind,
                        struct eds_error *err);

int32_t eds_output_write(struct eds_output *output, const void *bytes, size_t size,
                         struct eds_error *err);

/* eds_output_commit makes the file durable under its name.  The output is
 * closed, whatever comes back; on failure as by eds_output_discard. */
int32_t eds_output_commit(struct eds_output *output, struct eds_error *err);

/* eds_output_discard closes and leaves the target as it was.  Nothing happens
 * to an output that was not opened (fd -1) or is closed already. */
void eds_output_discard(struct eds_output *output);

/* eds_output_file does all of it for bytes in memory. */
int32_t eds_output_file(const char *path, enum eds_output_kind kind, const void *bytes, size_t size,
                        struct eds_error *err);

#endif
