/* ledger_desk.h - where devices ask whether there is an order for them.
 *
 * A desk has a thread, a ledger and a signing key of its own.  It takes questions in
 * the order in which they come, and answers each with the device's oldest open order,
 * signed for the nonce of this question.  It does not believe the ledger's row: the
 * operator who gave the order must be registered and active, and his key valid now; an
 * order that is not his is refused in the device's place, and the next one looked at. */
#ifndef EDS_INGEST_LEDGER_DESK_H
#define EDS_INGEST_LEDGER_DESK_H

#include "ingest/command_question.h"
#include "store/ledger.h"

struct eds_ledger_desk;

/* eds_ledger_desk_open starts a desk.
 *
 *   ledger  the desk's own from here on, also after a failure
 *
 * EDS_OK, EDS_ERR_USAGE (the key is registered for a device or an operator),
 * EDS_ERR_NO_MEMORY, EDS_ERR_IO (no thread), or the ledger's error. */
int32_t eds_ledger_desk_open(struct eds_ledger_desk **out, struct eds_ledger *ledger,
                             const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err);

/* eds_ledger_desk_set_key has it sign with another key from the next question on. */
void eds_ledger_desk_set_key(struct eds_ledger_desk *desk, const uint8_t seed[EDS_SEED_SIZE]);

/* eds_ledger_desk_of gives what whoever takes questions wants. */
struct eds_command_desk *eds_ledger_desk_of(struct eds_ledger_desk *desk);

/* eds_ledger_desk_close answers what was asked, and frees all; NULL is fine.  No question may
 * come at the same time or follow. */
void eds_ledger_desk_close(struct eds_ledger_desk *desk);

#endif
