/* command_service.h - a server's half of commands to devices: its signing key, and the
 * desk where devices ask (ingest/ledger_desk.h). */
#ifndef EDS_CLI_COMMAND_SERVICE_H
#define EDS_CLI_COMMAND_SERVICE_H

#include "cli/store_arg.h"
#include "ingest/ledger_desk.h"

#define EDS_OPTION_COMMAND_KEY                                                                     \
    {                                                                                              \
        .name = "command-key-file", .value = "FILE",                                               \
        .help = "Give devices their commands, signed with the private key in this file, which is " \
                "read again at SIGHUP; without it they get none"                                   \
    }

/* eds_command_service_open opens the desk if args ask for one; else *out is NULL.
 * EDS_OK, EDS_ERR_USAGE (a ledger in memory; somebody's key), or the errors of file,
 * key and ledger. */
int32_t eds_command_service_open(struct eds_ledger_desk **out, const struct eds_args *args,
                                 struct eds_error *err);

/* eds_command_service_reload reads the key again; nothing changes after an error.
 *
 *   desk  may be NULL */
int32_t eds_command_service_reload(struct eds_ledger_desk *desk, const struct eds_args *args,
                                   struct eds_error *err);

#endif
