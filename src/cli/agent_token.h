/* agent_token.h - the key of an agent that is in a PKCS#11 token, and its successors.
 *
 * The URI names the first one, object=NAME; those that commands make are NAME-2, NAME-3
 * and so on in the same token, where nothing is ever renamed or deleted.  Which one is in
 * use a file beside the buffer says, FILE.key, that is written when servers know the key. */
#ifndef EDS_CLI_AGENT_TOKEN_H
#define EDS_CLI_AGENT_TOKEN_H

#include "cli/agent_job.h"

/* eds_agent_token_open opens the key in use.
 *
 * Errors of eds_signer_from_pkcs11, of reading the PIN, and EDS_ERR_MALFORMED or EDS_ERR_IO
 * for FILE.key. */
int32_t eds_agent_token_open(struct eds_signer **out, const struct eds_args *args,
                             struct eds_error *err);

/* eds_agent_token_prepare makes the next key, or finds the one that was made before.
 * EDS_OK; EDS_ERR_REFUSED with *err saying why there can be none (the PIN was typed, the URI
 * names no object or more than that); EDS_ERR_IO and such: not now. */
int32_t eds_agent_token_prepare(const struct eds_args *args,
                                uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err);

/* eds_agent_token_use writes FILE.key and gives the signer of the next key, for the caller
 * to put in the place of the one before.  EDS_ERR_REFUSED where the next key is not that
 * one; else as above. */
int32_t eds_agent_token_use(struct eds_signer **out, const struct eds_args *args,
                            const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err);

#endif
