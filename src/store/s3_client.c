/* s3_client.c - see s3.h and s3_client.h: opening, credentials, reading. */
#include "store/s3_client.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/port.h"
#include "base/wipe.h"
#include "store/s3.h"

#define RENEW_EARLY_MS 300000u /* before they end */
#define RENEW_PAUSE_MS 10000u  /* not more often than this */
#define ENDED_PAUSE_MS 500u    /* but for credentials that have ended */

uint64_t eds_s3_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

static void load(struct s3_client *client, struct eds_s3_credentials *fresh, int32_t *rc,
                 struct eds_error *err)
{
    *rc = eds_s3_credentials_load(fresh, &client->config, err);
    client->loaded_ms = eds_s3_now_ms();
    if (*rc == EDS_OK)
        client->credentials = *fresh;
}

int32_t eds_s3_current_credentials(struct s3_client *client, struct eds_s3_credentials *out,
                                   bool was_denied, struct eds_error *err)
{
    uint64_t ends_ms, now_ms = eds_port_time_ms();
    int32_t rc = EDS_OK;
    bool wanted, ended;

    pthread_mutex_lock(&client->credentials_lock);
    ends_ms = client->credentials.expires_ms;
    ended = ends_ms != 0 && ends_ms <= now_ms;
    wanted =
        client->loaded_ms == 0 || was_denied || (ends_ms != 0 && ends_ms < now_ms + RENEW_EARLY_MS);
    if (wanted && (client->loaded_ms == 0 || eds_s3_now_ms() - client->loaded_ms >=
                                                 (ended ? ENDED_PAUSE_MS : RENEW_PAUSE_MS))) {
        load(client, out, &rc, err);
        /* Old ones do until they end. */
        if (rc != EDS_OK && client->credentials.access_key[0] != '\0' && !ended && !was_denied)
            rc = EDS_OK;
    }
    *out = client->credentials;
    pthread_mutex_unlock(&client->credentials_lock);
    return rc;
}

static void put_object(struct eds_objects *objects, struct eds_object_put *put)
{
    eds_s3_uploader_give(((struct s3_client *)objects)->uploader, put);
}

static void pause_before(unsigned attempt)
{
    unsigned ms = eds_s3_pause_ms(attempt);

    nanosleep(&(struct timespec){(time_t)(ms / 1000), (long)(ms % 1000) * 1000000}, NULL);
}

/* Takes a handle that nobody uses, of more than one the first: most likely its
 * connection is still open.  Waits if all are in use. */
static int32_t take_request(struct s3_client *client, size_t *which, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    pthread_mutex_lock(&client->get_lock);
    for (;;) {
        for (*which = 0; *which < S3_GETS_MAX && client->gets[*which].is_busy;)
            ++*which;
        if (*which < S3_GETS_MAX)
            break;
        pthread_cond_wait(&client->get_ended, &client->get_lock);
    }
    if (!client->gets[*which].is_made)
        rc = eds_s3_request_make(&client->gets[*which].request, err);
    if (rc == EDS_OK)
        client->gets[*which].is_made = client->gets[*which].is_busy = true;
    pthread_mutex_unlock(&client->get_lock);
    return rc;
}

static void leave_request(struct s3_client *client, size_t which)
{
    pthread_mutex_lock(&client->get_lock);
    client->gets[which].is_busy = false;
    pthread_cond_signal(&client->get_ended);
    pthread_mutex_unlock(&client->get_lock);
}

/* One attempt to read. */
static enum eds_s3_outcome try_get(struct s3_client *client, struct eds_s3_request *request,
                                   const struct eds_object_put *put, bool was_denied,
                                   long timeout_ms, int32_t *rc, struct eds_error *err)
{
    struct eds_s3_credentials credentials;
    enum eds_s3_outcome outcome = EDS_S3_FAILED;

    *rc = eds_s3_current_credentials(client, &credentials, was_denied, err);
    if (*rc == EDS_OK)
        *rc = eds_s3_request_prepare(request, &client->config, &credentials, EDS_S3_GET, put,
                                     timeout_ms, err);
    eds_s3_credentials_wipe(&credentials);
    if (*rc == EDS_OK)
        outcome =
            eds_s3_request_outcome(request, &client->config, curl_easy_perform(request->curl), err);
    return outcome;
}

static int32_t code_of(enum eds_s3_outcome outcome)
{
    switch (outcome) {
    case EDS_S3_DONE:
        return EDS_OK;
    case EDS_S3_ABSENT:
        return EDS_ERR_NOT_FOUND;
    case EDS_S3_TOO_LARGE:
        return EDS_ERR_TOO_LARGE;
    case EDS_S3_NO_MEMORY:
        return EDS_ERR_NO_MEMORY;
    default:
        return EDS_ERR_IO;
    }
}

/* Reads with one handle, again where that may help. */
static int32_t get_with(struct s3_client *client, struct eds_s3_request *request,
                        const struct eds_object_name *name, void **out, size_t *out_size,
                        struct eds_error *err)
{
    struct eds_object_put put = {.name = *name};
    uint64_t begun_ms = eds_s3_now_ms(), limit_ms = (uint64_t)client->config.timeout_s * 1000u;
    enum eds_s3_outcome outcome = EDS_S3_AGAIN;
    bool was_denied = false;
    int32_t rc;

    for (unsigned attempt = 1;; attempt++) {
        uint64_t used_ms = eds_s3_now_ms() - begun_ms;

        outcome = try_get(client, request, &put, was_denied,
                          used_ms < limit_ms ? (long)(limit_ms - used_ms) : 1, &rc, err);
        if (attempt >= client->config.attempts || eds_s3_now_ms() - begun_ms >= limit_ms ||
            (outcome != EDS_S3_AGAIN && (outcome != EDS_S3_DENIED || was_denied)))
            break;
        was_denied = outcome == EDS_S3_DENIED;
        if (!was_denied)
            pause_before(attempt);
    }
    if (rc == EDS_OK)
        rc = code_of(outcome);
    if (rc == EDS_OK) {
        *out = eds_s3_request_take_body(request, out_size);
        if (*out == NULL)
            rc = eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    } else if (err != NULL) {
        err->code = rc;
    }
    return rc;
}

static int32_t get_object(struct eds_objects *objects, const struct eds_object_name *name,
                          void **out, size_t *out_size, struct eds_error *err)
{
    struct s3_client *client = (struct s3_client *)objects;
    size_t which;
    int32_t rc = take_request(client, &which, err);

    if (rc != EDS_OK)
        return rc;
    rc = get_with(client, &client->gets[which].request, name, out, out_size, err);
    leave_request(client, which);
    return rc;
}

static void close_client(struct eds_objects *objects)
{
    struct s3_client *client = (struct s3_client *)objects;

    eds_s3_uploader_stop(client->uploader);
    for (size_t i = 0; i < S3_GETS_MAX; i++)
        if (client->gets[i].is_made)
            eds_s3_request_free(&client->gets[i].request);
    eds_s3_credentials_wipe(&client->credentials);
    pthread_mutex_destroy(&client->credentials_lock);
    pthread_mutex_destroy(&client->get_lock);
    pthread_cond_destroy(&client->get_ended);
    free(client);
}

/* Everything that may fail once the URL is understood. */
static int32_t prepare(struct s3_client *client, bool read_only, struct eds_error *err)
{
    struct eds_s3_credentials credentials;
    int32_t rc = eds_s3_current_credentials(client, &credentials, false, err);

    eds_s3_credentials_wipe(&credentials);
    if (rc == EDS_OK && !read_only)
        rc = eds_s3_uploader_start(client, err);
    return rc;
}

int32_t eds_s3_open(struct eds_objects **out, const char *url, bool read_only,
                    struct eds_error *err)
{
    static const struct eds_objects_ops ops = {
        .name = "s3", .put = put_object, .get = get_object, .close = close_client};
    struct s3_client *client = calloc(1, sizeof *client);
    int32_t rc;

    if (client == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    pthread_mutex_init(&client->credentials_lock, NULL);
    pthread_mutex_init(&client->get_lock, NULL);
    pthread_cond_init(&client->get_ended, NULL);
    rc = eds_s3_url_parse(&client->config, url, err);
    if (rc == EDS_OK) {
        client->base = (struct eds_objects){
            .ops = &ops, .by_hash = !client->config.by_reference, .wants_sha256 = true};
        rc = prepare(client, read_only, err);
    }
    if (rc != EDS_OK) {
        close_client(&client->base);
        return rc;
    }
    *out = &client->base;
    return EDS_OK;
}
