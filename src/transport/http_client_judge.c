/* http_client_judge.c - what an answer means, and what it means that there is none. */
#include <stdio.h>
#include <string.h>

#include "transport/http_client_impl.h"

/* Says what a refusal without a readable body means. */
static void explain_refusal(struct eds_delivery *out)
{
    const char *hint = "";

    if (out->status == 404 || out->status == 405)
        hint = "; is this the URL of an ingest server?";
    else if (out->status == 401 || out->status == 403)
        hint = "; may this address send?";
    out->answer.accepted = false;
    snprintf(out->answer.error, sizeof out->answer.error, "the server answered HTTP %u%s",
             out->status, hint);
}

static void count_result(void *context, size_t index, const struct eds_result *result)
{
    (void)result;
    *(size_t *)context = index + 1;
}

/* Whether the answer has results, all of them whole. */
static bool has_results(const struct eds_http_client *client, unsigned status)
{
    size_t count = 0;

    return (status == 202 || status == 207) &&
           eds_json_results_decode(client->answer, client->answer_size, count_result, &count,
                                   NULL) == EDS_OK &&
           count > 0;
}

static enum http_outcome judge_records(struct eds_http_client *client, enum http_request request,
                                       struct eds_delivery *out, struct eds_error *err)
{
    struct eds_error unreadable;
    const char *location = NULL;
    bool is_answer = eds_json_answer_decode(&out->answer, client->answer, client->answer_size,
                                            &unreadable) == EDS_OK;

    if (request == HTTP_MANY ? has_results(client, out->status)
                             : out->status == 202 && is_answer && out->answer.accepted)
        return HTTP_DECIDED;
    if (is_answer && out->answer.accepted) /* an "accepted" under another status is none */
        is_answer = false;
    out->is_explained = is_answer;
    if (out->status >= 300 && out->status < 400) {
        curl_easy_getinfo(client->easy, CURLINFO_REDIRECT_URL, &location);
        eds_error_set(err, EDS_ERR_IO, "%s redirects (HTTP %u) to %s; give that URL instead",
                      client->url_text, out->status, location != NULL ? location : "elsewhere");
        return HTTP_HOPELESS;
    }
    if (out->status >= 400 && out->status < 500 && out->status != 408 && out->status != 429) {
        if (!is_answer)
            explain_refusal(out);
        return HTTP_DECIDED;
    }
    if (out->status >= 400)
        eds_error_set(err, EDS_ERR_IO,
                      "%s answered HTTP %u%s%s; it cannot take records now, send again later",
                      client->url_text, out->status, is_answer ? ": " : "",
                      is_answer ? out->answer.error : "");
    else
        eds_error_set(err, EDS_ERR_IO,
                      "%s answered HTTP %u without a verdict; is this the URL of an ingest server?",
                      client->url_text, out->status);
    return HTTP_TRY_AGAIN;
}

enum http_outcome http_client_judge_failure(struct eds_http_client *client, CURLcode code,
                                            struct eds_error *err)
{
    const char *reason =
        client->curl_error[0] != '\0' ? client->curl_error : curl_easy_strerror(code);

    switch (code) {
    case CURLE_OUT_OF_MEMORY:
        eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP client");
        return HTTP_HOPELESS;
    case CURLE_SSL_CERTPROBLEM:
        eds_error_set(err, EDS_ERR_IO, "the client certificate is of no use: %s", reason);
        return HTTP_HOPELESS;
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
        eds_error_set(err, EDS_ERR_IO,
                      "%s is not trusted: %s; check the certificate, its name and the CA file",
                      client->url_text, reason);
        return HTTP_HOPELESS;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_CONNECT:
        eds_error_set(err, EDS_ERR_IO,
                      "cannot reach %s: %s; check that the server runs and listens there",
                      client->url_text, reason);
        return HTTP_TRY_AGAIN;
    case CURLE_WRITE_ERROR:
        eds_error_set(err, EDS_ERR_IO,
                      "%s answered more than %zu bytes; is this the URL of an ingest server?",
                      client->url_text, client->answer_room);
        return HTTP_TRY_AGAIN;
    default:
        eds_error_set(err, EDS_ERR_IO, "no verdict from %s: %s; the record may be sent again",
                      client->url_text, reason);
        return HTTP_TRY_AGAIN;
    }
}

/* What a server says of a payload alone. */
static enum http_outcome judge_put(struct eds_http_client *client, struct eds_delivery *out,
                                   struct eds_error *err)
{
    if (out->status == 200 || out->status == 201) {
        out->answer = (struct eds_answer){.accepted = true};
        return HTTP_DECIDED;
    }
    if (out->status == 501) { /* nor will it tomorrow */
        explain_refusal(out);
        return HTTP_DECIDED;
    }
    return judge_records(client, HTTP_PUT, out, err);
}

enum http_outcome http_client_judge(struct eds_http_client *client, enum http_request request,
                                    struct eds_delivery *out, struct eds_error *err)
{
    return request == HTTP_PUT ? judge_put(client, out, err)
                               : judge_records(client, request, out, err);
}
