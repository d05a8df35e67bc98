/* drill_watch.h - what a drill reads of the server's admin listener. */
#ifndef EDS_CLI_DRILL_WATCH_H
#define EDS_CLI_DRILL_WATCH_H

#include "cli/args.h"
#include "transport/http_get.h"

/* The option, for a drill's table. */
#define EDS_OPTION_DRILL_ADMIN                                                                     \
    {                                                                                              \
        .name = "admin-addr", .value = "ADDR", .fallback = "127.0.0.1:9464",                       \
        .help = "The same server's own listener, to be asked for /readyz and /metrics"             \
    }

/* eds_drill_watch_get asks for "/readyz" and the like; out->text is the caller's.
 * Errors of eds_http_get. */
int32_t eds_drill_watch_get(struct eds_http_page *out, const struct eds_args *args,
                            const char *path, struct eds_error *err);

/* eds_drill_watch_ready asks /readyz, and returns the status: 200 ready, 503 not, 0
 * without an answer.  err->text says it in words. */
unsigned eds_drill_watch_ready(const struct eds_args *args, struct eds_error *err);

/* eds_drill_watch_count reads one counter of /metrics.  EDS_ERR_NOT_FOUND if the page
 * does not have it. */
int32_t eds_drill_watch_count(const struct eds_args *args, const char *series, uint64_t *out,
                              struct eds_error *err);

/* eds_drill_pause waits for so many ms, or until a signal comes. */
void eds_drill_pause(unsigned ms);

#endif
