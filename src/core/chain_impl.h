/* chain_impl.h - the chain's walk for callers that hashed the record already. */
#ifndef EDS_CORE_CHAIN_IMPL_H
#define EDS_CORE_CHAIN_IMPL_H

#include "edgesentry/chain.h"

/* eds_chain_link_hashed is eds_chain_link for a record whose hash is known. */
int32_t eds_chain_link_hashed(struct eds_chain *chain, const EdsAuditRecord *record,
                              const uint8_t record_hash[EDS_HASH_SIZE],
                              struct eds_chain_finding *finding);

#endif
