/* tls.c - see tls.h: the newest reading of the files, and when to read again. */
#include "transport/tls.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "transport/tls_keys.h"

#define FILE_COUNT 4u

/* What tells one file from another under the same name. */
struct stamp {
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
};

struct eds_tls {
    struct eds_tls_config config;
    pthread_mutex_t lock;
    struct tls_keys *newest;
    _Atomic uint64_t number; /* newest->number */
    uint64_t failures;

    /* Of one thread: the one that reloads. */
    struct stamp read[FILE_COUNT]; /* when the files were last read */
    struct stamp seen[FILE_COUNT]; /* when they were last looked at */
};

static void take_stamps(const struct eds_tls *tls, struct stamp out[FILE_COUNT])
{
    const char *const paths[FILE_COUNT] = {tls->config.cert_path, tls->config.key_path,
                                           tls->config.client_ca_path, tls->config.client_crl_path};

    memset(out, 0, FILE_COUNT * sizeof *out);
    for (size_t i = 0; i < FILE_COUNT; i++) {
        struct stat status;

        if (paths[i] == NULL || stat(paths[i], &status) != 0)
            continue;
        out[i].device = status.st_dev;
        out[i].inode = status.st_ino;
        out[i].size = status.st_size;
        out[i].modified = status.st_mtim;
        out[i].changed = status.st_ctim;
    }
}

int32_t eds_tls_open(struct eds_tls **out, const struct eds_tls_config *config,
                     struct eds_error *err)
{
    struct eds_tls *tls = calloc(1, sizeof *tls);
    int32_t rc;

    if (tls == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "TLS server error: out of memory");
    tls->config = *config;
    pthread_mutex_init(&tls->lock, NULL);
    rc = eds_tls_reload(tls, err);
    if (rc != EDS_OK) {
        eds_tls_close(tls);
        return rc;
    }
    *out = tls;
    return EDS_OK;
}

int32_t eds_tls_reload(struct eds_tls *tls, struct eds_error *err)
{
    struct tls_keys *keys = NULL, *old = NULL;
    int32_t rc;

    take_stamps(tls, tls->read); /* first: a change while reading shows afterwards */
    memcpy(tls->seen, tls->read, sizeof tls->seen);
    rc = tls_keys_read(&keys, &tls->config, err);
    pthread_mutex_lock(&tls->lock);
    if (rc == EDS_OK) {
        old = tls->newest;
        keys->number = atomic_load(&tls->number) + 1;
        tls->newest = keys;
        atomic_store(&tls->number, keys->number);
    } else {
        tls->failures++;
    }
    pthread_mutex_unlock(&tls->lock);
    tls_keys_release(old);
    return rc;
}

bool eds_tls_has_changed(struct eds_tls *tls)
{
    struct stamp now[FILE_COUNT];
    bool rested;

    take_stamps(tls, now);
    rested = memcmp(now, tls->seen, sizeof now) == 0;
    memcpy(tls->seen, now, sizeof now);
    return rested && memcmp(now, tls->read, sizeof now) != 0;
}

void eds_tls_state(struct eds_tls *tls, struct eds_tls_state *out)
{
    pthread_mutex_lock(&tls->lock);
    memcpy(out->subject, tls->newest->subject, sizeof out->subject);
    out->not_after_s = tls->newest->not_after;
    out->reloads = tls->newest->number - 1;
    out->failures = tls->failures;
    pthread_mutex_unlock(&tls->lock);
}

void eds_tls_close(struct eds_tls *tls)
{
    if (tls == NULL)
        return;
    tls_keys_release(tls->newest);
    pthread_mutex_destroy(&tls->lock);
    free(tls);
}

struct tls_keys *tls_keys_hold(struct eds_tls *tls)
{
    struct tls_keys *keys;

    pthread_mutex_lock(&tls->lock);
    keys = tls->newest;
    atomic_fetch_add(&keys->holders, 1);
    pthread_mutex_unlock(&tls->lock);
    return keys;
}

uint64_t tls_keys_number(const struct eds_tls *tls)
{
    return atomic_load(&tls->number);
}

const struct eds_tls_config *tls_config(const struct eds_tls *tls)
{
    return &tls->config;
}
