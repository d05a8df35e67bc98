/* s3_client.h - the parts of the S3 store, for its own files.
 *
 * Puts are carried out by one thread that has many requests on their way; gets
 * by their callers, one at a time. */
#ifndef EDS_STORE_S3_CLIENT_H
#define EDS_STORE_S3_CLIENT_H

#include <pthread.h>

#include "store/s3_request.h"

struct s3_uploader;

#define S3_GETS_MAX 16u /* on their way at a time; further ones wait */

struct s3_client {
    struct eds_objects base;
    struct eds_s3_config config;

    pthread_mutex_t credentials_lock; /* of the two below */
    struct eds_s3_credentials credentials;
    uint64_t loaded_ms; /* eds_s3_now_ms */

    pthread_mutex_t get_lock; /* of those below */
    pthread_cond_t get_ended;
    struct {
        struct eds_s3_request request; /* made when it is first needed */
        bool is_made, is_busy;
    } gets[S3_GETS_MAX];

    struct s3_uploader *uploader; /* NULL: only for reading */
};

/* eds_s3_now_ms reads a clock that never jumps. */
uint64_t eds_s3_now_ms(void);

/* eds_s3_current_credentials copies credentials out, newly asked for if those
 * at hand end soon or, with was_denied, if they are not brand new.  EDS_OK, or
 * the errors of eds_s3_credentials_load; those at hand then stay. */
int32_t eds_s3_current_credentials(struct s3_client *client, struct eds_s3_credentials *out,
                                   bool was_denied, struct eds_error *err);

/* eds_s3_uploader_start starts the thread, eds_s3_uploader_stop ends it when all
 * puts are answered, eds_s3_uploader_give gives it one more. */
int32_t eds_s3_uploader_start(struct s3_client *client, struct eds_error *err);
void eds_s3_uploader_stop(struct s3_uploader *uploader);
void eds_s3_uploader_give(struct s3_uploader *uploader, struct eds_object_put *put);

#endif
