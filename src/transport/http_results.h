/* http_results.h - the answer to a batch: one result a record, in their order. */
#ifndef EDS_TRANSPORT_HTTP_RESULTS_H
#define EDS_TRANSPORT_HTTP_RESULTS_H

#include "transport/http_connection.h"

/* Starts empty, all zero but for the server. */
struct http_results {
    struct eds_http_server *server; /* whose memory of all bodies this is a part of */
    char *text;                     /* with a comma before each result but the first */
    size_t size, room;
    uint64_t accepted, rejected;
    bool has_undecided; /* one of them may come again */
    bool is_cut;        /* the server could not read the batch to its end */
};

void http_results_free(struct http_results *results);

/* http_results_add adds one result; false without memory, or past
 * that of all bodies.
 *
 *   is_record  else submission has no more than a message: what is wrong */
bool http_results_add(struct http_results *results, const struct eds_submission *submission,
                      bool is_record);

/* http_results_answer queues the answer and empties the results. */
enum MHD_Result http_results_answer(struct http_results *results,
                                    struct http_connection *connection);

#endif
