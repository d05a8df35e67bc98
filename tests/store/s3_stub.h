/* s3_stub.h - an HTTP server that answers as the test says, on 127.0.0.1: for
 * what a real service cannot be brought to answer. */
#ifndef EDS_TESTS_STORE_S3_STUB_H
#define EDS_TESTS_STORE_S3_STUB_H

#include <stddef.h>

#define STUB_TEXT_SIZE 16384u

struct stub_request {
    char head[STUB_TEXT_SIZE]; /* request line and headers */
    char body[4096];
    size_t body_size;
};

struct stub;

/* stub_start starts it; answer writes a whole HTTP answer for a request, on any
 * of the server's threads but one at a time; an empty one closes the connection. */
struct stub *stub_start(int *port,
                        void (*answer)(void *context, const struct stub_request *,
                                       char out[STUB_TEXT_SIZE]),
                        void *context);
void stub_stop(struct stub *stub);

/* stub_header finds a header's value, or NULL; name in lower case. */
const char *stub_header(const struct stub_request *request, const char *name, char out[1024]);

#endif
