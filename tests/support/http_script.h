/* http_script.h - an HTTP server that follows a script, whatever it is asked. */
#ifndef EDS_TESTS_SUPPORT_HTTP_SCRIPT_H
#define EDS_TESTS_SUPPORT_HTTP_SCRIPT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define HTTP_SCRIPT_STEPS 8

/* What the script does with one request: the bytes to answer; "close" closes the
 * connection without any, HTTP_SILENT keeps it open and says nothing. */
#define HTTP_SILENT "silent"

#define HTTP_ANSWER(status, fields, length, body)                                                  \
    "HTTP/1.1 " status "\r\n" fields "Content-Length: " length "\r\n\r\n" body

struct http_script {
    const char *steps[HTTP_SCRIPT_STEPS]; /* the last one repeats */
    int listen_fd;
    unsigned port;
    pthread_t thread;
    atomic_uint requests, connections;
    atomic_bool ended;
    char head[2048];                      /* of the last request */
    char targets[HTTP_SCRIPT_STEPS][128]; /* the first requests' first lines */
};

void http_script_start(struct http_script *script);
void http_script_stop(struct http_script *script);

#endif
