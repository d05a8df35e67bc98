/* agent_key.h - another key for an agent: whose key is in a file, made beside it, as
 * FILE.next, and put in its place when servers know it; whose key is in a token, in that
 * token (agent_token.h). */
#ifndef EDS_CLI_AGENT_KEY_H
#define EDS_CLI_AGENT_KEY_H

#include "cli/agent_job.h"

/* eds_agent_key_prepare makes FILE.next, protected as FILE is, or finds the one that was
 * made before; or a key in the token.  EDS_OK; EDS_ERR_REFUSED with *err saying why there can
 * be none (the key is in neither, or its passphrase was typed); EDS_ERR_IO and such: not now. */
int32_t eds_agent_key_prepare(const struct eds_args *args, uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                              struct eds_error *err);

/* eds_agent_key_use has the agent sign with that key from now on: FILE.next becomes FILE,
 * and *signer another one.  EDS_OK, also if it signs with it already; EDS_ERR_REFUSED
 * where FILE.next is not that key; else as above. */
int32_t eds_agent_key_use(struct eds_agent_job *job, struct eds_signer **signer,
                          const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], struct eds_error *err);

#endif
