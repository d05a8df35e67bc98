/* http_results.c - see http_results.h. */
#include "transport/http_results.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Six characters for one byte at most ("\u001f"), and the frame around it. */
#define RESULT_SIZE_MAX (6 * EDS_ERROR_TEXT_SIZE + 64)
#define HEAD_SIZE       96u /* bytes, of what stands before the results */
#define ROOM_FIRST      32768u

/* Leaves the text to whoever has taken it. */
static void empty(struct http_results *results)
{
    atomic_fetch_sub(&results->server->body_memory, results->room);
    *results = (struct http_results){.server = results->server};
}

void http_results_free(struct http_results *results)
{
    free(results->text);
    empty(results);
}

/* Makes room for one more result.  The head has its place in front. */
static bool grow(struct http_results *results)
{
    size_t room = results->room > 0 ? 2 * results->room : ROOM_FIRST;
    char *text;

    if (results->room - results->size >= RESULT_SIZE_MAX)
        return true;
    if (!http_memory_reserve(results->server, room - results->room))
        return false;
    text = realloc(results->text, room);
    if (text == NULL) {
        atomic_fetch_sub(&results->server->body_memory, room - results->room);
        return false;
    }
    if (results->room == 0)
        results->size = HEAD_SIZE;
    results->text = text;
    results->room = room;
    return true;
}

static void add_text(struct http_results *results, const char *text)
{
    size_t size = strlen(text);

    memcpy(results->text + results->size, text, size);
    results->size += size;
}

/* Whether the record may come again.  One that does not follow, after one that was
 * not decided, may have been right. */
static bool may_come_again(struct http_results *results, enum eds_verdict verdict)
{
    bool undecided = eds_verdict_is_undecided(verdict);

    results->has_undecided = results->has_undecided || undecided;
    return undecided || (results->has_undecided &&
                         (verdict == EDS_VERDICT_SEQUENCE || verdict == EDS_VERDICT_PREVIOUS_HASH));
}

bool http_results_add(struct http_results *results, const struct eds_submission *submission,
                      bool is_record)
{
    struct eds_answer answer = {.accepted = is_record && eds_verdict_is_kept(submission->verdict),
                                .quarantined =
                                    is_record && submission->verdict == EDS_VERDICT_QUARANTINED};

    if (!grow(results))
        return false;
    if (results->accepted + results->rejected > 0)
        add_text(results, ",");
    if (answer.accepted) {
        results->accepted++;
        add_text(results,
                 answer.quarantined ? "{\"status\":\"quarantined\"}" : "{\"status\":\"accepted\"}");
        return true;
    }
    results->rejected++;
    if (is_record)
        eds_ingest_answer_text(answer.error, submission);
    else
        memcpy(answer.error, submission->message, sizeof answer.error);
    results->size += eds_json_answer_encode(results->text + results->size,
                                            results->room - results->size, &answer);
    if (is_record && may_come_again(results, submission->verdict)) {
        results->size--; /* the brace */
        add_text(results, ",\"retry\":true}");
    }
    return true;
}

/* 202 says that all is kept, as for a single record; everything else is to be
 * read in the results. */
static unsigned status_of(const struct http_results *results)
{
    if (results->accepted + results->rejected == 0)
        return results->is_cut ? MHD_HTTP_SERVICE_UNAVAILABLE : MHD_HTTP_BAD_REQUEST;
    return results->rejected == 0 && !results->is_cut ? MHD_HTTP_ACCEPTED : MHD_HTTP_MULTI_STATUS;
}

enum MHD_Result http_results_answer(struct http_results *results,
                                    struct http_connection *connection)
{
    unsigned status = status_of(results);
    char head[HEAD_SIZE], *body;
    size_t head_size, size;

    if (status == MHD_HTTP_SERVICE_UNAVAILABLE)
        return http_answer(connection, status, "too many bodies at once; send again");
    if (status == MHD_HTTP_BAD_REQUEST)
        return http_answer(connection, status, "no record in the batch");
    head_size = (size_t)snprintf(head, sizeof head,
                                 "{\"accepted\":%" PRIu64 ",\"rejected\":%" PRIu64 ",\"results\":[",
                                 results->accepted, results->rejected);
    add_text(results, "]}");
    size = results->size - HEAD_SIZE + head_size;
    memmove(results->text + head_size, results->text + HEAD_SIZE, results->size - HEAD_SIZE);
    memcpy(results->text, head, head_size);
    body = results->text;
    empty(results);
    return http_answer_body(connection, status, body, size);
}
