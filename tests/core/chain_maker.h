/* chain_maker.h - whole, attested chains to do harm to. */
#ifndef EDS_TESTS_CORE_CHAIN_MAKER_H
#define EDS_TESTS_CORE_CHAIN_MAKER_H

#include "edgesentry/attest.h"
#include "edgesentry/chain.h"

#define CHAIN_LENGTH 5u

/* A device with its key, and records 1 to 5 of it. */
struct made_chain {
    uint8_t seed[EDS_SEED_SIZE];
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_entry entries[CHAIN_LENGTH];
    char payloads[CHAIN_LENGTH][16]; /* strings, without their NUL */
};

/* make_chain fills a chain; another byte is another key. */
void make_chain(struct made_chain *made, uint8_t key_byte);

/* rebuild makes the links from record first on right again, as a forger can
 * without any key; with attest also the attestations, as only the device can. */
void rebuild(struct made_chain *made, size_t first, bool attest);

/* check walks and inspects entries first to last in one go; returns the first
 * fault with its index.  keys is the device's own. */
struct eds_chain_finding check(const struct made_chain *made, enum eds_strength strength,
                               size_t count);

#endif
