/* http_answer.c - statuses, bodies and log lines of what was decided. */
#include "transport/http_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"

/* Six characters for one byte at most ("\u001f"), and the frame around it. */
#define BODY_SIZE (6 * EDS_ERROR_TEXT_SIZE + 64)

#define RETRY_AFTER_S 1u /* of an answer 503 */

int32_t http_answer_init(struct eds_http_server *server, struct eds_error *err)
{
    static const char body[] = "{\"status\":\"accepted\"}";

    server->accepted = MHD_create_response_from_buffer(strlen(body), (void *)(uintptr_t)body,
                                                       MHD_RESPMEM_PERSISTENT);
    if (server->accepted == NULL ||
        MHD_add_response_header(server->accepted, MHD_HTTP_HEADER_CONTENT_TYPE,
                                "application/json") != MHD_YES)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP server");
    return EDS_OK;
}

void http_answer_destroy(struct eds_http_server *server)
{
    if (server->accepted != NULL)
        MHD_destroy_response(server->accepted);
}

/* 202 comes of a verdict only. */
static bool is_quarantined(const struct http_connection *connection, unsigned status)
{
    return status == MHD_HTTP_ACCEPTED && connection->submission.verdict == EDS_VERDICT_QUARANTINED;
}

/* Adds what the status asks for to an answer that has its body. */
static bool add_headers(struct MHD_Response *response, const struct http_connection *connection,
                        unsigned status, bool has_body)
{
    enum MHD_Result ok = MHD_YES;
    char retry_after[16];

    ok &= MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
    if (has_body)
        ok &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED)
        ok &= MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, connection->allowed_method);
    if (status == MHD_HTTP_SERVICE_UNAVAILABLE || status == MHD_HTTP_TOO_MANY_REQUESTS) {
        snprintf(retry_after, sizeof retry_after, "%u",
                 status == MHD_HTTP_TOO_MANY_REQUESTS ? connection->retry_after_s : RETRY_AFTER_S);
        ok &= MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry_after);
    }
    if (connection->must_close || atomic_load(&connection->server->stopping))
        ok &= MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
    return ok == MHD_YES;
}

/* Makes an answer other than "accepted"; NULL without memory. */
static struct MHD_Response *make_answer(const struct http_connection *connection, unsigned status,
                                        const char *error)
{
    struct eds_answer answer = {.accepted = status == MHD_HTTP_ACCEPTED,
                                .quarantined = is_quarantined(connection, status)};
    char body[BODY_SIZE];
    size_t size = 0;
    struct MHD_Response *response;

    if (*error != '\0' || answer.accepted) {
        strncpy(answer.error, error, sizeof answer.error - 1);
        size = eds_json_answer_encode(body, sizeof body, &answer);
    }
    response = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_COPY);
    if (response == NULL || add_headers(response, connection, status, size > 0))
        return response;
    MHD_destroy_response(response);
    return NULL;
}

enum MHD_Result http_answer_body(struct http_connection *connection, unsigned status, char *body,
                                 size_t body_size)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body_size, body, MHD_RESPMEM_MUST_FREE);
    enum MHD_Result result = MHD_NO;

    if (response == NULL) {
        free(body);
        return MHD_NO;
    }
    http_connection_rest(connection);
    if (add_headers(response, connection, status, true)) {
        atomic_fetch_add(&connection->server->answered_count, 1);
        result = MHD_queue_response(connection->mhd, status, response);
    }
    MHD_destroy_response(response); /* the queue holds its own reference */
    return result;
}

enum MHD_Result http_answer(struct http_connection *connection, unsigned status, const char *error)
{
    struct eds_http_server *server = connection->server;
    bool is_common = status == MHD_HTTP_ACCEPTED && !is_quarantined(connection, status) &&
                     !connection->must_close && !atomic_load(&server->stopping);
    struct MHD_Response *response =
        is_common ? server->accepted : make_answer(connection, status, error);
    enum MHD_Result result;

    if (response == NULL)
        return MHD_NO;
    http_connection_rest(connection);
    atomic_fetch_add(&server->answered_count, 1);
    result = MHD_queue_response(connection->mhd, status, response);
    if (!is_common)
        MHD_destroy_response(response); /* the queue holds its own reference */
    return result;
}

void http_log_refusal(struct http_connection *connection, unsigned status, const char *reason)
{
    uint64_t suppressed;

    if (!eds_log_throttle_pass(&connection->server->verdict_log.rejected, http_now_ms(),
                               &suppressed))
        return;
    EDS_LOG(EDS_LOG_WARN, "request_refused", EDS_LOG_STRING("source", connection->source),
            EDS_LOG_NUMBER("status", status), EDS_LOG_STRING("reason", reason),
            EDS_LOG_STRING("request_id", eds_trace_request_id(&connection->trace)),
            EDS_LOG_IF("trace_id", eds_trace_id(&connection->trace)),
            EDS_LOG_IF("gateway", eds_trace_gateway(&connection->trace)),
            EDS_LOG_IF("tags", eds_trace_tags(&connection->trace)),
            EDS_LOG_NUMBER("suppressed", suppressed));
}

void http_log_verdict(struct http_connection *connection)
{
    eds_verdict_log_write(&connection->server->verdict_log, &connection->submission, "source",
                          connection->source, &connection->trace, http_now_ms());
}
