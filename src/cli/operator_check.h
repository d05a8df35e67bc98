/* operator_check.h - may this operator sign with this key, now? */
#ifndef EDS_CLI_OPERATOR_CHECK_H
#define EDS_CLI_OPERATOR_CHECK_H

#include "store/roster.h"

/* eds_operator_check says whether an operator is registered and active, and the key his
 * and valid.
 *
 *   revision  out: of his enrolment
 *
 * EDS_OK, EDS_ERR_NOT_FOUND, EDS_ERR_REFUSED, or the ledger's error. */
int32_t eds_operator_check(struct eds_ledger *ledger, const char *name,
                           const uint8_t public_key[EDS_PUBLIC_KEY_SIZE], uint64_t now_ms,
                           uint64_t *revision, struct eds_error *err);

#endif
