/* order_out.c - see order_out.h. */
#include "cli/order_out.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "store/instant.h"

void eds_order_text(char out[EDS_ORDER_TEXT_SIZE], const struct eds_order *order)
{
    int size = snprintf(out, EDS_ORDER_TEXT_SIZE, "command %" PRIu64 ": %s", order->counter,
                        eds_order_kind_name(order->kind));

    for (const char *line = order->body; *line != '\0';) {
        size_t length = strcspn(line, "\n");

        size +=
            snprintf(out + size, EDS_ORDER_TEXT_SIZE - (size_t)size, " %.*s", (int)length, line);
        line += length + (line[length] == '\n' ? 1 : 0);
    }
    for (char *at = out; *at != '\0'; at++) /* a row may have been changed behind our back */
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

const char *eds_order_state(const struct eds_stored_order *stored, uint64_t now_ms)
{
    if (stored->result != EDS_ORDER_UNANSWERED)
        return stored->result == EDS_ORDER_DONE ? "done" : "refused";
    if (!eds_order_is_open(stored, now_ms))
        return "expired";
    return stored->taken_ms != 0 ? "taken" : "waiting";
}

static void json_instant(struct eds_json_out *json, const char *name, uint64_t ms)
{
    char text[EDS_INSTANT_SIZE];

    if (ms != 0)
        eds_instant_format(text, ms);
    eds_out_string(json, name, ms != 0 ? text : NULL);
}

void eds_order_json(struct eds_json_out *json, const struct eds_stored_order *stored,
                    uint64_t now_ms)
{
    const struct eds_order *order = &stored->order;
    uint8_t hash[EDS_HASH_SIZE];

    eds_out_string(json, "device_id", order->device_id);
    eds_out_u64(json, "counter", order->counter);
    eds_out_string(json, "kind", eds_order_kind_name(order->kind));
    eds_out_string(json, "body", order->body);
    eds_out_string(json, "state", eds_order_state(stored, now_ms));
    eds_out_string(json, "operator", order->operator_name);
    json_instant(json, "issued_at", order->issued_ms);
    json_instant(json, "not_after", order->not_after_ms);
    json_instant(json, "taken_at", stored->taken_ms);
    json_instant(json, "answered_at", stored->result_ms);
    if (stored->result_sequence > 0)
        eds_out_u64(json, "record", stored->result_sequence);
    else
        eds_out_string(json, "record", NULL);
    if (eds_order_check(order, NULL) != EDS_OK) { /* likewise: it is no order */
        eds_out_string(json, "order_hash", NULL);
        return;
    }
    eds_order_digest(hash, order);
    eds_out_hex(json, "order_hash", hash, sizeof hash);
}
