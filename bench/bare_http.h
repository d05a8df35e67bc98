/* bare_http.h - the server that ours is held against: libmicrohttpd as it comes, which
 * takes a body, answers 202 and keeps nothing. */
#ifndef EDS_BENCH_BARE_HTTP_H
#define EDS_BENCH_BARE_HTTP_H

#include <microhttpd.h>

/* bare_http_answer is its handler; context is the response. */
enum MHD_Result bare_http_answer(void *context, struct MHD_Connection *connection, const char *url,
                                 const char *method, const char *version, const char *data,
                                 size_t *data_size, void **state);

#endif
