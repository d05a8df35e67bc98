/* order.c - what is ordered, and its bytes; see edgesentry/command.h. */
#include "core/order.h"

#include <assert.h>
#include <string.h>

#include "core/fields.h"

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* The size of the key at the front of text; 0: there is none. */
static size_t key_size(const char *text)
{
    size_t size = 0;

    while ((text[size] >= 'a' && text[size] <= 'z') || (text[size] >= '0' && text[size] <= '9') ||
           text[size] == '-')
        size++;
    return size < EDS_SETTING_KEY_SIZE ? size : 0;
}

static bool is_behind(const char *key, size_t size, const char *before, size_t before_size)
{
    int order = memcmp(before, key, size < before_size ? size : before_size);

    return order < 0 || (order == 0 && before_size < size);
}

/* One line at a time; *line is moved behind it. */
static int32_t check_line(const char **line, const char **before, struct eds_error *err)
{
    size_t size = key_size(*line), value = size + 1;

    if (size == 0)
        return eds_field_say(err, EDS_ERR_USAGE, "body", ": a key is 1 to 32 bytes of [a-z0-9-]");
    if ((*line)[size] != '=')
        return eds_field_say(err, EDS_ERR_USAGE, "body", ": each line is KEY=VALUE");
    if (*before != NULL && !is_behind(*line, size, *before, key_size(*before)))
        return eds_field_say(err, EDS_ERR_USAGE, "body", ": keys stand in their order, none twice");
    while (!is_control((*line)[value]))
        value++;
    if (value - size - 1 >= EDS_SETTING_TEXT_SIZE)
        return eds_field_say(err, EDS_ERR_STRING_TOO_LONG, "body",
                             ": a value is longer than 255 bytes");
    if ((*line)[value] != '\n')
        return eds_field_say(err, EDS_ERR_USAGE, "body",
                             (*line)[value] == '\0' ? ": each line ends with a newline"
                                                    : ": a value has a control character");
    *before = *line;
    *line += value + 1;
    return EDS_OK;
}

static int32_t check_body(const struct eds_order *order, struct eds_error *err)
{
    const char *line = order->body, *before = NULL;
    int32_t rc = eds_field_check(order->body, sizeof order->body, "body", err);

    while (rc == EDS_OK && *line != '\0')
        rc = check_line(&line, &before, err);
    if (rc != EDS_OK)
        return rc;
    if (order->kind == EDS_ORDER_REPORT_STATUS && order->body[0] != '\0')
        return eds_field_say(err, EDS_ERR_USAGE, "body",
                             " must be empty: report-status has no settings");
    if (order->kind == EDS_ORDER_CONFIG && order->body[0] == '\0')
        return eds_field_say(err, EDS_ERR_USAGE, "body", " must not be empty: config is settings");
    return EDS_OK;
}

int32_t eds_order_check(const struct eds_order *order, struct eds_error *err)
{
    int32_t rc = eds_field_check_name(order->device_id, sizeof order->device_id, "device_id", err);

    if (rc == EDS_OK)
        rc = eds_field_check_name(order->operator_name, sizeof order->operator_name, "operator",
                                  err);
    if (rc != EDS_OK)
        return rc;
    if (order->counter == 0)
        return eds_field_say(err, EDS_ERR_USAGE, "counter", " must be 1 at least");
    if (order->kind == 0)
        return eds_field_say(err, EDS_ERR_USAGE, "kind", " must be 1 at least");
    if (order->not_after_ms <= order->issued_ms)
        return eds_field_say(err, EDS_ERR_USAGE, "not_after_ms", " must be after issued_ms");
    return check_body(order, err);
}

size_t eds_order_encode(uint8_t out[EDS_ORDER_SIZE_MAX], const struct eds_order *order)
{
    uint8_t *at = out;

    assert(eds_order_check(order, NULL) == EDS_OK);
    *at++ = EDS_ORDER_VERSION;
    at = eds_put_string(at, order->device_id);
    at += eds_varint_encode(at, order->counter);
    *at++ = order->kind;
    at += eds_varint_encode(at, order->issued_ms);
    at += eds_varint_encode(at, order->not_after_ms);
    at = eds_put_string(at, order->operator_name);
    at = eds_put_string(at, order->body);
    assert((size_t)(at - out) <= EDS_ORDER_SIZE_MAX);
    return (size_t)(at - out);
}

void eds_order_digest(uint8_t out[EDS_HASH_SIZE], const struct eds_order *order)
{
    uint8_t bytes[EDS_ORDER_SIZE_MAX];
    size_t size = eds_order_encode(bytes, order);

    eds_blake3(out, bytes, size);
}

bool eds_order_next_setting(const struct eds_order *order, size_t *at,
                            char key[EDS_SETTING_KEY_SIZE], char value[EDS_SETTING_TEXT_SIZE])
{
    const char *line = order->body + *at, *text, *end;

    if (*line == '\0')
        return false;
    text = strchr(line, '=') + 1;
    end = strchr(text, '\n');
    memcpy(key, line, (size_t)(text - line) - 1);
    key[text - line - 1] = '\0';
    memcpy(value, text, (size_t)(end - text));
    value[end - text] = '\0';
    *at += (size_t)(end - line) + 1;
    return true;
}

static const char *const kind_names[] = {
    [EDS_ORDER_REPORT_STATUS] = "report-status",
    [EDS_ORDER_CONFIG] = "config",
    [EDS_ORDER_ROTATE_KEY] = "rotate-key",
};
#define KIND_END (sizeof kind_names / sizeof kind_names[0])

const char *eds_order_kind_name(uint8_t kind)
{
    return kind > 0 && kind < KIND_END ? kind_names[kind] : "unknown";
}

bool eds_order_kind_parse(uint8_t *out, const char *word)
{
    for (uint8_t kind = 1; kind < KIND_END; kind++)
        if (strcmp(kind_names[kind], word) == 0) {
            *out = kind;
            return true;
        }
    return false;
}
