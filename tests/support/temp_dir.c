/* temp_dir.c - see temp_dir.h. */
#include "support/temp_dir.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void temp_dir_make(char path[EDS_TEMP_DIR_SIZE])
{
    const char *root = getenv("TMPDIR");

    snprintf(path, EDS_TEMP_DIR_SIZE, "%s/eds-test-XXXXXX", root != NULL ? root : "/tmp");
    if (mkdtemp(path) == NULL) {
        perror(path);
        exit(1);
    }
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
    (void)status;
    (void)kind;
    (void)walk;
    return remove(path);
}

void temp_dir_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
