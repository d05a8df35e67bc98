/* objects.c - which store of payloads a URL means; waiting; reading. */
#include "store/objects.h"

#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/features.h"
#include "store/objects_directory.h"
#if EDS_POSTGRES
#include "store/ledger_postgres_objects.h"
#endif
#if EDS_S3
#include "store/s3.h"
#endif

int32_t eds_objects_open(struct eds_objects **out, const char *url, bool read_only,
                         struct eds_error *err)
{
    *out = NULL;
    if (strncmp(url, "file:", 5) == 0)
        return eds_directory_open(out, url + 5, read_only ? EDS_DIRECTORY_READ : EDS_DIRECTORY_NOW,
                                  err);
    if (strncmp(url, "s3://", 5) == 0) {
#if EDS_S3
        return eds_s3_open(out, url, read_only, err);
#else
        return eds_error_set(err, EDS_ERR_UNSUPPORTED,
                             "cannot open '%s': this build has no S3 (EDS_S3)", url);
#endif
    }
    return eds_error_set(err, EDS_ERR_USAGE,
                         "unknown store of payloads '%s': expected file:DIR or "
                         "s3://BUCKET/PREFIX?endpoint=URL",
                         url);
}

int32_t eds_objects_open_beside(struct eds_objects **out, const char *ledger_path, bool read_only,
                                struct eds_error *err)
{
    const char *slash = strrchr(ledger_path, '/');
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%.*sobjects",
                        slash != NULL ? (int)(slash - ledger_path) + 1 : 0, ledger_path);

    *out = NULL;
    if (size < 0 || (size_t)size >= sizeof path)
        return eds_error_set(err, EDS_ERR_USAGE, "the path %s is too long", ledger_path);
    return eds_directory_open(out, path, read_only ? EDS_DIRECTORY_READ : EDS_DIRECTORY_LATER, err);
}

int32_t eds_objects_open_postgres(struct eds_objects **out, const char *ledger_url, bool read_only,
                                  struct eds_error *err)
{
    *out = NULL;
#if EDS_POSTGRES
    return eds_postgres_objects_open(out, ledger_url, read_only, err);
#else
    (void)ledger_url;
    (void)read_only;
    return eds_error_set(err, EDS_ERR_UNSUPPORTED, "this build has no PostgreSQL (EDS_POSTGRES)");
#endif
}

/* Somebody who waits for one put. */
struct waiter {
    pthread_mutex_t lock;
    pthread_cond_t answered;
    bool is_answered;
};

static void wake(struct eds_object_put *put)
{
    struct waiter *waiter = put->context;

    /* Signalled under the lock: afterwards the waiter may be gone. */
    pthread_mutex_lock(&waiter->lock);
    waiter->is_answered = true;
    pthread_cond_signal(&waiter->answered);
    pthread_mutex_unlock(&waiter->lock);
}

int32_t eds_objects_put_wait(struct eds_objects *objects, struct eds_object_put *put)
{
    struct waiter waiter = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false};

    put->done = wake;
    put->context = &waiter;
    objects->ops->put(objects, put);
    pthread_mutex_lock(&waiter.lock);
    while (!waiter.is_answered)
        pthread_cond_wait(&waiter.answered, &waiter.lock);
    pthread_mutex_unlock(&waiter.lock);
    pthread_mutex_destroy(&waiter.lock);
    pthread_cond_destroy(&waiter.answered);
    return put->rc;
}

int32_t eds_objects_get(struct eds_objects *objects, const struct eds_object_name *name, void **out,
                        size_t *out_size, struct eds_error *err)
{
    int32_t rc = EDS_ERR_NOT_FOUND;

    for (; rc == EDS_ERR_NOT_FOUND && objects != NULL; objects = objects->fallback)
        rc = objects->ops->get(objects, name, out, out_size, err);
    return rc;
}

int32_t eds_payload_get(struct eds_ledger *ledger, struct eds_objects *objects,
                        const EdsAuditRecord *record, void **out, size_t *out_size,
                        struct eds_error *err)
{
    struct eds_object_name name = {.object_ref = (const char *)record->object_ref};
    int32_t rc = ledger->ops->payload(ledger, name.object_ref, out, out_size, err);

    if (rc != EDS_ERR_NOT_FOUND || objects == NULL)
        return rc;
    memcpy(name.payload_hash, record->payload_hash, sizeof name.payload_hash);
    return eds_objects_get(objects, &name, out, out_size, err);
}
