/* http_object.h - PUT /api/v1/objects/HASH: a large payload that comes before its
 * record.
 *
 * It is written to a file and hashed while it comes in, so that its size costs no
 * memory.  Only when all of it is there and has the hash that the path says is it
 * given to the store; the connection is suspended until that has it. */
#ifndef EDS_TRANSPORT_HTTP_OBJECT_H
#define EDS_TRANSPORT_HTTP_OBJECT_H

#include "transport/http_connection.h"

#define HTTP_OBJECTS_PATH "/api/v1/objects/"
#define HTTP_OBJECTS_MAX  32u /* coming in at once; 503 past it */

/* http_object_begin decides what the head can decide, and makes the file.  0; or
 * the status to refuse it with, and error says why. */
unsigned http_object_begin(struct http_connection *connection, const struct eds_http_head *head,
                           const char *url, const char *method, char error[EDS_ERROR_TEXT_SIZE]);

/* http_object_take takes bytes of the body.  EDS_OK; EDS_ERR_TOO_LARGE; EDS_ERR_BUSY
 * if there is no room on the disk. */
int32_t http_object_take(struct http_object *object, const char *bytes, size_t size);

/* http_object_finish takes the end of the body.  True: http_object_answer may be
 * called.  False: the connection is suspended until then. */
bool http_object_finish(struct http_object *object);

/* http_object_answer queues the answer; MHD_NO without memory. */
enum MHD_Result http_object_answer(struct http_object *object);

/* http_object_free gives up what was not stored; NULL does nothing. */
void http_object_free(struct http_object *object);

#endif
