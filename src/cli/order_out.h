/* order_out.h - orders to devices, for people and as JSON. */
#ifndef EDS_CLI_ORDER_OUT_H
#define EDS_CLI_ORDER_OUT_H

#include "cli/json_out.h"
#include "store/orders.h"

#define EDS_ORDER_TEXT_SIZE 1280u /* bytes, NUL included */

/* eds_order_text says an order in a line: "command 3: config a=1 b=2". */
void eds_order_text(char out[EDS_ORDER_TEXT_SIZE], const struct eds_order *order);

/* eds_order_state says how it stands: "waiting", "taken", "done", "refused" or
 * "expired". */
const char *eds_order_state(const struct eds_stored_order *stored, uint64_t now_ms);

/* eds_order_json writes the members of an order. */
void eds_order_json(struct eds_json_out *json, const struct eds_stored_order *stored,
                    uint64_t now_ms);

#endif
