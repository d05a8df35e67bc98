/* store_log_file.c - the log in a file, by its URL. */
#include <errno.h>
#include <stdlib.h>

#include "device/store.h"
#include "device/store_log.h"

/* PATH, or PATH?size=BYTES. */
static int32_t take_size(const char *url, size_t *path_size, uint64_t *size, struct eds_error *err)
{
    const char *option = strstr(url, "?size=");
    char *end;
    unsigned long long number;

    *path_size = option != NULL ? (size_t)(option - url) : strlen(url);
    *size = EDS_LOG_SIZE_DEFAULT;
    if (*path_size == 0 || url[*path_size - 1] == '/')
        return eds_error_set(err, EDS_ERR_USAGE, "log:%s names no file", url);
    if (option == NULL)
        return EDS_OK;
    option += strlen("?size=");
    errno = 0;
    number = strtoull(option, &end, 10);
    if (*option < '0' || *option > '9' || *end != '\0' || errno != 0 || number < EDS_LOG_SIZE_MIN ||
        number > EDS_LOG_SIZE_MAX)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "log:%s: a size is a number of bytes from %u to %llu", url,
                             EDS_LOG_SIZE_MIN, EDS_LOG_SIZE_MAX);
    *size = number & ~(uint64_t)0xfff;
    while (eds_ring_sector_size(*size) == 0) /* whole sectors */
        *size -= 4096;
    return EDS_OK;
}

int32_t eds_buffer_log_open(struct eds_buffer_store **out, const char *url, struct eds_error *err)
{
    struct eds_log_io *io = NULL;
    size_t path_size;
    uint64_t size;
    char *path;
    int32_t rc = take_size(url, &path_size, &size, err);

    if (rc != EDS_OK)
        return rc;
    path = malloc(path_size + 1);
    if (path == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the offline buffer");
    memcpy(path, url, path_size);
    path[path_size] = '\0';
    rc = eds_log_io_file(&io, path, size, err);
    free(path);
    return rc == EDS_OK ? eds_buffer_log_open_io(out, io, err) : rc;
}
