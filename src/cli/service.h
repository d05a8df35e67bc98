/* service.h - what every server of ours stands on, whatever it speaks: the
 * devices it knows, a ledger, ingest, the signals that end it, and the line it
 * ends with. */
#ifndef EDS_CLI_SERVICE_H
#define EDS_CLI_SERVICE_H

#include <signal.h>

#include "cli/objects_arg.h"
#include "cli/store_arg.h"
#include "ingest/roster_watch.h"

struct eds_metrics; /* transport/metrics.h */

extern const char *const eds_service_attest_names[];
extern const char *const eds_service_log_formats[]; /* in the order of enum eds_log_format */
extern const char *const eds_service_log_levels[];  /* in the order of enum eds_log_level */

/* eds_service_check_rate is the check of the rates. */
int32_t eds_service_check_rate(const char *text, struct eds_error *err);

/* The options of all servers, for their tables. */
#define EDS_OPTIONS_SERVICE_DEVICES                                                                \
    {.name = "device",                                                                             \
     .value = "ID=PUBKEY_HEX",                                                                     \
     .repeatable = true,                                                                           \
     .help = "A device and its public key; once for each device, or for each of its keys"},        \
        {.name = "rate-per-device",                                                                \
         .reloadable = true,                                                                       \
         .value = "RATE[:BURST]",                                                                  \
         .fallback = "1000:100000",                                                                \
         .check = eds_service_check_rate,                                                          \
         .help = "Records a second that a device may send, and how many at once after a pause; 0 " \
                 "for no limit"},                                                                  \
    {                                                                                              \
        .name = "attest", .value = "ATTEST", .fallback = "optional",                               \
        .choices = eds_service_attest_names,                                                       \
        .help = "Must records of these devices be attested? optional: from a device's first "      \
                "attested record on"                                                               \
    }
#define EDS_OPTIONS_SERVICE_LOG                                                                    \
    EDS_OPTION_CONFIG,                                                                             \
        {.name = "log-format",                                                                     \
         .reloadable = true,                                                                       \
         .value = "FORMAT",                                                                        \
         .fallback = "logfmt",                                                                     \
         .choices = eds_service_log_formats,                                                       \
         .help = "How the lines on standard error look"},                                          \
    {                                                                                              \
        .name = "log-level", .value = "LEVEL", .fallback = "info",                                 \
        .choices = eds_service_log_levels, .reloadable = true,                                     \
        .help = "The least important lines to write"                                               \
    }
#define EDS_OPTION_SERVICE_JSON                                                                    \
    {                                                                                              \
        .name = "json", .help = "Print the summary at the end as one JSON object, errors included" \
    }

/* In the order of starting; all NULL at first.  A gateway has no ledger, and fills in
 * ingest and args itself. */
struct eds_service {
    struct eds_registry *registry;
    struct eds_ledger *ledger;
    struct eds_objects *objects;  /* NULL also if payloads go into the ledger */
    struct eds_objects *uploaded; /* where they are that come before their records; maybe objects */
    const char *rate_per_source;  /* for ingest; NULL where there are no addresses */
    struct eds_ingest *ingest;
    struct eds_roster_watch *watch;  /* NULL for a ledger in memory */
    struct eds_ingest_counts counts; /* filled by eds_service_close */

    /* Called at SIGHUP (asked) and once a second (not asked: only what has changed);
     * NULL: there is nothing. */
    void (*reload)(void *context, bool asked);
    void *reload_context;

    /* Called at SIGHUP with the options as the files have them now: takes all of what
     * is reloadable besides the service's own, or, with an error, nothing.  NULL: there
     * is nothing. */
    int32_t (*apply)(void *context, const struct eds_args *args, struct eds_error *err);
    void *apply_context;

    /* What a front adds to the pages of the admin listener, from its thread; NULL:
     * nothing.  check_ready as in struct eds_http_admin_config. */
    void (*write_metrics)(void *context, struct eds_metrics *page);
    int32_t (*check_ready)(void *context, struct eds_error *err);
    void *watched;

    const struct eds_args *args; /* as the server was started; of eds_service_open */
    struct eds_config config;    /* the last one that was read again */
};

/* eds_service_begin sets the log up and blocks the signals that end a server:
 * to be called before the first thread is made, so that none of them meets a
 * thread that does not expect it. */
void eds_service_begin(const struct eds_args *args, sigset_t *ending);

/* eds_service_add_devices makes the registry of what args name.  Errors in the
 * original's words. */
int32_t eds_service_add_devices(struct eds_service *service, const struct eds_args *args,
                                struct eds_error *err);

/* eds_service_rates fills in the rates that args name, whose check has passed. */
void eds_service_rates(const struct eds_service *service, const struct eds_args *args,
                       struct eds_ingest_config *config);

/* eds_service_open opens the ledger and the store of payloads, reads the devices
 * that are registered there, starts ingest and watches for changes of the
 * registry. */
int32_t eds_service_open(struct eds_service *service, const struct eds_args *args,
                         struct eds_error *err);

/* eds_service_await waits for a signal that ends the server, and reloads meanwhile; from then on
 * the second one ends the process at once. */
void eds_service_await(struct eds_service *service, const sigset_t *ending);

/* eds_service_close finishes what ingest has taken and closes everything, in
 * whatever state opening left it. */
void eds_service_close(struct eds_service *service);

/* eds_service_summarize prints what was done, on standard output. */
void eds_service_summarize(const struct eds_service *service, const struct eds_args *args);

#endif
