/* when.h - a moment on the command line: 2026-11-22T00:00:00Z (with or without
 * milliseconds), "now", or a span from now such as +90s, +15m, +24h or +7d. */
#ifndef EDS_CLI_WHEN_H
#define EDS_CLI_WHEN_H

#include "edgesentry/error.h"

/* eds_when_parse reads one.  EDS_OK or EDS_ERR_USAGE. */
int32_t eds_when_parse(uint64_t *unix_ms, const char *text, uint64_t now_ms, struct eds_error *err);

/* eds_check_when is the check of an option. */
int32_t eds_check_when(const char *text, struct eds_error *err);

#endif
