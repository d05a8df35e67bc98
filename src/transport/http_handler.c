/* http_handler.c - one request, from its head to its answer.
 *
 * libmicrohttpd calls http_handle when the head is there, then for pieces of
 * the body, then for the answer.  begin decides what the head can decide, so
 * that a refused body is never kept; submit leaves a record to the connection's loop,
 * which hands it to ingest, and the answer is asked for until it is decided. */
#include "transport/http_loop.h"

#include <stdio.h>
#include <string.h>

#include "transport/http_batch.h"
#include "transport/http_object.h"
#include "transport/http_question.h"

#define INGEST_PATH "/api/v1/ingest"
#define BATCH_PATH  "/api/v1/ingest/batch"
#define STOPPING    "the server is stopping; send the record again"
#define TOO_MANY    "too many bodies at once; send again"
#define TOO_LARGE   "Failed to buffer the request body: length limit exceeded"

static enum MHD_Result take_field(void *head, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    eds_http_head_take(head, name, value != NULL ? value : "");
    return MHD_YES;
}

/* Refuses a request; the answer goes out when its body is over. */
static void refuse(struct http_connection *connection, unsigned status, const char *error)
{
    http_body_clear(connection);
    connection->state = HTTP_REFUSED;
    connection->status = status;
    snprintf(connection->error, sizeof connection->error, "%s", error);
}

/* A source that sends too much is put off before its body is read. */
static bool is_over_rate(struct http_connection *connection)
{
    return !eds_ingest_admit(connection->server->config.ingest, connection->source, 1,
                             &connection->retry_after_s);
}

/* Whether the request that is being read is where the filter gave up. */
static bool has_fault(const struct http_connection *connection)
{
    const struct http_filter *filter = &connection->wire.filter;

    return filter->fault_status != 0 && filter->head_count == connection->number;
}

/* Finds out whom the request is from, and whether he may send at all.  EDS_ERR_MALFORMED
 * in *err if a trusted proxy does not say it. */
static bool is_source_allowed(struct http_connection *connection, const struct eds_http_head *head,
                              struct eds_error *err)
{
    struct eds_address source = connection->address;
    int32_t rc = EDS_OK;

    if (head->forwarded_count > 0)
        rc = http_follow_proxies(connection->server, head, &source, err);
    eds_address_text(connection->source, &source);
    if (rc == EDS_OK)
        rc = http_check_source(connection->server, &source, err);
    return rc == EDS_OK;
}

/* Says what a body of that type is, if it may be sent there: one record, in either
 * form, or a batch. */
static bool takes_type(struct http_connection *connection, const char *content_type, bool to_batch)
{
    bool is_lines, is_bytes;

    if (content_type == NULL)
        return false;
    is_lines = to_batch && eds_http_is_ndjson(content_type);
    is_bytes = eds_http_is_bytes(content_type);
    connection->is_compact = is_bytes;
    return is_lines || is_bytes || (!to_batch && eds_http_is_json(content_type));
}

/* What the head says of a request for one of our paths. */
static void judge_ingest(struct http_connection *connection, const struct eds_http_head *head,
                         bool to_batch, const char *method)
{
    connection->allowed_method = MHD_HTTP_METHOD_POST;
    if (strcmp(method, MHD_HTTP_METHOD_POST) != 0) {
        refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "");
    } else if (!takes_type(connection, head->content_type, to_batch)) {
        refuse(connection, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE,
               to_batch ? "Expected request with `Content-Type: application/x-ndjson`"
                        : "Expected request with `Content-Type: application/json`");
    } else if (!to_batch && head->content_length > connection->server->config.body_size_max) {
        refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, TOO_LARGE);
    } else if (to_batch) {
        connection->batch = http_batch_begin(connection, connection->is_compact ? EDS_BATCH_BYTES
                                                                                : EDS_BATCH_LINES);
        if (connection->batch == NULL)
            refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, TOO_MANY);
    }
}

static void judge_path(struct http_connection *connection, const struct eds_http_head *head,
                       const char *url, const char *method)
{
    bool to_batch = strcmp(url, BATCH_PATH) == 0;
    char error[EDS_ERROR_TEXT_SIZE];
    unsigned status;

    if (to_batch || strcmp(url, INGEST_PATH) == 0) {
        judge_ingest(connection, head, to_batch, method);
    } else if (strncmp(url, HTTP_OBJECTS_PATH, strlen(HTTP_OBJECTS_PATH)) == 0) {
        connection->allowed_method = MHD_HTTP_METHOD_PUT;
        status = http_object_begin(connection, head, url, method, error);
        if (status != 0)
            refuse(connection, status, error);
    } else if (strcmp(url, HTTP_COMMANDS_PATH) == 0) {
        connection->allowed_method = MHD_HTTP_METHOD_GET;
        status = http_question_begin(connection, head, method, error);
        if (status != 0)
            refuse(connection, status, error);
    } else {
        refuse(connection, MHD_HTTP_NOT_FOUND, "");
    }
}

/* Decides all that needs no body, in the original's order but for the source,
 * which comes first. */
static void judge_head(struct http_connection *connection, const struct eds_http_head *head,
                       const char *url, const char *method, bool is_http_1_0)
{
    char limited[EDS_ADDRESS_TEXT_SIZE + 40] = "rate limit exceeded for source=";
    const char *fault = eds_http_head_fault(head, is_http_1_0);
    struct eds_error err;

    if (!is_source_allowed(connection, head, &err)) {
        refuse(connection,
               err.code == EDS_ERR_MALFORMED ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_FORBIDDEN, err.text);
    } else if (connection->tls_peer != NULL &&
               tls_peer_admit(connection->tls_peer, connection->mhd, &err) != EDS_OK) {
        refuse(connection, MHD_HTTP_FORBIDDEN, err.text);
    } else if (atomic_load(&connection->server->stopping)) {
        refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, STOPPING);
    } else if (is_over_rate(connection)) {
        refuse(connection, MHD_HTTP_TOO_MANY_REQUESTS, strcat(limited, connection->source));
    } else if (connection->must_close && connection->wire.filter.is_fault_in_head) {
        refuse(connection, connection->wire.filter.fault_status, connection->wire.filter.fault);
    } else if (fault != NULL) {
        refuse(connection, MHD_HTTP_BAD_REQUEST, fault);
    } else {
        judge_path(connection, head, url, method);
    }
}

/* Says whether the rest of a refused request is little enough to be read, so
 * that the connection can be used again. */
static bool is_worth_reading(const struct http_connection *connection,
                             const struct eds_http_head *head)
{
    switch (connection->status) {
    case MHD_HTTP_NOT_FOUND:
    case MHD_HTTP_METHOD_NOT_ALLOWED:
    case MHD_HTTP_UNSUPPORTED_MEDIA_TYPE:
    case MHD_HTTP_TOO_MANY_REQUESTS:
        return !head->expects_continue && head->transfer_encoding_count == 0 &&
               head->content_length <= HTTP_DISCARD_MAX;
    default:
        return false;
    }
}

/* Says whether the body is to be read, and sees to it that it comes in no faster than
 * its source may send. */
static bool take_pace(struct http_connection *connection, const struct eds_http_head *head)
{
    char error[EDS_ADDRESS_TEXT_SIZE + 40] = "byte rate exceeded for source=";

    if (connection->state == HTTP_REFUSED && !is_worth_reading(connection, head))
        return false;
    if (http_pace_begin(connection, connection->batch == NULL && connection->object == NULL))
        return true;
    if (connection->state != HTTP_REFUSED)
        refuse(connection, MHD_HTTP_TOO_MANY_REQUESTS, strcat(error, connection->source));
    return false;
}

static enum MHD_Result begin(struct http_connection *connection, const char *url,
                             const char *method, const char *version)
{
    static const char *const forwarded_by[] = {
        [EDS_FORWARDED_FOR] = "X-Forwarded-For", [EDS_FORWARDED_RFC] = "Forwarded"};
    struct eds_http_head head = {.content_type = NULL};
    bool is_read;

    head.forwarded_by = forwarded_by[connection->server->config.forwarded_kind];
    connection->number++;
    connection->must_close = has_fault(connection);
    MHD_get_connection_values(connection->mhd, MHD_HEADER_KIND, take_field, &head);
    connection->state = HTTP_READING;
    connection->begun_ms = http_now_ms();
    connection->body_announced = head.content_length;
    connection->discarded = connection->handed_over = 0;
    eds_trace_begin(&connection->trace);
    if (head.traceparent != NULL)
        (void)eds_trace_take(&connection->trace, head.traceparent);
    if (head.gateway != NULL || head.tags != NULL)
        eds_route_take(&connection->trace.route, head.gateway, head.tags);
    http_connection_rest(connection);
    judge_head(connection, &head, url, method, strcmp(version, MHD_HTTP_VERSION_1_0) == 0);
    is_read = take_pace(connection, &head);
    if (connection->state == HTTP_REFUSED)
        http_log_refusal(connection, connection->status,
                         *connection->error != '\0' ? connection->error : "no such path or method");
    if (is_read)
        return MHD_YES;
    connection->must_linger = head.content_length > 0 || head.transfer_encoding_count > 0;
    return http_answer(connection, connection->status, connection->error); /* and closes */
}

static int32_t take_bytes(struct http_connection *connection, const char *data, size_t size)
{
    if (connection->batch != NULL)
        return http_batch_take(connection->batch, data, size);
    if (connection->object != NULL)
        return http_object_take(connection->object, data, size);
    return http_body_append(connection, data, size);
}

/* False if the connection must not go on. */
static bool take_or_discard(struct http_connection *connection, const char *data, size_t size)
{
    if (connection->state == HTTP_READING) {
        switch (take_bytes(connection, data, size)) {
        case EDS_OK:
            return true;
        case EDS_ERR_TOO_LARGE:
            refuse(connection, MHD_HTTP_CONTENT_TOO_LARGE, TOO_LARGE);
            break;
        default:
            refuse(connection, MHD_HTTP_SERVICE_UNAVAILABLE, TOO_MANY);
        }
        http_log_refusal(connection, connection->status, connection->error);
    }
    return http_body_discard(connection, size);
}

/* Its pace comes last: a connection that is held may be let go on by another thread at
 * any moment. */
static enum MHD_Result take_body(struct http_connection *connection, const char *data, size_t size)
{
    if (!take_or_discard(connection, data, size))
        return MHD_NO;
    http_pace_read(connection, size);
    return MHD_YES;
}

static unsigned status_of(enum eds_verdict verdict)
{
    if (verdict == EDS_VERDICT_RATE_LIMITED)
        return MHD_HTTP_TOO_MANY_REQUESTS;
    if (verdict == EDS_VERDICT_TOO_LARGE)
        return MHD_HTTP_CONTENT_TOO_LARGE;
    return eds_verdict_is_undecided(verdict) ? MHD_HTTP_SERVICE_UNAVAILABLE
                                             : MHD_HTTP_UNPROCESSABLE_CONTENT;
}

static enum MHD_Result answer_verdict(struct http_connection *connection)
{
    char error[EDS_ERROR_TEXT_SIZE] = "";

    http_log_verdict(connection);
    if (eds_verdict_is_kept(connection->submission.verdict))
        return http_answer(connection, MHD_HTTP_ACCEPTED, error);
    connection->retry_after_s = connection->submission.retry_after_s;
    eds_ingest_answer_text(error, &connection->submission);
    return http_answer(connection, status_of(connection->submission.verdict), error);
}

/* Reads the one record that a body has to be. */
static int32_t decode(struct http_connection *connection, struct eds_error *err)
{
    char nothing[] = "", *body = connection->body_size > 0 ? connection->body : nothing;
    struct eds_batch_reader reader;
    size_t used;
    int32_t rc;

    if (!connection->is_compact)
        return eds_json_envelope_decode(&connection->envelope, body, connection->body_size, err);
    eds_batch_reader_init(&reader, EDS_BATCH_BYTES);
    rc = eds_batch_reader_next(&reader, body, connection->body_size, true, &used,
                               &connection->envelope, err);
    if (rc == EDS_ERR_NOT_FOUND || (rc == EDS_OK && used < connection->body_size))
        rc = eds_error_set(err, EDS_ERR_MALFORMED, "expected one record in the compact form");
    return rc;
}

static enum MHD_Result submit_batch(struct http_connection *connection)
{
    connection->state = HTTP_DECIDING;
    atomic_fetch_add(&connection->server->taken_count, 1);
    return http_batch_finish(connection->batch) ? http_batch_answer(connection->batch) : MHD_YES;
}

static enum MHD_Result submit_object(struct http_connection *connection)
{
    connection->state = HTTP_DECIDING;
    atomic_fetch_add(&connection->server->taken_count, 1);
    return http_object_finish(connection->object) ? http_object_answer(connection->object)
                                                  : MHD_YES;
}

static enum MHD_Result submit_question(struct http_connection *connection)
{
    connection->state = HTTP_DECIDING;
    atomic_fetch_add(&connection->server->taken_count, 1);
    return http_question_ask(connection->question) ? http_question_answer(connection->question)
                                                   : MHD_YES;
}

static enum MHD_Result submit_record(struct http_connection *connection)
{
    struct eds_http_server *server = connection->server;
    const char *device_id = (const char *)connection->envelope.entry.record.device_id;
    struct eds_error err;
    int32_t rc;

    if (!http_loop_has_room(connection->loop))
        return MHD_YES; /* and asked again, when there is */
    rc = decode(connection, &err);
    if (rc != EDS_OK) {
        http_log_refusal(connection, MHD_HTTP_BAD_REQUEST, err.text);
        return http_answer(connection, MHD_HTTP_BAD_REQUEST, err.text);
    }
    atomic_fetch_add(&server->submission_count, 1);
    if (atomic_load(&server->ended)) {
        atomic_fetch_sub(&server->submission_count, 1);
        return http_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, STOPPING);
    }
    connection->submission.request = (struct eds_request){
        .entry = &connection->envelope.entry,
        .payload = connection->envelope.payload,
        .payload_size = connection->envelope.payload_size,
        .payload_absent = connection->envelope.payload_absent,
        .route_identity = tls_peer_route_identity(connection->tls_peer, device_id),
        .source = connection->source};
    atomic_store(&connection->is_decided, false);
    atomic_fetch_add(&server->taken_count, 1);
    atomic_store(&connection->deadline_ms, 0); /* now it waits for us */
    http_loop_gather(connection->loop, connection);
    return MHD_YES;
}

/* The body is there, or ended because nothing of it can be believed any more. */
static enum MHD_Result submit(struct http_connection *connection)
{
    if (has_fault(connection)) {
        refuse(connection, connection->wire.filter.fault_status, connection->wire.filter.fault);
        http_log_refusal(connection, connection->status, connection->error);
        connection->must_close = true;
        return http_answer(connection, connection->status, connection->error);
    }
    if (connection->batch != NULL)
        return submit_batch(connection);
    if (connection->question != NULL)
        return submit_question(connection);
    return connection->object != NULL ? submit_object(connection) : submit_record(connection);
}

/* Whether the loop or ingest still has the connection's record. */
static bool is_undecided(const struct http_connection *connection)
{
    return connection->state == HTTP_GATHERED ||
           (connection->state == HTTP_DECIDING && connection->batch == NULL &&
            connection->object == NULL && connection->question == NULL &&
            !atomic_load(&connection->is_decided));
}

static enum MHD_Result answer_decided(struct http_connection *connection)
{
    if (connection->batch != NULL)
        return http_batch_answer(connection->batch);
    if (connection->question != NULL)
        return http_question_answer(connection->question);
    return connection->object != NULL ? http_object_answer(connection->object)
                                      : answer_verdict(connection);
}

enum MHD_Result http_handle(void *context, struct MHD_Connection *mhd, const char *url,
                            const char *method, const char *version, const char *data,
                            size_t *data_size, void **request)
{
    struct eds_http_server *server = context;
    struct http_connection *connection =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
    size_t size = *data_size;

    if (connection == NULL)
        return MHD_NO;
    if (*request != NULL && is_undecided(connection))
        return MHD_YES;
    connection->loop->is_active = true;
    if (*request == NULL) {
        *request = connection;
        atomic_fetch_add(&server->request_count, 1);
        return begin(connection, url, method, version);
    }
    if (connection->awaits_body) { /* it goes on: the body may come */
        connection->awaits_body = false;
        return MHD_YES;
    }
    if (size > 0) {
        *data_size = 0;
        return take_body(connection, data, size);
    }
    switch (connection->state) {
    case HTTP_READING:
        return submit(connection);
    case HTTP_REFUSED:
        connection->must_close |= has_fault(connection);
        return http_answer(connection, connection->status, connection->error);
    case HTTP_GATHERED:
        break;
    case HTTP_DECIDING:
        return answer_decided(connection);
    }
    return MHD_NO;
}

void http_completed(void *context, struct MHD_Connection *mhd, void **request,
                    enum MHD_RequestTerminationCode code)
{
    struct eds_http_server *server = context;
    struct http_connection *connection = *request;
    bool is_taken;

    (void)mhd;
    (void)code;
    if (connection == NULL)
        return;
    is_taken = connection->state >= HTTP_GATHERED;
    if (connection->state == HTTP_GATHERED) {
        http_loop_forget(connection->loop, connection);
        connection->state = HTTP_REFUSED;
        atomic_fetch_sub(&server->submission_count, 1);
    }
    if (is_taken)
        atomic_fetch_sub(&server->taken_count, 1);
    if (connection->batch != NULL)
        http_batch_abandon(connection->batch);
    http_object_free(connection->object);
    http_question_free(connection->question);
    if (!is_undecided(connection)) /* else the peer has gone, and this is ingest's */
        http_body_clear(connection);
    connection->batch = NULL;
    connection->question = NULL;
    connection->object = NULL;
    http_connection_rest(connection);
    *request = NULL;
    atomic_fetch_sub(&server->request_count, 1);
}
