/* fuzz_command.c - any bytes as a command to a device, in both forms.
 *
 * What is read can be an order, and is written as the very same bytes (the binary form)
 * or read as the very same again (JSON).  Nobody has signed it, so no device obeys. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "edgesentry/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
    if (!holds)
        abort();
}

static void check_taken(const struct eds_signed_order *it)
{
    static char text[EDS_JSON_SIGNED_ORDER_SIZE_MAX];
    static const uint8_t keys[1][EDS_PUBLIC_KEY_SIZE] = {{1}};
    struct eds_order_test test = {
        .device_id = it->order.device_id, .nonce = it->nonce, .keys = keys, .key_count = 1};
    char key[EDS_SETTING_KEY_SIZE], value[EDS_SETTING_TEXT_SIZE];
    struct eds_signed_order again;
    size_t at = 0, size;

    check(eds_order_check(&it->order, NULL) == EDS_OK);
    check(eds_signed_order_judge(it, &test) != EDS_ORDER_IS_GOOD);
    while (eds_order_next_setting(&it->order, &at, key, value))
        check(key[0] != '\0');
    check(at == strlen(it->order.body));
    size = eds_json_signed_order_encode(text, sizeof text, it);
    check(size > 0);
    check(eds_json_signed_order_decode(&again, text, size, NULL) == EDS_OK);
    check(memcmp(&again, it, sizeof again) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct eds_signed_order it;
    uint8_t bytes[EDS_SIGNED_ORDER_SIZE_MAX];
    struct eds_error err = {.code = EDS_OK};
    int32_t rc = eds_signed_order_decode(&it, data, size, &err);

    check(rc == EDS_OK || (err.code == rc && err.text[0] != '\0'));
    if (rc == EDS_OK) {
        check(eds_signed_order_encode(bytes, &it) == size && memcmp(bytes, data, size) == 0);
        check_taken(&it);
    }
    rc = eds_json_signed_order_decode(&it, (const char *)data, size, &err);
    check(rc == EDS_OK || err.text[0] != '\0');
    if (rc == EDS_OK)
        check_taken(&it);
    return 0;
}
