/* drill_prometheus.c - see drill_prometheus.h. */
#include "cli/drill_prometheus.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "transport/http_get.h"

/* Whether the page of that path has the text. */
static int32_t look_for(const struct eds_args *args, const char *path, const char *text, bool *out,
                        struct eds_error *err)
{
    const char *prometheus = eds_args_text(args, "prometheus");
    size_t size = strlen(prometheus);
    struct eds_http_page page;
    char url[1024];
    int32_t rc;

    while (size > 0 && prometheus[size - 1] == '/')
        size--;
    snprintf(url, sizeof url, "%.*s%s", (int)size, prometheus, path);
    rc = eds_http_get(&page, url, eds_args_text(args, "ca-file"), err);
    if (rc == EDS_OK && page.status != 200)
        rc = eds_error_set(err, EDS_ERR_IO, "%s answered HTTP %u; is it Prometheus?", url,
                           page.status);
    if (rc == EDS_OK)
        *out = strstr(page.text, text) != NULL;
    free(page.text);
    return rc;
}

int32_t eds_drill_prometheus_has_rule(const struct eds_args *args, const char *alert, bool *out,
                                      struct eds_error *err)
{
    char text[128];

    snprintf(text, sizeof text, "\"name\":\"%s\"", alert);
    return look_for(args, "/api/v1/rules?type=alert", text, out, err);
}

int32_t eds_drill_prometheus_fires(const struct eds_args *args, const char *alert, bool *out,
                                   struct eds_error *err)
{
    char text[128];

    snprintf(text, sizeof text, "alertname=\"%s\"", alert);
    return look_for(args, "/federate?match%5B%5D=ALERTS%7Balertstate%3D%22firing%22%7D", text, out,
                    err);
}
