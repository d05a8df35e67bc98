/* test_objects_ledger.c - a ledger that keeps the payloads itself keeps the
 * promises of a store of payloads.
 *
 * A payload travels in a commit there, so each put is a record of a device of
 * its own; one lock stands for the one committer. */
#include "base/features.h"
#include "store/objects_conformance.h"

#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/record.h"
#include "support/temp_dir.h"

struct ledger_objects {
    struct eds_objects base;
    struct eds_ledger *ledger;
    bool owned;
};

static pthread_mutex_t committer = PTHREAD_MUTEX_INITIALIZER;
static struct eds_ledger *memory; /* what has to outlive a close */
static char directory[EDS_TEMP_DIR_SIZE];
static unsigned device_count;

static int32_t commit(struct eds_ledger *ledger, const struct eds_object_put *put,
                      struct eds_error *err)
{
    struct eds_entry entry = {.record = {.sequence = 1}};
    struct eds_append append = {
        .entry = &entry, .payload = put->payload, .payload_size = put->payload_size};
    struct eds_commit all = {.appends = &append, .append_count = 1};
    uint8_t stored[EDS_HASH_SIZE];
    int32_t rc = ledger->ops->object(ledger, put->name.object_ref, stored, err);

    snprintf((char *)entry.record.device_id, sizeof entry.record.device_id, "device-%u",
             device_count++);
    strcpy((char *)entry.record.object_ref, put->name.object_ref);
    memcpy(entry.record.payload_hash, put->name.payload_hash, EDS_HASH_SIZE);
    if (rc == EDS_OK && memcmp(stored, put->name.payload_hash, sizeof stored) != 0)
        return eds_error_set(err, EDS_ERR_EXISTS, "taken");
    if (put->only_look)
        return rc;
    if (rc == EDS_OK || rc == EDS_ERR_NOT_FOUND)
        rc = eds_record_digest(append.record_hash, &entry.record);
    return rc == EDS_OK ? ledger->ops->commit(ledger, &all, err) : rc;
}

static void put_in_commit(struct eds_objects *objects, struct eds_object_put *put)
{
    pthread_mutex_lock(&committer);
    put->rc = commit(((struct ledger_objects *)objects)->ledger, put, &put->err);
    pthread_mutex_unlock(&committer);
    put->done(put);
}

static int32_t get(struct eds_objects *objects, const struct eds_object_name *name, void **out,
                   size_t *out_size, struct eds_error *err)
{
    EdsAuditRecord record = {.sequence = 1};

    strcpy((char *)record.object_ref, name->object_ref);
    memcpy(record.payload_hash, name->payload_hash, EDS_HASH_SIZE);
    return eds_payload_get(((struct ledger_objects *)objects)->ledger, NULL, &record, out, out_size,
                           err);
}

static void close_objects(struct eds_objects *objects)
{
    struct ledger_objects *own = (struct ledger_objects *)objects;

    if (own->owned)
        own->ledger->ops->close(own->ledger);
    free(own);
}

static struct eds_objects *wrap(struct eds_ledger *ledger, bool owned)
{
    static const struct eds_objects_ops ops = {
        .name = "ledger", .put = put_in_commit, .get = get, .close = close_objects};
    struct ledger_objects *objects = calloc(1, sizeof *objects);

    if (objects == NULL || ledger == NULL)
        abort();
    *objects = (struct ledger_objects){{.ops = &ops}, ledger, owned};
    return &objects->base;
}

static struct eds_ledger *open_ledger(const char *url)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err;

    if (eds_ledger_open(&ledger, url, &err) != EDS_OK)
        fprintf(stderr, "%s\n", err.text);
    return ledger;
}

static struct eds_objects *open_memory(void)
{
    if (memory == NULL)
        memory = open_ledger("memory:");
    return wrap(memory, false);
}

static void clean_memory(void)
{
    memory->ops->close(memory);
    memory = NULL;
}

static struct eds_objects *open_sqlite(void)
{
    char url[EDS_TEMP_DIR_SIZE + 32];

    if (directory[0] == '\0')
        temp_dir_make(directory);
    snprintf(url, sizeof url, "sqlite:%s/ledger.db", directory);
    return wrap(open_ledger(url), true);
}

static void clean_sqlite(void)
{
    temp_dir_remove(directory);
    directory[0] = '\0';
}

int main(void)
{
    const struct objects_place in_memory = {"memory", open_memory, clean_memory, NULL};
    const struct objects_place in_sqlite = {"sqlite", open_sqlite, clean_sqlite, NULL};
    int failed = objects_conformance_run(&in_memory);

    return failed + (EDS_STORE_SQLITE ? objects_conformance_run(&in_sqlite) : 0);
}
