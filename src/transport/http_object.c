/* http_object.c - see http_object.h. */
#include "transport/http_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/utf8.h"
#include "store/spool.h"
#include "transport/http_loop.h"

#define PREFIX "ingest verification failed: "
#define NO_STORE                                                                                   \
    "this server takes no payloads before their records: it has no place for them "                \
    "(--objects), or --object-size-max is 0"
#define NO_ROOM   "the payload could not be stored: send it again"
#define WRONG     "the payload has another hash than the path says"
#define STOPPING  "the server is stopping; send the payload again"
#define NO_SIGNER "expected the fields EdgeSentry-Device and EdgeSentry-Signature"

struct http_object {
    struct http_connection *connection;
    struct eds_spool spool;
    uint8_t hash[EDS_HASH_SIZE]; /* as the path says */
    uint64_t size_max;           /* as it was when it began */
    struct eds_object_put put;
    unsigned status; /* of the answer, once it is known */
    const char *error;
};

/* Reads who brings it, into the record that it will belong to as far as it is known
 * by now. */
static bool take_signer(EdsAuditRecord *record, const struct eds_http_head *head)
{
    size_t size = head->device != NULL ? strlen(head->device) : 0;

    if (size == 0 || size >= EDS_DEVICE_ID_SIZE || !eds_utf8_valid(head->device, size) ||
        head->signature == NULL)
        return false;
    memcpy(record->device_id, head->device, size + 1);
    return eds_hex_decode_exactly(record->signature, sizeof record->signature, head->signature,
                                  strlen(head->signature), NULL) == EDS_OK;
}

/* One spelling of a name, so that one payload has one path. */
static bool take_hash(uint8_t hash[EDS_HASH_SIZE], const char *digits)
{
    return strlen(digits) == 2 * EDS_HASH_SIZE && strpbrk(digits, "ABCDEF") == NULL &&
           eds_hex_decode_exactly(hash, EDS_HASH_SIZE, digits, 2 * EDS_HASH_SIZE, NULL) == EDS_OK;
}

/* Whether a device that is known has signed for this payload. */
static unsigned admit(struct http_connection *connection, const struct eds_http_head *head,
                      const uint8_t hash[EDS_HASH_SIZE], char error[EDS_ERROR_TEXT_SIZE])
{
    struct eds_entry entry = {.attestation.present = false};
    struct eds_request request = {.entry = &entry, .source = connection->source};
    const char *device_id = (const char *)entry.record.device_id;
    char message[EDS_ERROR_TEXT_SIZE];
    enum eds_verdict verdict;

    if (!take_signer(&entry.record, head)) {
        strcpy(error, NO_SIGNER);
        return MHD_HTTP_BAD_REQUEST;
    }
    memcpy(entry.record.payload_hash, hash, EDS_HASH_SIZE);
    request.route_identity = tls_peer_route_identity(connection->tls_peer, device_id);
    verdict = eds_ingest_admit_object(connection->server->config.ingest, &request, message,
                                      &connection->retry_after_s);
    if (verdict == EDS_VERDICT_ACCEPTED)
        return 0;
    if (verdict == EDS_VERDICT_RATE_LIMITED) {
        memcpy(error, message, sizeof message);
        return MHD_HTTP_TOO_MANY_REQUESTS;
    }
    snprintf(error, EDS_ERROR_TEXT_SIZE, "%s%.*s", PREFIX,
             (int)(EDS_ERROR_TEXT_SIZE - sizeof PREFIX), message);
    error[eds_utf8_valid_size(error, strlen(error))] = '\0';
    return MHD_HTTP_UNPROCESSABLE_CONTENT;
}

static unsigned open_object(struct http_connection *connection, const uint8_t hash[EDS_HASH_SIZE],
                            uint64_t size_max, char error[EDS_ERROR_TEXT_SIZE])
{
    struct eds_http_server *server = connection->server;
    struct http_object *object = NULL;
    struct eds_error err = {.text = "too many payloads come in at once"};
    int32_t rc = EDS_ERR_BUSY;

    if (atomic_fetch_add(&server->object_count, 1) < HTTP_OBJECTS_MAX) {
        object = calloc(1, sizeof *object);
        rc = object != NULL ? eds_spool_open(&object->spool, server->config.uploaded, &err)
                            : eds_error_set(&err, EDS_ERR_NO_MEMORY, "out of memory");
    }
    if (rc == EDS_OK) {
        object->connection = connection;
        object->size_max = size_max;
        memcpy(object->hash, hash, sizeof object->hash);
        connection->object = object;
        return 0;
    }
    free(object);
    atomic_fetch_sub(&server->object_count, 1);
    http_log_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE, err.text); /* names the place */
    strcpy(error, NO_ROOM);
    return MHD_HTTP_SERVICE_UNAVAILABLE;
}

unsigned http_object_begin(struct http_connection *connection, const struct eds_http_head *head,
                           const char *url, const char *method, char error[EDS_ERROR_TEXT_SIZE])
{
    const struct eds_http_config *config = &connection->server->config;
    uint64_t size_max = atomic_load(&connection->server->object_size_max);
    uint8_t hash[EDS_HASH_SIZE];
    unsigned status;

    error[0] = '\0';
    if (!take_hash(hash, url + strlen(HTTP_OBJECTS_PATH)))
        return MHD_HTTP_NOT_FOUND;
    if (strcmp(method, MHD_HTTP_METHOD_PUT) != 0)
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (config->uploaded == NULL || !config->uploaded->by_hash || size_max == 0) {
        snprintf(error, EDS_ERROR_TEXT_SIZE, "%s",
                 config->no_uploads != NULL ? config->no_uploads : NO_STORE);
        return MHD_HTTP_NOT_IMPLEMENTED;
    }
    if (head->content_type != NULL && !eds_http_is_bytes(head->content_type)) {
        strcpy(error, "Expected request with `Content-Type: application/octet-stream`");
        return MHD_HTTP_UNSUPPORTED_MEDIA_TYPE;
    }
    if (head->content_length > size_max) {
        snprintf(error, EDS_ERROR_TEXT_SIZE, "a payload of more than %llu bytes",
                 (unsigned long long)size_max);
        return MHD_HTTP_CONTENT_TOO_LARGE;
    }
    status = admit(connection, head, hash, error);
    return status != 0 ? status : open_object(connection, hash, size_max, error);
}

int32_t http_object_take(struct http_object *object, const char *bytes, size_t size)
{
    struct http_connection *connection = object->connection;
    struct eds_error err;

    if (size > object->size_max - object->spool.size)
        return EDS_ERR_TOO_LARGE;
    http_body_passed(connection, size);
    if (eds_spool_write(&object->spool, bytes, size, &err) == EDS_OK)
        return EDS_OK;
    http_log_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE, err.text);
    return EDS_ERR_BUSY;
}

/* On a thread of the store; the connection may be gone as soon as it is resumed, and
 * the server as soon as it is counted off. */
static void stored(struct eds_object_put *put)
{
    struct http_object *object = put->context;
    struct http_connection *connection = object->connection;
    struct eds_http_server *server = connection->server;

    object->status = put->rc != EDS_OK ? MHD_HTTP_SERVICE_UNAVAILABLE
                     : put->was_there  ? MHD_HTTP_OK
                                       : MHD_HTTP_CREATED;
    object->error = put->rc != EDS_OK ? NO_ROOM : "";
    if (object->status == MHD_HTTP_CREATED) {
        atomic_fetch_add(&server->objects_stored, 1);
        atomic_fetch_add(&server->objects_stored_bytes, put->payload_size);
    }
    http_loop_resume(connection);
    atomic_fetch_sub(&server->submission_count, 1);
}

/* Refuses it now that it is there. */
static bool refuse(struct http_object *object, unsigned status, const char *error)
{
    object->status = status;
    object->error = error;
    return true;
}

bool http_object_finish(struct http_object *object)
{
    struct http_connection *connection = object->connection;
    struct eds_http_server *server = connection->server;
    struct eds_error err;

    if (eds_spool_finish(&object->spool, &object->put, &err) != EDS_OK) {
        http_log_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE, err.text);
        return refuse(object, MHD_HTTP_SERVICE_UNAVAILABLE, NO_ROOM);
    }
    if (memcmp(object->put.name.payload_hash, object->hash, sizeof object->hash) != 0) {
        http_log_refusal(connection, MHD_HTTP_UNPROCESSABLE_CONTENT, WRONG);
        return refuse(object, MHD_HTTP_UNPROCESSABLE_CONTENT, WRONG);
    }
    atomic_fetch_add(&server->submission_count, 1);
    if (atomic_load(&server->ended)) {
        atomic_fetch_sub(&server->submission_count, 1);
        return refuse(object, MHD_HTTP_SERVICE_UNAVAILABLE, STOPPING);
    }
    object->put.done = stored;
    object->put.context = object;
    atomic_store(&connection->deadline_ms, 0); /* now it waits for us */
    MHD_suspend_connection(connection->mhd);
    server->config.uploaded->ops->put(server->config.uploaded, &object->put);
    return false;
}

enum MHD_Result http_object_answer(struct http_object *object)
{
    static const char stored_body[] = "{\"status\":\"stored\"}";
    struct http_connection *connection = object->connection;
    char hash[2 * EDS_HASH_SIZE + 1];
    char *body;

    eds_hex_encode(hash, object->hash, sizeof object->hash);
    if (object->put.rc != EDS_OK)
        EDS_LOG(EDS_LOG_ERROR, "raw_data_store_write_failed", EDS_LOG_STRING("call", "put"),
                EDS_LOG_STRING("object", hash), EDS_LOG_STRING("error", object->put.err.text));
    if (*object->error != '\0')
        return http_answer(connection, object->status, object->error);
    EDS_LOG(EDS_LOG_DEBUG, "object_stored", EDS_LOG_STRING("object", hash),
            EDS_LOG_NUMBER("payload_bytes", object->spool.size),
            EDS_LOG_STRING("source", connection->source));
    body = strdup(stored_body);
    return body != NULL ? http_answer_body(connection, object->status, body, strlen(body)) : MHD_NO;
}

void http_object_free(struct http_object *object)
{
    if (object == NULL)
        return;
    atomic_fetch_sub(&object->connection->server->object_count, 1);
    eds_spool_close(&object->spool);
    free(object);
}
