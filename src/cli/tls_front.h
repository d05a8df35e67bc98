/* tls_front.h - the certificates of an HTTP side, and whom they let speak for whom:
 * serve-tls and gateway. */
#ifndef EDS_CLI_TLS_FRONT_H
#define EDS_CLI_TLS_FRONT_H

#include "cli/args.h"
#include "transport/gateways.h"
#include "transport/tls.h"

extern const char *const eds_tls_front_auths[];

/* The options, for a command's table. */
#define EDS_OPTIONS_TLS_FRONT(is_required)                                                         \
    {.name = "tls-cert",                                                                           \
     .value = "TLS_CERT",                                                                          \
     .help = "The certificate and those that vouch for it, as PEM, its own first",                 \
     .required = (is_required)},                                                                   \
        {.name = "tls-key",                                                                        \
         .value = "TLS_KEY",                                                                       \
         .help = "The certificate's private key, as PEM",                                          \
         .required = (is_required)},                                                               \
        {.name = "client-ca",                                                                      \
         .value = "FILE",                                                                          \
         .help =                                                                                   \
             "Who vouches for clients, as PEM: each then shows a certificate, and may only send "  \
             "the records of the device that it names"},                                           \
        {.name = "client-auth",                                                                    \
         .value = "AUTH",                                                                          \
         .fallback = "required",                                                                   \
         .choices = eds_tls_front_auths,                                                           \
         .help = "Must a client have a certificate? optional: it may also come without one"},      \
        {.name = "client-crl",                                                                     \
         .value = "FILE",                                                                          \
         .help =                                                                                   \
             "Client certificates that no longer count, as PEM: revocation lists of --client-ca"}, \
    {                                                                                              \
        .name = "gateway", .value = "NAME=DEVICES", .repeatable = true,                            \
        .check = eds_gateways_check,                                                               \
        .help = "A client whose certificate has this name may also send the records of these "     \
                "devices, separated by commas"                                                     \
    }

/* Zeroed at first. */
struct eds_tls_front {
    struct eds_gateways gateways;
    struct eds_tls *tls; /* NULL: not opened */
};

/* eds_tls_front_fault says which of the options do not go together; NULL: they do. */
const char *eds_tls_front_fault(const struct eds_args *args);

/* eds_tls_front_open reads the files that the options name.  Errors of eds_tls_open. */
int32_t eds_tls_front_open(struct eds_tls_front *front, const struct eds_args *args,
                           struct eds_error *err);

/* eds_tls_front_reload reads them again, and says so in the log; context is the
 * struct eds_tls, asked as in struct eds_service. */
void eds_tls_front_reload(void *context, bool asked);

/* eds_tls_front_close frees all, in whatever state opening left it. */
void eds_tls_front_close(struct eds_tls_front *front);

#endif
