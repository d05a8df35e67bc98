/* commander.h - a device that obeys: asks a server for its next order, holds it against
 * everything in edgesentry/command.h, has it done, and puts the answer into its chain.
 *
 *   eds_commander_open(&commander, &(struct eds_commander_config){
 *       .agent = agent, .buffer = buffer, .device_id = "lift-01",
 *       .keys = server_keys, .key_count = 1,
 *       .handlers = {[EDS_ORDER_CONFIG] = set_config}, .context = device}, &err);
 *
 *   eds_commander_ask(commander, nonce, &err);
 *   ... GET /api/v1/commands?device=lift-01&nonce=... gives signed_order, or nothing ...
 *   eds_commander_take(commander, &signed_order, &err);
 *
 * Done once.  The answer and the order's counter are one durable write.  A power cut
 * before it lets the order come again, with the same counter: a handler that must not
 * do a thing twice keeps the counter beside what it did.
 *
 * One thread at a time. */
#ifndef EDGESENTRY_COMMANDER_H
#define EDGESENTRY_COMMANDER_H

#include "edgesentry/agent.h"
#include "edgesentry/command.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_COMMANDER_KEYS_MAX 8u
#define EDS_ORDER_TEXT_MAX     512u /* bytes, NUL included */

struct eds_commander;

/* What a handler made of an order. */
struct eds_order_outcome {
    bool done;                     /* false: refused, for good */
    char text[EDS_ORDER_TEXT_MAX]; /* for people: why it was refused, or what was found; UTF-8 */
};

/* An eds_order_handler does one kind of order.  It fills *outcome and returns EDS_OK; any other
 * code (with *err) means "not now": nothing is answered, and the order comes again. */
typedef int32_t eds_order_handler(void *context, const struct eds_order *order,
                                  struct eds_order_outcome *outcome, struct eds_error *err);

struct eds_commander_config {
    struct eds_agent *agent;                               /* outlives the commander */
    struct eds_buffer *buffer;                             /* the agent's; likewise */
    const char *device_id;                                 /* the agent's; copied */
    const uint8_t (*keys)[EDS_PUBLIC_KEY_SIZE];            /* who may command; copied */
    size_t key_count;                                      /* 1 to EDS_COMMANDER_KEYS_MAX */
    eds_order_handler *handlers[EDS_ORDER_ROTATE_KEY + 1]; /* by kind; NULL: it is refused */
    void *context;                                         /* of the handlers */
};

/* eds_commander_open makes a commander.  EDS_OK; EDS_ERR_USAGE; EDS_ERR_INVALID_KEY for
 * a key that no signature can be valid under; EDS_ERR_NO_MEMORY. */
int32_t eds_commander_open(struct eds_commander **out, const struct eds_commander_config *config,
                           struct eds_error *err);

/* eds_commander_close frees it; NULL is fine. */
void eds_commander_close(struct eds_commander *commander);

/* eds_commander_ask makes the nonce of the next question.  Only an answer to the last
 * question is taken, and one.  EDS_OK, or EDS_ERR_PANIC (no randomness). */
int32_t eds_commander_ask(struct eds_commander *commander, uint8_t nonce[EDS_NONCE_SIZE],
                          struct eds_error *err);

/* eds_commander_take takes what came back.
 *
 * EDS_OK: it was done, or refused (*err says which, its code is EDS_OK or
 * EDS_ERR_REFUSED), and a record says so.  EDS_ERR_EXISTS: it was answered before, and
 * the answer is on its way.  EDS_ERR_BAD_SIGNATURE: it is not from the server, or not
 * the answer to this question: nothing is recorded, *err says why.  Any other: not now,
 * from handler or buffer; it will come again. */
int32_t eds_commander_take(struct eds_commander *commander,
                           const struct eds_signed_order *signed_order, struct eds_error *err);

#ifdef __cplusplus
}
#endif

#endif
