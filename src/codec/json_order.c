/* json_order.c - signed orders as JSON; see edgesentry/json.h. */
#include "edgesentry/json.h"

#include <string.h>

#include "codec/json_cursor.h"
#include "codec/json_writer.h"
#include "core/order.h"

/* What a reading fills; version and kind are read as the numbers that they are. */
struct taken {
    struct eds_signed_order it;
    uint64_t version, kind;
};

static struct eds_order *order_of(void *object)
{
    return &((struct taken *)object)->it.order;
}

static void take_version(struct eds_json_cursor *c, void *object)
{
    ((struct taken *)object)->version = eds_json_u64(c);
}

static void take_device_id(struct eds_json_cursor *c, void *object)
{
    (void)eds_json_string(c, order_of(object)->device_id, EDS_DEVICE_ID_SIZE);
}

static void take_counter(struct eds_json_cursor *c, void *object)
{
    order_of(object)->counter = eds_json_u64(c);
}

static void take_kind(struct eds_json_cursor *c, void *object)
{
    ((struct taken *)object)->kind = eds_json_u64(c);
}

static void take_issued_ms(struct eds_json_cursor *c, void *object)
{
    order_of(object)->issued_ms = eds_json_u64(c);
}

static void take_not_after_ms(struct eds_json_cursor *c, void *object)
{
    order_of(object)->not_after_ms = eds_json_u64(c);
}

static void take_operator(struct eds_json_cursor *c, void *object)
{
    (void)eds_json_string(c, order_of(object)->operator_name, EDS_DEVICE_ID_SIZE);
}

static void take_body(struct eds_json_cursor *c, void *object)
{
    (void)eds_json_string(c, order_of(object)->body, EDS_ORDER_BODY_SIZE);
}

static void take_nonce(struct eds_json_cursor *c, void *object)
{
    eds_json_lower_hex(c, ((struct taken *)object)->it.nonce, EDS_NONCE_SIZE);
}

static void take_key_id(struct eds_json_cursor *c, void *object)
{
    eds_json_lower_hex(c, ((struct taken *)object)->it.key_id, EDS_KEY_ID_SIZE);
}

static void take_signature(struct eds_json_cursor *c, void *object)
{
    eds_json_lower_hex(c, ((struct taken *)object)->it.signature, EDS_SIGNATURE_SIZE);
}

static const struct eds_json_field fields[] = {
    EDS_JSON_FIELD("version", take_version),     EDS_JSON_FIELD("device_id", take_device_id),
    EDS_JSON_FIELD("counter", take_counter),     EDS_JSON_FIELD("kind", take_kind),
    EDS_JSON_FIELD("issued_ms", take_issued_ms), EDS_JSON_FIELD("not_after_ms", take_not_after_ms),
    EDS_JSON_FIELD("operator", take_operator),   EDS_JSON_FIELD("body", take_body),
    EDS_JSON_FIELD("nonce", take_nonce),         EDS_JSON_FIELD("key_id", take_key_id),
    EDS_JSON_FIELD("signature", take_signature),
};

static const struct eds_json_shape shape = {fields, 11, 0x7ff, false};

int32_t eds_json_signed_order_decode(struct eds_signed_order *out, const char *text, size_t size,
                                     struct eds_error *err)
{
    struct eds_json_cursor c;
    struct eds_error fault;
    struct taken taken;
    const char *from;

    memset(&taken, 0, sizeof taken);
    eds_json_begin(&c, text, size, "command", true, err);
    eds_json_space(&c);
    from = c.at;
    eds_json_object(&c, &shape, &taken);
    taken.it.order.kind = (uint8_t)taken.kind;
    if (c.rc == EDS_OK && taken.version != EDS_ORDER_VERSION)
        eds_json_fail(&c, from, "version is none that this program knows");
    else if (c.rc == EDS_OK && taken.kind > UINT8_MAX)
        eds_json_fail(&c, from, "kind must be 255 at most");
    else if (c.rc == EDS_OK && eds_order_check(&taken.it.order, &fault) != EDS_OK)
        eds_json_fail(&c, from, fault.text);
    eds_json_finish(&c);
    if (c.rc == EDS_OK)
        *out = taken.it;
    return c.rc;
}

size_t eds_json_signed_order_encode(char *out, size_t out_size,
                                    const struct eds_signed_order *signed_order)
{
    const struct eds_order *order = &signed_order->order;
    struct eds_json_writer w;

    eds_writer_begin(&w, out, out_size, false, 0);
    eds_writer_open(&w, '{');
    eds_writer_u64_field(&w, "version", EDS_ORDER_VERSION);
    eds_writer_text_field(&w, "device_id", order->device_id, sizeof order->device_id);
    eds_writer_u64_field(&w, "counter", order->counter);
    eds_writer_u64_field(&w, "kind", order->kind);
    eds_writer_u64_field(&w, "issued_ms", order->issued_ms);
    eds_writer_u64_field(&w, "not_after_ms", order->not_after_ms);
    eds_writer_text_field(&w, "operator", order->operator_name, sizeof order->operator_name);
    eds_writer_text_field(&w, "body", order->body, sizeof order->body);
    eds_writer_hex_field(&w, "nonce", signed_order->nonce, EDS_NONCE_SIZE);
    eds_writer_hex_field(&w, "key_id", signed_order->key_id, EDS_KEY_ID_SIZE);
    eds_writer_hex_field(&w, "signature", signed_order->signature, EDS_SIGNATURE_SIZE);
    eds_writer_close(&w, '}');
    return eds_writer_end(&w);
}
