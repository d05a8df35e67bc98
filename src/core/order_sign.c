/* order_sign.c - the two signatures over an order, and what a device makes of them; see
 * core/order.h and edgesentry/command.h. */
#include <assert.h>
#include <string.h>

#include "core/order.h"
#include "core/record_impl.h"

static const char order_tag[] = "edgesentry/command-order/v1";
static const char command_tag[] = "edgesentry/command/v1";

#define ORDER_TAG_SIZE   (sizeof order_tag - 1)
#define COMMAND_TAG_SIZE (sizeof command_tag - 1)

_Static_assert(ORDER_TAG_SIZE + EDS_KEY_ID_SIZE + EDS_HASH_SIZE == EDS_ORDER_MESSAGE_SIZE,
               "the message is tag, key id and hash");
_Static_assert(COMMAND_TAG_SIZE + EDS_KEY_ID_SIZE + EDS_NONCE_SIZE + EDS_HASH_SIZE ==
                   EDS_SIGNED_ORDER_MESSAGE_SIZE,
               "the message is tag, key id, nonce and hash");

static void word_message(uint8_t out[EDS_ORDER_MESSAGE_SIZE], const struct eds_order_word *word,
                         const struct eds_order *order)
{
    memcpy(out, order_tag, ORDER_TAG_SIZE);
    memcpy(out + ORDER_TAG_SIZE, word->key_id, EDS_KEY_ID_SIZE);
    eds_order_digest(out + ORDER_TAG_SIZE + EDS_KEY_ID_SIZE, order);
}

int32_t eds_order_sign(struct eds_order_word *out, const struct eds_order *order,
                       const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err)
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE], message[EDS_ORDER_MESSAGE_SIZE];
    int32_t rc = eds_order_check(order, err);

    if (rc != EDS_OK)
        return rc;
    eds_ed25519_public_key(public_key, seed);
    eds_key_id(out->key_id, public_key);
    word_message(message, out, order);
    eds_ed25519_sign(out->signature, message, sizeof message, seed);
    return EDS_OK;
}

static bool is_of_key(const uint8_t key_id[EDS_KEY_ID_SIZE],
                      const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    uint8_t id[EDS_KEY_ID_SIZE];

    eds_key_id(id, public_key);
    return memcmp(id, key_id, EDS_KEY_ID_SIZE) == 0;
}

bool eds_order_verify(const struct eds_order_word *word, const struct eds_order *order,
                      const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    uint8_t message[EDS_ORDER_MESSAGE_SIZE];

    if (eds_order_check(order, NULL) != EDS_OK || !is_of_key(word->key_id, public_key))
        return false;
    word_message(message, word, order);
    return eds_ed25519_verify(word->signature, message, sizeof message, public_key);
}

void eds_signed_order_message(uint8_t out[EDS_SIGNED_ORDER_MESSAGE_SIZE],
                              const struct eds_signed_order *signed_order)
{
    uint8_t *at = out + COMMAND_TAG_SIZE;

    memcpy(out, command_tag, COMMAND_TAG_SIZE);
    memcpy(at, signed_order->key_id, EDS_KEY_ID_SIZE);
    memcpy(at + EDS_KEY_ID_SIZE, signed_order->nonce, EDS_NONCE_SIZE);
    eds_order_digest(at + EDS_KEY_ID_SIZE + EDS_NONCE_SIZE, &signed_order->order);
}

int32_t eds_signed_order_sign(struct eds_signed_order *signed_order,
                              const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err)
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE], message[EDS_SIGNED_ORDER_MESSAGE_SIZE];
    int32_t rc = eds_order_check(&signed_order->order, err);

    if (rc != EDS_OK)
        return rc;
    eds_ed25519_public_key(public_key, seed);
    eds_key_id(signed_order->key_id, public_key);
    eds_signed_order_message(message, signed_order);
    eds_ed25519_sign(signed_order->signature, message, sizeof message, seed);
    return EDS_OK;
}

bool eds_signed_order_verify(const struct eds_signed_order *signed_order,
                             const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    uint8_t message[EDS_SIGNED_ORDER_MESSAGE_SIZE];

    if (eds_order_check(&signed_order->order, NULL) != EDS_OK ||
        !is_of_key(signed_order->key_id, public_key))
        return false;
    eds_signed_order_message(message, signed_order);
    return eds_ed25519_verify(signed_order->signature, message, sizeof message, public_key);
}

size_t eds_signed_order_encode(uint8_t out[EDS_SIGNED_ORDER_SIZE_MAX],
                               const struct eds_signed_order *signed_order)
{
    uint8_t *at = out + eds_order_encode(out, &signed_order->order);

    memcpy(at, signed_order->nonce, EDS_NONCE_SIZE);
    at += EDS_NONCE_SIZE;
    memcpy(at, signed_order->key_id, EDS_KEY_ID_SIZE);
    at += EDS_KEY_ID_SIZE;
    memcpy(at, signed_order->signature, EDS_SIGNATURE_SIZE);
    return (size_t)(at - out) + EDS_SIGNATURE_SIZE;
}

int32_t eds_signed_order_decode(struct eds_signed_order *out, const uint8_t *buf, size_t size,
                                struct eds_error *err)
{
    struct eds_signed_order it;
    struct eds_order *order = &it.order;
    struct eds_cursor cursor;
    uint8_t version = 0;
    int32_t rc;

    memset(&it, 0, sizeof it);
    eds_cursor_begin(&cursor, buf, size);
    eds_cursor_bytes(&cursor, "version", &version, sizeof version);
    if (cursor.fault == NULL && version != EDS_ORDER_VERSION) {
        eds_cursor_fail(&cursor, "it is none that this program knows");
        return eds_cursor_say(&cursor, EDS_ERR_UNSUPPORTED, err);
    }
    eds_cursor_string(&cursor, "device_id", order->device_id, sizeof order->device_id);
    order->counter = eds_cursor_u64(&cursor, "counter");
    eds_cursor_bytes(&cursor, "kind", &order->kind, sizeof order->kind);
    order->issued_ms = eds_cursor_u64(&cursor, "issued_ms");
    order->not_after_ms = eds_cursor_u64(&cursor, "not_after_ms");
    eds_cursor_string(&cursor, "operator", order->operator_name, sizeof order->operator_name);
    eds_cursor_string(&cursor, "body", order->body, sizeof order->body);
    eds_cursor_bytes(&cursor, "nonce", it.nonce, sizeof it.nonce);
    eds_cursor_bytes(&cursor, "key_id", it.key_id, sizeof it.key_id);
    eds_cursor_bytes(&cursor, "signature", it.signature, sizeof it.signature);
    if (cursor.fault == NULL && cursor.left > 0)
        eds_cursor_fail(&cursor, "bytes follow it");
    if (cursor.fault != NULL)
        return eds_cursor_say(&cursor, cursor.truncated ? EDS_ERR_TRUNCATED : EDS_ERR_MALFORMED,
                              err);
    rc = eds_order_check(order, err);
    if (rc != EDS_OK) {
        if (err != NULL)
            err->code = EDS_ERR_MALFORMED;
        return EDS_ERR_MALFORMED;
    }
    *out = it;
    return EDS_OK;
}

/* Whether one of the keys signed it. */
static enum eds_order_verdict judge_signature(const struct eds_signed_order *signed_order,
                                              const struct eds_order_test *test)
{
    for (size_t i = 0; i < test->key_count; i++)
        if (is_of_key(signed_order->key_id, test->keys[i]))
            return eds_signed_order_verify(signed_order, test->keys[i])
                       ? EDS_ORDER_IS_GOOD
                       : EDS_ORDER_IS_BAD_SIGNATURE;
    return EDS_ORDER_IS_UNKNOWN_KEY;
}

enum eds_order_verdict eds_signed_order_judge(const struct eds_signed_order *signed_order,
                                              const struct eds_order_test *test)
{
    const struct eds_order *order = &signed_order->order;
    enum eds_order_verdict verdict;

    if (strcmp(order->device_id, test->device_id) != 0)
        return EDS_ORDER_IS_OTHER_DEVICE;
    if (memcmp(signed_order->nonce, test->nonce, EDS_NONCE_SIZE) != 0)
        return EDS_ORDER_IS_OTHER_NONCE;
    verdict = judge_signature(signed_order, test);
    if (verdict != EDS_ORDER_IS_GOOD)
        return verdict;
    if (order->counter == test->counter)
        return EDS_ORDER_IS_ANSWERED;
    if (order->counter < test->counter)
        return EDS_ORDER_IS_REPLAYED;
    if (test->now_ms > order->not_after_ms)
        return EDS_ORDER_IS_EXPIRED;
    if (order->kind > EDS_ORDER_ROTATE_KEY)
        return EDS_ORDER_IS_UNKNOWN_KIND;
    return EDS_ORDER_IS_GOOD;
}

const char *eds_order_verdict_text(enum eds_order_verdict verdict)
{
    switch (verdict) {
    case EDS_ORDER_IS_GOOD:
        return "it is good";
    case EDS_ORDER_IS_OTHER_DEVICE:
        return "it is for another device";
    case EDS_ORDER_IS_OTHER_NONCE:
        return "it answers another question: its nonce is not ours";
    case EDS_ORDER_IS_UNKNOWN_KEY:
        return "it is signed by a key that may not command";
    case EDS_ORDER_IS_BAD_SIGNATURE:
        return "its signature is not valid";
    case EDS_ORDER_IS_ANSWERED:
        return "it was answered before";
    case EDS_ORDER_IS_REPLAYED:
        return "its counter is below that of an order that was answered before";
    case EDS_ORDER_IS_EXPIRED:
        return "its time is over";
    case EDS_ORDER_IS_UNKNOWN_KIND:
        break;
    }
    return "its kind is not known here";
}
