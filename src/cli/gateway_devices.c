/* gateway_devices.c - see gateway_devices.h.
 *
 * A file is read twice: first it is held to its form, and only one without a fault
 * changes anything.  Both times out of the same bytes, whatever becomes of the file
 * meanwhile. */
#include "cli/gateway_devices.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/log.h"
#include "cli/file.h"
#include "fleet/reader.h"

#define FILE_SIZE_MAX (256u << 20) /* bytes */

/* Bytes in memory, for a reader. */
struct text {
    const char *bytes;
    size_t size, at;
};

static ptrdiff_t read_text(void *context, void *buf, size_t size)
{
    struct text *text = context;
    size_t left = text->size - text->at;

    if (size > left)
        size = left;
    memcpy(buf, text->bytes + text->at, size);
    text->at += size;
    return (ptrdiff_t)size;
}

static int64_t changed_ns(const char *path)
{
    struct stat status;

    if (stat(path, &status) != 0)
        return 0;
    return (int64_t)status.st_mtim.tv_sec * 1000000000 + status.st_mtim.tv_nsec;
}

static void free_ids(char **ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(ids[i]);
    free(ids);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What one walk through a file does with each device: count it, or take it. */
struct walk {
    struct eds_registry *registry; /* NULL: only count */
    char **ids;
    size_t count;
};

static int32_t take(struct walk *walk, const struct eds_fleet_entry *entry, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (walk->registry != NULL) {
        rc = eds_registry_put(walk->registry, &entry->it, err);
        walk->ids[walk->count] = rc == EDS_OK ? strdup(entry->it.id) : NULL;
        if (rc == EDS_OK && walk->ids[walk->count] == NULL)
            rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for devices");
    }
    walk->count += rc == EDS_OK;
    return rc;
}

static int32_t walk_text(struct walk *walk, const char *bytes, size_t size, struct eds_error *err)
{
    struct text text = {.bytes = bytes, .size = size};
    struct eds_fleet_reader *reader = malloc(sizeof *reader);
    struct eds_fleet_entry *entry = malloc(sizeof *entry);
    int32_t rc = EDS_OK;

    if (reader == NULL || entry == NULL)
        rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for devices");
    else
        eds_fleet_reader_init(reader, EDS_FLEET_GUESS, read_text, &text);
    while (rc == EDS_OK) {
        rc = eds_fleet_reader_next(reader, entry, err);
        if (rc == EDS_OK)
            rc = take(walk, entry, err);
    }
    free(reader);
    free(entry);
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

/* Devices of the file before that are not in this one. */
static void retire(struct eds_gateway_devices *devices, char **ids, size_t count)
{
    for (size_t i = 0; i < devices->id_count; i++)
        if (count == 0 || bsearch(&devices->ids[i], ids, count, sizeof *ids, by_text) == NULL)
            (void)eds_registry_set_state(devices->registry, devices->ids[i], EDS_DEVICE_RETIRED);
}

static int32_t put_all(struct eds_gateway_devices *devices, const char *bytes, size_t size,
                       size_t count, struct eds_error *err)
{
    struct walk walk = {.registry = devices->registry,
                        .ids = calloc(count > 0 ? count : 1, sizeof *walk.ids)};
    int32_t rc;

    if (walk.ids == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for devices");
    rc = walk_text(&walk, bytes, size, err);
    if (rc != EDS_OK) {
        free_ids(walk.ids, walk.count);
        return rc;
    }
    qsort(walk.ids, walk.count, sizeof *walk.ids, by_text);
    retire(devices, walk.ids, walk.count);
    free_ids(devices->ids, devices->id_count);
    devices->ids = walk.ids;
    devices->id_count = walk.count;
    return EDS_OK;
}

static int32_t load(struct eds_gateway_devices *devices, struct eds_error *err)
{
    struct walk walk = {.registry = NULL};
    char *bytes = NULL;
    size_t size;
    struct eds_error why;
    int32_t rc;

    devices->changed_ns = changed_ns(devices->path);
    rc = eds_file_read(devices->path, FILE_SIZE_MAX, &bytes, &size, err);
    if (rc != EDS_OK)
        return rc;
    rc = walk_text(&walk, bytes, size, &why);
    if (rc == EDS_OK && walk.count == 0) /* perhaps it is being written */
        rc = eds_error_set(&why, EDS_ERR_MALFORMED, "there is no device in it");
    if (rc == EDS_OK)
        rc = put_all(devices, bytes, size, walk.count, &why);
    if (rc != EDS_OK)
        eds_error_set(err, rc, "%s: %s", devices->path, why.text);
    free(bytes);
    return rc;
}

int32_t eds_gateway_devices_open(struct eds_gateway_devices *devices, const char *path,
                                 struct eds_registry *registry, struct eds_error *err)
{
    *devices = (struct eds_gateway_devices){.registry = registry, .path = path};
    return load(devices, err);
}

void eds_gateway_devices_reload(struct eds_gateway_devices *devices, bool asked)
{
    struct eds_error err;

    if (devices->path == NULL || (!asked && changed_ns(devices->path) == devices->changed_ns))
        return;
    if (load(devices, &err) != EDS_OK)
        EDS_LOG(EDS_LOG_ERROR, "devices_reload_failed", EDS_LOG_STRING("error", err.text),
                EDS_LOG_STRING("remedy", "the devices before are still in use"));
    else
        EDS_LOG(EDS_LOG_INFO, "devices_reloaded", EDS_LOG_STRING("file", devices->path),
                EDS_LOG_NUMBER("devices", devices->id_count));
}

void eds_gateway_devices_close(struct eds_gateway_devices *devices)
{
    free_ids(devices->ids, devices->id_count);
    *devices = (struct eds_gateway_devices){.path = NULL};
}
