/* chain_keys.h - which keys may have signed a chain: those of --public-key-hex,
 * of --device, and of the device in a ledger's registry. */
#ifndef EDS_CLI_CHAIN_KEYS_H
#define EDS_CLI_CHAIN_KEYS_H

#include "cli/args.h"
#include "edgesentry/chain.h"

struct eds_chain_keys {
    uint8_t (*public_keys)[EDS_PUBLIC_KEY_SIZE];
    uint64_t *last_sequences; /* of each; UINT64_MAX where it has no end */
    size_t count;
    char fault[256]; /* the chain is of another device than all that are named; else "" */
};

/* eds_chain_keys_wanted tells whether args name any: with keys signatures are
 * checked. */
bool eds_chain_keys_wanted(const struct eds_args *args);

/* eds_chain_keys_take gathers the keys of a device.  Those of others do not
 * count, or one device could speak for another.
 *
 *   device_id  of the chain's first record; NULL for an empty chain
 *
 * EDS_OK, also with a fault; else an error of a key or the ledger.  Free in any
 * case. */
int32_t eds_chain_keys_take(struct eds_chain_keys *keys, const struct eds_args *args,
                            const char *device_id, struct eds_error *err);
void eds_chain_keys_free(struct eds_chain_keys *keys);

/* eds_chain_keys_rules lets rules use them. */
void eds_chain_keys_rules(const struct eds_chain_keys *keys, struct eds_chain_rules *rules);

#endif
