/* operator_keys.h - which keys may have signed gap records: those of --operator, or
 * of the operators in a ledger's registry. */
#ifndef EDS_CLI_OPERATOR_KEYS_H
#define EDS_CLI_OPERATOR_KEYS_H

#include "cli/args.h"
#include "cli/device_arg.h"
#include "store/roster.h"

#define EDS_OPTION_OPERATOR                                                                        \
    {                                                                                              \
        .name = "operator", .value = "NAME=PUBKEY_HEX", .repeatable = true,                        \
        .help = "Hold gap records against this key of an operator, at any time, and not "          \
                "against the registry"                                                             \
    }

struct eds_operator_keys {
    struct eds_device_arg *given; /* by --operator */
    size_t given_count;
    struct eds_enrolled_key *keys; /* of the operator asked for last, if any is given */
    struct eds_ledger *ledger;     /* the caller's; NULL: no registry */
    struct eds_enrolment enrolment;
    struct eds_error failure; /* of the registry, if its code is not EDS_OK */
};

/* eds_operator_keys_take reads the options; the ledger may be NULL.  Free in any case. */
int32_t eds_operator_keys_take(struct eds_operator_keys *keys, const struct eds_args *args,
                               struct eds_ledger *ledger, struct eds_error *err);
void eds_operator_keys_free(struct eds_operator_keys *keys);

/* eds_operator_keys_find gives an operator's keys, until the next call; returns their
 * number, 0 for one who is not known. */
size_t eds_operator_keys_find(struct eds_operator_keys *keys, const char *name,
                              const struct eds_enrolled_key **out);

#endif
