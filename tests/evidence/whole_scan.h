/* whole_scan.h - a scan_whole for ledgers that tests make up of others. */
#ifndef EDS_TESTS_EVIDENCE_WHOLE_SCAN_H
#define EDS_TESTS_EVIDENCE_WHOLE_SCAN_H

#include "store/ledger.h"

/* whole_scan gives what the ledger's own scan, object and payload say one by one. */
int32_t whole_scan(struct eds_ledger *ledger, const char *device_id,
                   int32_t (*visit)(void *context, const struct eds_stored *), void *context,
                   struct eds_error *err);

#endif
