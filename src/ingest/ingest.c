/* ingest.c - see ingest.h. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ingest/ingest_parts.h"

#define KEY_TABLES_MAX  512u
#define QUEUE_MAX       4096u
#define BATCH_MAX       1024u
#define BATCH_SIZE_MAX  (64u << 20) /* bytes */
#define HEADS_MAX       65536u
#define LISTED_MAX      1000u      /* rejections a second */
#define LISTED_MAX_EACH 100u       /* of one source */
#define COUNT_LIMIT     (1u << 24) /* of either: above this it is a mistake */
#define QUICK_NS        5000000u   /* a commit that a transport's thread may wait for */

static size_t given_or(size_t given, size_t usual)
{
    return given != 0 ? given : usual;
}

static int32_t make_keeper(struct eds_ingest *ingest, const struct eds_ingest_config *config)
{
    int32_t rc = EDS_OK;

    ingest->keeper = config->keeper != NULL ? config->keeper : &ingest->batch.keeper;
    if (config->keeper == NULL)
        rc = eds_batch_init(&ingest->batch, config, ingest->batch_max,
                            given_or(config->heads_max, HEADS_MAX));
    ingest->keeper->books = &ingest->books;
    return rc;
}

static int32_t make(struct eds_ingest *ingest, const struct eds_ingest_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    size_t listed_max = given_or(config->rejections_logged_per_second, LISTED_MAX);
    size_t listed_max_each = given_or(config->rejections_logged_per_source, LISTED_MAX_EACH);
    bool limiting = config->rate_per_source.per_second > 0 ||
                    config->bytes_per_source.per_second > 0 ||
                    config->rate_per_device.per_second > 0;
    int32_t rc;

    ingest->batch_max = given_or(config->batch_max, BATCH_MAX);
    ingest->uploaded = config->uploaded;
    ingest->batch_size_max = given_or(config->batch_size_max, BATCH_SIZE_MAX);
    ingest->quick_ns = config->quick_ns > 0 ? config->quick_ns : QUICK_NS;
    if (ingest->batch_max > COUNT_LIMIT || config->heads_max > COUNT_LIMIT ||
        config->key_tables_max > COUNT_LIMIT)
        return EDS_ERR_USAGE;
    ingest->queue_made = eds_queue_init(&ingest->queue, given_or(config->queue_max, QUEUE_MAX));
    ingest->books_made =
        eds_books_init(&ingest->books, (unsigned)listed_max, (unsigned)listed_max_each, limiting);
    ingest->desks_made = eds_check_desks_init(
        &ingest->desks, given_or(config->thread_count, cores > 0 ? (size_t)cores : 1));
    if (!ingest->queue_made || !ingest->books_made || !ingest->desks_made)
        return EDS_ERR_NO_MEMORY;
    rc = eds_limits_init(&ingest->limits, config);
    if (rc != EDS_OK)
        return rc;
    ingest->checks = (struct eds_checks){
        .registry = config->registry,
        .key_tables = eds_key_tables_create(given_or(config->key_tables_max, KEY_TABLES_MAX))};
    ingest->desk = eds_check_desk_create();
    ingest->taken = calloc(ingest->batch_max, sizeof *ingest->taken);
    if (ingest->checks.key_tables == NULL || ingest->desk == NULL || ingest->taken == NULL)
        return EDS_ERR_NO_MEMORY;
    rc = make_keeper(ingest, config);
    if (rc == EDS_OK && config->objects != NULL)
        rc = eds_uploads_start(&ingest->uploads, config->objects, &ingest->queue);
    if (rc != EDS_OK)
        return rc;
    return eds_ingest_start_threads(ingest,
                                    given_or(config->thread_count, cores > 0 ? (size_t)cores : 1));
}

static void unmake(struct eds_ingest *ingest)
{
    eds_uploads_stop(ingest->uploads);
    eds_batch_free(&ingest->batch);
    free(ingest->taken);
    eds_limits_free(&ingest->limits);
    eds_check_desk_destroy(ingest->desk);
    for (unsigned i = 0; i < ingest->helper_count; i++)
        eds_check_desk_destroy(ingest->helpers[i].desk);
    eds_key_tables_destroy(ingest->checks.key_tables);
    if (ingest->desks_made)
        eds_check_desks_free(&ingest->desks);
    if (ingest->books_made)
        eds_books_free(&ingest->books);
    if (ingest->queue_made)
        eds_queue_free(&ingest->queue);
    free(ingest);
}

int32_t eds_ingest_start(struct eds_ingest **out, const struct eds_ingest_config *config,
                         struct eds_error *err)
{
    struct eds_ingest *ingest = calloc(1, sizeof *ingest);
    int32_t rc;

    if (ingest == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for ingest");
    rc = make(ingest, config);
    if (rc != EDS_OK) {
        unmake(ingest);
        return eds_error_set(err, rc, "cannot start ingest (batch_max %zu, heads_max %zu): %s",
                             config->batch_max, config->heads_max, eds_error_name(rc));
    }
    *out = ingest;
    return EDS_OK;
}

int32_t eds_ingest_set_rates(struct eds_ingest *ingest, struct eds_rate per_source,
                             struct eds_rate bytes_per_source, struct eds_rate per_device,
                             struct eds_error *err)
{
    int32_t rc = eds_rate_limit_set(&ingest->limits.source, per_source);

    if (rc == EDS_OK)
        rc = eds_rate_limit_set(&ingest->limits.source_bytes, bytes_per_source);
    if (rc == EDS_OK)
        rc = eds_rate_limit_set(&ingest->limits.device, per_device);
    if (rc == EDS_OK &&
        (per_source.per_second > 0 || bytes_per_source.per_second > 0 || per_device.per_second > 0))
        eds_books_begin_limiting(&ingest->books);
    return rc == EDS_OK ? EDS_OK
                        : eds_error_set(err, rc, "cannot change a rate: %s", eds_error_name(rc));
}

void eds_ingest_counts(struct eds_ingest *ingest, struct eds_ingest_counts *out)
{
    eds_books_counts(&ingest->books, out);
    out->queued = eds_ingest_waiting(ingest);
}

void eds_ingest_meters(struct eds_ingest *ingest, struct eds_meters_reading *out)
{
    eds_meters_read(&ingest->books.meters, out);
}

void eds_ingest_forget_key(struct eds_ingest *ingest, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    eds_key_tables_drop(ingest->checks.key_tables, public_key);
}

void eds_ingest_stop(struct eds_ingest *ingest)
{
    if (ingest == NULL)
        return;
    eds_uploads_stop(ingest->uploads); /* its last ones go into the queue */
    ingest->uploads = NULL;
    eds_queue_close(&ingest->queue);
    pthread_join(ingest->committer, NULL);
    for (unsigned i = 0; i < ingest->helper_count; i++)
        pthread_join(ingest->helpers[i].thread, NULL);
    unmake(ingest);
}
