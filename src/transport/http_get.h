/* http_get.h - asking a web server for one page. */
#ifndef EDS_TRANSPORT_HTTP_GET_H
#define EDS_TRANSPORT_HTTP_GET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/error.h"

#define EDS_HTTP_PAGE_MAX ((size_t)4 << 20) /* bytes */

struct eds_http_page {
    unsigned status;
    char *text; /* NUL-terminated; the caller frees it */
    size_t size;
};

/* eds_http_get asks for a page, within 10 s.  EDS_OK whatever the status is; EDS_ERR_IO
 * without an answer, EDS_ERR_NO_MEMORY; out->text is NULL then.
 *
 *   ca_file  NULL: the system's */
int32_t eds_http_get(struct eds_http_page *out, const char *url, const char *ca_file,
                     struct eds_error *err);

/* eds_metric_read finds a sample in a page of Prometheus' text format, series being
 * written as it stands there ("name" or "name{label=\"value\"}").  A fraction is cut
 * off.  False if it is not there. */
bool eds_metric_read(const char *page, const char *series, uint64_t *out);

#endif
