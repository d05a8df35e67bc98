/* debts.h - which devices owe a record: one was refused for lack of room, and those
 * behind it must not get in first.
 *
 * A device that sends several at once would else have the second kept and the first
 * not, and the server, which takes them in order only, would refuse the second for
 * good.  A debt ends when the record comes, or after a while: a device that has given
 * it up must not be locked out for ever. */
#ifndef EDS_GATEWAY_DEBTS_H
#define EDS_GATEWAY_DEBTS_H

#include <stdbool.h>
#include <stdint.h>

#include "device/id_table.h"

#define EDS_DEBTS_MAX 4096u /* devices; those beyond are not remembered */

/* Zeroed memory is no debt at all, but for duration_ns. */
struct eds_debts {
    struct eds_id_table table;
    uint64_t duration_ns;
};

/* eds_debts_add notes that a record was refused.  now_ns: of a clock that never
 * jumps. */
void eds_debts_add(struct eds_debts *debts, const char *device_id, uint64_t sequence,
                   uint64_t now_ns);

/* eds_debts_bar says whether a record has to wait for one that is owed. */
bool eds_debts_bar(struct eds_debts *debts, const char *device_id, uint64_t sequence,
                   uint64_t now_ns);

/* eds_debts_pay notes that a record is kept now. */
void eds_debts_pay(struct eds_debts *debts, const char *device_id, uint64_t sequence);

void eds_debts_free(struct eds_debts *debts);

#endif
