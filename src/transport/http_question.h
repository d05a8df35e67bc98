/* http_question.h - GET /api/v1/commands?device=ID&nonce=HEX: a device asks whether there
 * is a command for it.
 *
 * The connection is suspended until the desk (ingest/command_question.h) has answered. */
#ifndef EDS_TRANSPORT_HTTP_QUESTION_H
#define EDS_TRANSPORT_HTTP_QUESTION_H

#include "transport/http_connection.h"

#define HTTP_COMMANDS_PATH "/api/v1/commands"

struct http_question;

/* http_question_begin decides what the head can decide.  0; or the status to refuse it
 * with, and error says why. */
unsigned http_question_begin(struct http_connection *connection, const struct eds_http_head *head,
                             const char *method, char error[EDS_ERROR_TEXT_SIZE]);

/* http_question_ask asks.  True: http_question_answer may be called.  False: the
 * connection is suspended until then. */
bool http_question_ask(struct http_question *question);

/* http_question_answer queues the answer; MHD_NO without memory. */
enum MHD_Result http_question_answer(struct http_question *question);

/* http_question_free forgets it; NULL does nothing. */
void http_question_free(struct http_question *question);

#endif
