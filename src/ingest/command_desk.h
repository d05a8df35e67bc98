/* command_desk.h - where devices ask whether there is an order for them.
 *
 * A desk has a thread, a ledger and a signing key of its own.  It takes questions in
 * the order in which they come, and answers each with the device's oldest open order,
 * signed for the nonce of this question.  It does not believe the ledger's row: the
 * operator who gave the order must be registered and active, and his key valid now; an
 * order that is not his is refused in the device's place, and the next one looked at. */
#ifndef EDS_INGEST_COMMAND_DESK_H
#define EDS_INGEST_COMMAND_DESK_H

#include "edgesentry/command.h"
#include "store/ledger.h"

struct eds_command_desk;

#define EDS_QUESTIONS_MAX 1024u /* waiting at a time */

/* A question on its way: the caller's, unmoved until done was called. */
struct eds_command_question {
    char device_id[EDS_DEVICE_ID_SIZE];
    uint8_t nonce[EDS_NONCE_SIZE];
    void (*done)(struct eds_command_question *); /* on the desk's thread, or the caller's */
    void *context;                               /* the caller's */

    /* The answer: EDS_OK and the order; EDS_ERR_NOT_FOUND: there is none;
     * EDS_ERR_BUSY: too many questions; else the ledger's error. */
    int32_t rc;
    struct eds_error err;
    struct eds_signed_order signed_order;

    struct eds_command_question *next; /* the desk's */
};

/* eds_command_desk_open starts a desk.
 *
 *   ledger  the desk's own from here on, also after a failure
 *
 * EDS_OK, EDS_ERR_USAGE (the key is registered for a device or an operator),
 * EDS_ERR_NO_MEMORY, EDS_ERR_IO (no thread), or the ledger's error. */
int32_t eds_command_desk_open(struct eds_command_desk **out, struct eds_ledger *ledger,
                              const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err);

/* eds_command_desk_set_key has it sign with another key from the next question on. */
void eds_command_desk_set_key(struct eds_command_desk *desk, const uint8_t seed[EDS_SEED_SIZE]);

/* eds_command_desk_ask puts a question.  done is called exactly once, with no lock held;
 * before this returns if there are too many. */
void eds_command_desk_ask(struct eds_command_desk *desk, struct eds_command_question *question);

/* eds_command_desk_close answers what was asked, and frees all; NULL is fine.  No ask may
 * run at the same time or follow. */
void eds_command_desk_close(struct eds_command_desk *desk);

#endif
