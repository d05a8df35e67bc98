/* agent_orders.h - the agent asks for commands, and does them. */
#ifndef EDS_CLI_AGENT_ORDERS_H
#define EDS_CLI_AGENT_ORDERS_H

#include "cli/agent_job.h"
#include "cli/agent_settings.h"

#define EDS_OPTIONS_AGENT_ORDERS                                                                   \
    {.name = "command-key",                                                                        \
     .value = "PUBLIC_KEY_HEX",                                                                    \
     .repeatable = true,                                                                           \
     .help = "Ask the server for commands, and do those that this key has signed; once for each "  \
             "key"},                                                                               \
        {.name = "command-url",                                                                    \
         .value = "URL",                                                                           \
         .help = "Where to ask, https://HOST:PORT or mqtts://BROKER:PORT/TOPIC, if not at --url"}, \
    {                                                                                              \
        .name = "command-poll", .value = "SECONDS", .fallback = "60", .check = eds_check_u64,      \
        .help = "How often to ask, a fifth sooner or later; through a broker a command also "      \
                "comes when it "                                                                   \
                "is given"                                                                         \
    }

struct eds_agent_orders;

/* eds_agent_orders_start begins to ask, if args name a key; else *out is NULL.
 *
 *   job       has agent and buffer by now
 *   settings  the agent's; changed by commands
 *   signer    where the agent's signer is: a command may put another one there, and
 *             closes the one before
 *
 * EDS_OK, EDS_ERR_USAGE (a key without --url, no key), EDS_ERR_NO_MEMORY, EDS_ERR_IO. */
int32_t eds_agent_orders_start(struct eds_agent_orders **out, struct eds_agent_job *job,
                               struct eds_agent_settings *settings, struct eds_signer **signer,
                               struct eds_error *err);

/* eds_agent_orders_stop lets a question under way come to its end, asks once if nobody
 * has asked yet, and frees all; NULL is fine. */
void eds_agent_orders_stop(struct eds_agent_orders *orders);

#endif
