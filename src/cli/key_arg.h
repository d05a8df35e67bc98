/* key_arg.h - which private key do the options name? */
#ifndef EDS_CLI_KEY_ARG_H
#define EDS_CLI_KEY_ARG_H

#include "cli/args.h"
#include "device/keyfile.h"
#include "cli/passphrase.h"

#define EDS_ENVIRONMENT_KEY "DEVICE_PRIVATE_KEY_HEX"

/* The three options, for a command's table. */
#define EDS_OPTIONS_KEY                                                                            \
    {.name = "private-key-hex",                                                                    \
     .value = "PRIVATE_KEY_HEX",                                                                   \
     .help = "Private key as 64 hex digits; others can see it while the command runs, so prefer "  \
             "--key-file or the environment",                                                      \
     .environment = EDS_ENVIRONMENT_KEY},                                                          \
        {.name = "key-file",                                                                       \
         .value = "FILE",                                                                          \
         .help = "File of the private key as keygen writes it, or 64 hex digits; '-' is standard " \
                 "input"},                                                                         \
        EDS_OPTION_PASSPHRASE_FILE

enum eds_key_source { EDS_KEY_NONE, EDS_KEY_ARGUMENT, EDS_KEY_FILE, EDS_KEY_ENVIRONMENT };

/* eds_key_source tells where the key is to come from: a flag, else the
 * environment. */
enum eds_key_source eds_key_source(const struct eds_args *args);

/* eds_key_get reads the key and warns on standard error where it lay open:
 * digits on the command line are overwritten there as soon as they are read.
 *
 *   out  wiped on failure; the caller wipes it after use
 *
 * EDS_OK; EDS_ERR_USAGE if no key or more than one is named; the errors of
 * eds_keyfile_parse, files and passphrases. */
int32_t eds_key_get(struct eds_key *out, const struct eds_args *args, struct eds_error *err);

/* eds_key_from_hex fills a key from 64 digits.  EDS_OK or EDS_ERR_MALFORMED in
 * the original's words. */
int32_t eds_key_from_hex(struct eds_key *out, const char *digits, struct eds_error *err);

#endif
