/* http_question.c - see http_question.h. */
#include "transport/http_question.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/utf8.h"
#include "ingest/command_question.h"
#include "transport/http_loop.h"

#define NO_DESK   "this server gives no commands"
#define NO_MEMORY "out of memory; ask again"
#define STOPPING  "the server is stopping; ask again"
#define NO_BODY   "a question for commands has no body"
#define NO_DEVICE "expected device=DEVICE_ID once, 1 to 255 bytes of UTF-8"
#define NO_NONCE  "expected nonce= and 32 lower-case hex digits, once"
#define NO_ANSWER "the commands could not be read: ask again"

struct http_question {
    struct http_connection *connection;
    struct eds_command_question asked;
    bool server_stops;
};

/* What the query of the request says. */
struct query {
    struct eds_command_question *out;
    unsigned devices, nonces; /* so many, or 2: it is none */
};

/* The server has libmicrohttpd leave escapes alone (a path has one spelling), so that
 * those of a device's id are undone here: %XX, and nothing else means anything. */
static bool take_device(struct eds_command_question *out, const char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; text != NULL && i < size; i++) {
        uint8_t byte = (uint8_t)text[i];

        if (used == sizeof out->device_id - 1)
            return false;
        if (byte == '%') {
            if (size - i < 3 || eds_hex_decode_exactly(&byte, 1, text + i + 1, 2, NULL) != EDS_OK)
                return false;
            i += 2;
        }
        out->device_id[used++] = (char)byte;
    }
    out->device_id[used] = '\0';
    return used > 0 && strlen(out->device_id) == used && eds_utf8_valid(out->device_id, used);
}

static bool take_nonce(struct eds_command_question *out, const char *text, size_t size)
{
    for (size_t i = 0; text != NULL && i < size; i++)
        if (text[i] >= 'A' && text[i] <= 'F') /* a nonce has one spelling */
            return false;
    return text != NULL &&
           eds_hex_decode_exactly(out->nonce, sizeof out->nonce, text, size, NULL) == EDS_OK;
}

static enum MHD_Result take_argument(void *context, enum MHD_ValueKind kind, const char *name,
                                     size_t name_size, const char *value, size_t size)
{
    struct query *query = context;

    (void)kind;
    if (name_size == 6 && memcmp(name, "device", 6) == 0) {
        query->devices++;
        if (!take_device(query->out, value, size))
            query->devices = 2;
    } else if (name_size == 5 && memcmp(name, "nonce", 5) == 0) {
        query->nonces++;
        if (!take_nonce(query->out, value, size))
            query->nonces = 2;
    }
    return MHD_YES;
}

/* As a record's, the transport's name for the peer must be the device's. */
static const char *identity_fault(struct http_connection *connection, const char *device_id)
{
    const char *identity = tls_peer_route_identity(connection->tls_peer, device_id);

    return identity != NULL && strcmp(identity, device_id) != 0 ? identity : NULL;
}

unsigned http_question_begin(struct http_connection *connection, const struct eds_http_head *head,
                             const char *method, char error[EDS_ERROR_TEXT_SIZE])
{
    struct http_question *question;
    struct query query = {.out = NULL};
    const char *identity;

    error[0] = '\0';
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0)
        return MHD_HTTP_METHOD_NOT_ALLOWED;
    if (connection->server->config.desk == NULL) {
        strcpy(error, NO_DESK);
        return MHD_HTTP_NOT_IMPLEMENTED;
    }
    if (head->content_length > 0 || head->transfer_encoding_count > 0) {
        strcpy(error, NO_BODY);
        return MHD_HTTP_BAD_REQUEST;
    }
    question = calloc(1, sizeof *question);
    if (question == NULL) {
        strcpy(error, NO_MEMORY);
        return MHD_HTTP_SERVICE_UNAVAILABLE;
    }
    question->connection = connection;
    connection->question = question; /* freed with the request */
    query.out = &question->asked;
    MHD_get_connection_values_n(connection->mhd, MHD_GET_ARGUMENT_KIND, take_argument, &query);
    if (query.devices != 1 || query.nonces != 1) {
        strcpy(error, query.devices != 1 ? NO_DEVICE : NO_NONCE);
        return MHD_HTTP_BAD_REQUEST;
    }
    identity = identity_fault(connection, question->asked.device_id);
    if (identity == NULL)
        return 0;
    snprintf(error, EDS_ERROR_TEXT_SIZE, "auth/device mismatch: cert_identity=%.200s device_id=%s",
             identity, question->asked.device_id);
    error[eds_utf8_valid_size(error, strlen(error))] = '\0';
    return MHD_HTTP_FORBIDDEN;
}

/* On the desk's thread; the connection may be gone as soon as it is resumed, and the
 * server as soon as it is counted off. */
static void answered(struct eds_command_question *asked)
{
    struct http_question *question = asked->context;
    struct http_connection *connection = question->connection;
    struct eds_http_server *server = connection->server;

    http_loop_resume(connection);
    atomic_fetch_sub(&server->submission_count, 1);
}

bool http_question_ask(struct http_question *question)
{
    struct http_connection *connection = question->connection;
    struct eds_http_server *server = connection->server;

    atomic_fetch_add(&server->submission_count, 1);
    if (atomic_load(&server->ended)) {
        atomic_fetch_sub(&server->submission_count, 1);
        question->server_stops = true;
        return true;
    }
    question->asked.done = answered;
    question->asked.context = question;
    atomic_store(&connection->deadline_ms, 0); /* now it waits for us */
    MHD_suspend_connection(connection->mhd);
    server->config.desk->ask(server->config.desk, &question->asked);
    return false;
}

static enum MHD_Result answer_order(struct http_connection *connection,
                                    const struct eds_signed_order *signed_order)
{
    char *body = malloc(EDS_JSON_SIGNED_ORDER_SIZE_MAX);
    size_t size;

    if (body == NULL)
        return http_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NO_MEMORY);
    size = eds_json_signed_order_encode(body, EDS_JSON_SIGNED_ORDER_SIZE_MAX, signed_order);
    return http_answer_body(connection, MHD_HTTP_OK, body, size);
}

enum MHD_Result http_question_answer(struct http_question *question)
{
    struct http_connection *connection = question->connection;
    const struct eds_command_question *asked = &question->asked;

    if (question->server_stops)
        return http_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, STOPPING);
    if (asked->rc == EDS_OK)
        return answer_order(connection, &asked->signed_order);
    if (asked->rc == EDS_ERR_NOT_FOUND)
        return http_answer(connection, MHD_HTTP_NO_CONTENT, "");
    if (asked->rc == EDS_ERR_UNSUPPORTED)
        return http_answer(connection, MHD_HTTP_NOT_IMPLEMENTED, NO_DESK);
    if (asked->rc == EDS_ERR_BUSY) {
        http_log_refusal(connection, MHD_HTTP_SERVICE_UNAVAILABLE, asked->err.text);
        return http_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NO_ANSWER);
    }
    EDS_LOG(EDS_LOG_ERROR, "commands_unreadable", EDS_LOG_STRING("device_id", asked->device_id),
            EDS_LOG_STRING("error", asked->err.text));
    return http_answer(connection, MHD_HTTP_SERVICE_UNAVAILABLE, NO_ANSWER);
}

void http_question_free(struct http_question *question)
{
    free(question);
}
