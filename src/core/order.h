/* order.h - orders on the server's side: an operator's signature over one.
 *
 * An order stands in the ledger with the signature of the operator who gave it:
 *
 *   signature = Ed25519("edgesentry/command-order/v1" || key_id || order hash)
 *
 * The server, which signs for devices, believes that and not the ledger's row. */
#ifndef EDS_CORE_ORDER_H
#define EDS_CORE_ORDER_H

#include "edgesentry/command.h"

#define EDS_ORDER_VERSION      1u  /* the first byte of the canonical bytes */
#define EDS_ORDER_MESSAGE_SIZE 67u /* bytes: the tag's 27, key id, order hash */

/* An operator's word. */
struct eds_order_word {
    uint8_t key_id[EDS_KEY_ID_SIZE];
    uint8_t signature[EDS_SIGNATURE_SIZE];
};

/* eds_order_sign fills *out.  Errors of eds_order_check. */
int32_t eds_order_sign(struct eds_order_word *out, const struct eds_order *order,
                       const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err);

/* eds_order_verify says whether an order can be one, and the word is this key's. */
bool eds_order_verify(const struct eds_order_word *word, const struct eds_order *order,
                      const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

#endif
