/* drill_watch.c - see drill_watch.h. */
#include "cli/drill_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int32_t eds_drill_watch_get(struct eds_http_page *out, const struct eds_args *args,
                            const char *path, struct eds_error *err)
{
    char url[512];
    int size = snprintf(url, sizeof url, "http://%s%s", eds_args_text(args, "admin-addr"), path);

    *out = (struct eds_http_page){.status = 0};
    if (size < 0 || (size_t)size >= sizeof url)
        return eds_error_set(err, EDS_ERR_USAGE, "--admin-addr is too long");
    return eds_http_get(out, url, NULL, err);
}

unsigned eds_drill_watch_ready(const struct eds_args *args, struct eds_error *err)
{
    struct eds_http_page page;

    if (eds_drill_watch_get(&page, args, "/readyz", err) != EDS_OK)
        return 0;
    page.text[strcspn(page.text, "\r\n")] = '\0';
    eds_error_set(err, EDS_OK, "/readyz says %u %s", page.status, page.text);
    free(page.text);
    return page.status;
}

int32_t eds_drill_watch_count(const struct eds_args *args, const char *series, uint64_t *out,
                              struct eds_error *err)
{
    struct eds_http_page page;
    int32_t rc = eds_drill_watch_get(&page, args, "/metrics", err);

    if (rc == EDS_OK && !eds_metric_read(page.text, series, out))
        rc = eds_error_set(err, EDS_ERR_NOT_FOUND,
                           "there is no %s at http://%s/metrics (HTTP %u); is that the admin "
                           "listener of the server?",
                           series, eds_args_text(args, "admin-addr"), page.status);
    free(page.text);
    return rc;
}

void eds_drill_pause(unsigned ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&rest, NULL);
}
