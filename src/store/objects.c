/* objects.c - which store of payloads a URL means; waiting; reading. */
#include "store/objects.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/features.h"
#include "base/latch.h"
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

static void set_latch(struct eds_object_put *put)
{
    eds_latch_set(put->context);
}

int32_t eds_objects_put_wait(struct eds_objects *objects, struct eds_object_put *put)
{
    struct eds_latch answered = EDS_LATCH_INITIAL;

    put->done = set_latch;
    put->context = &answered;
    objects->ops->put(objects, put);
    eds_latch_wait(&answered);
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
