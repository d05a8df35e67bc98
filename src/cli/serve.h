/* serve.h - what eds audit serve and serve-tls have in common. */
#ifndef EDS_CLI_SERVE_H
#define EDS_CLI_SERVE_H

#include "cli/store_arg.h"
#include "transport/http_server.h"

extern const char *const eds_serve_attest_names[];
extern const char *const eds_serve_log_formats[]; /* in the order of enum eds_log_format */
extern const char *const eds_serve_log_levels[];  /* in the order of enum eds_log_level */

/* eds_serve_check_address is the check of --addr. */
int32_t eds_serve_check_address(const char *text, struct eds_error *err);

/* The options of both, for their tables. */
#define EDS_OPTIONS_SERVE(default_address)                                                         \
    {.name = "addr",                                                                               \
     .value = "ADDR",                                                                              \
     .fallback = (default_address),                                                                \
     .check = eds_serve_check_address,                                                             \
     .help = "Address and port to listen on; port 0 takes a free one, [::] takes IPv4 as well"},   \
        {.name = "allowed-sources",                                                                \
         .value = "ALLOWED_SOURCES",                                                               \
         .fallback = "127.0.0.1",                                                                  \
         .help = "Who may send: addresses and networks (10.0.0.0/8), separated by commas"},        \
        {.name = "device",                                                                         \
         .value = "ID=PUBKEY_HEX",                                                                 \
         .repeatable = true,                                                                       \
         .help = "A device and its public key; once for each device, or for each of its keys"},    \
        {.name = "attest",                                                                         \
         .value = "ATTEST",                                                                        \
         .fallback = "optional",                                                                   \
         .choices = eds_serve_attest_names,                                                        \
         .help = "Must records of these devices be attested? optional: from a device's first "     \
                 "attested record on"},                                                            \
        EDS_OPTION_DATA_DIR, EDS_OPTION_STORE,                                                     \
        {.name = "log-format",                                                                     \
         .value = "FORMAT",                                                                        \
         .fallback = "logfmt",                                                                     \
         .choices = eds_serve_log_formats,                                                         \
         .help = "How the lines on standard error look"},                                          \
        {.name = "log-level",                                                                      \
         .value = "LEVEL",                                                                         \
         .fallback = "info",                                                                       \
         .choices = eds_serve_log_levels,                                                          \
         .help = "The least important lines to write"},                                            \
        {.name = "port-file",                                                                      \
         .value = "FILE",                                                                          \
         .help = "Write the port to this file once the server listens"},                           \
        {.name = "json",                                                                           \
         .help = "Print the summary at the end as one JSON object, errors included"},              \
        EDS_OPTIONS_END

/* eds_serve listens until a signal ends it, and returns the exit code; with
 * both PEM texts over TLS.  The texts are the caller's. */
int eds_serve(const struct eds_args *args, const char *cert_pem, const char *key_pem);

#endif
