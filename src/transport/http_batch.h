/* http_batch.h - many records in one request, decided while they still come in.
 *
 * The whole records of each piece of the body become a block, and blocks a portion
 * (http_portion.h), which goes to ingest; meanwhile the next one comes in, and then the
 * connection waits until the store has caught up.  So a body of any length takes little
 * more than the memory of two portions, and of its results.
 *
 * From the first record on that ingest had no room for, the rest of the body is
 * not submitted: a later record of the same device would be refused for good. */
#ifndef EDS_TRANSPORT_HTTP_BATCH_H
#define EDS_TRANSPORT_HTTP_BATCH_H

#include "codec/batch_reader.h"
#include "transport/http_connection.h"

#define HTTP_BATCH_RECORDS_MAX 10000u /* of one request */

struct http_batch;

/* http_batch_begin starts the batch of a connection's request; NULL without memory. */
struct http_batch *http_batch_begin(struct http_connection *connection,
                                    enum eds_batch_format format);

/* http_batch_take takes bytes of the body.  EDS_OK, perhaps with the connection
 * suspended until there is room; EDS_ERR_NO_MEMORY or EDS_ERR_BUSY (past the
 * memory of all bodies): the request cannot go on; EDS_ERR_TOO_LARGE: too much has
 * come behind what ended the batch. */
int32_t http_batch_take(struct http_batch *batch, const char *bytes, size_t size);

/* http_batch_finish takes the end of the body.  True: everything is decided, and
 * http_batch_answer may be called.  False: the connection is suspended until then. */
bool http_batch_finish(struct http_batch *batch);

/* http_batch_answer queues the answer; MHD_NO without memory. */
enum MHD_Result http_batch_answer(struct http_batch *batch);

/* http_batch_abandon gives the batch up: its connection has no more use for it,
 * and what is still with ingest is freed when it comes back. */
void http_batch_abandon(struct http_batch *batch);

#endif
