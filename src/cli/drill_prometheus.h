/* drill_prometheus.h - does Prometheus know an alert, and does it fire? */
#ifndef EDS_CLI_DRILL_PROMETHEUS_H
#define EDS_CLI_DRILL_PROMETHEUS_H

#include <stdbool.h>

#include "cli/args.h"

/* The option, for a drill's table; a drill that has it has --ca-file as well. */
#define EDS_OPTION_DRILL_PROMETHEUS                                                                \
    {                                                                                              \
        .name = "prometheus", .value = "URL",                                                      \
        .help = "Ask this Prometheus, http://HOST:9090, whether the alerts fire"                   \
    }

/* eds_drill_prometheus_has_rule and eds_drill_prometheus_fires ask the one that args
 * name, for any instance.  Errors of eds_http_get, and EDS_ERR_IO for an answer that is
 * none of Prometheus. */
int32_t eds_drill_prometheus_has_rule(const struct eds_args *args, const char *alert, bool *out,
                                      struct eds_error *err);
int32_t eds_drill_prometheus_fires(const struct eds_args *args, const char *alert, bool *out,
                                   struct eds_error *err);

#endif
