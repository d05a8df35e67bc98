/* command.h - what an operator commands a device to do, and how the device knows that
 * it is meant, now.
 *
 * An order says what is to be done, by which device, until when, on whose word.  Orders
 * of a device are counted: 1, 2, 3 ...  What comes to the device is a signed order: with
 * the server's signature over it and over a nonce that the device made for this one
 * question.
 *
 *   order hash = BLAKE3(canonical bytes)
 *   signature  = Ed25519("edgesentry/command/v1" || key_id || nonce || order hash)
 *
 * The nonce shows that the answer is fresh, also to a device that has lost all memory;
 * the counter shows which order is the later one, also where the server has lost its
 * own.  Both are demanded (docs/SPEC.md 20).
 *
 *   struct eds_order_test test = {.device_id = "lift-01", .nonce = nonce,
 *                                 .now_ms = now_ms, .keys = keys, .key_count = 1,
 *                                 .counter = last_counter};
 *
 *   if (eds_signed_order_decode(&signed_order, bytes, size, &err) == EDS_OK &&
 *       eds_signed_order_judge(&signed_order, &test) == EDS_ORDER_IS_GOOD)
 *       ...
 *
 * A device with an agent has all of this done for it: edgesentry/commander.h.
 *
 * No heap, no OS; any thread. */
#ifndef EDGESENTRY_COMMAND_H
#define EDGESENTRY_COMMAND_H

#include "edgesentry/record.h"

#ifdef __cplusplus
extern "C" {
#endif

#define EDS_NONCE_SIZE        16u   /* bytes */
#define EDS_ORDER_BODY_SIZE   1025u /* bytes, NUL included */
#define EDS_SETTING_KEY_SIZE  33u   /* bytes, NUL included */
#define EDS_SETTING_TEXT_SIZE 256u  /* bytes, NUL included */

/* Longest canonical bytes: 1, 2 + 255, 10, 1, 10, 10, 2 + 255, 2 + 1024. */
#define EDS_ORDER_SIZE_MAX 1572u /* bytes */

/* Longest encoded command: the order, nonce, key id, signature. */
#define EDS_SIGNED_ORDER_SIZE_MAX                                                                  \
    (EDS_ORDER_SIZE_MAX + EDS_NONCE_SIZE + EDS_KEY_ID_SIZE + EDS_SIGNATURE_SIZE)

#define EDS_SIGNED_ORDER_MESSAGE_SIZE 77u /* bytes: the tag's 21, key id, nonce, order hash */

/* What a device may be told to do.  A number that is not here is refused. */
enum eds_order_kind {
    EDS_ORDER_REPORT_STATUS = 1, /* say how you are; no body */
    EDS_ORDER_CONFIG = 2,        /* settings, one at least */
    EDS_ORDER_ROTATE_KEY = 3,    /* no body: make a new key; "use": sign with it from now on */
};

/* The body is lines of KEY=VALUE, each with its newline, in the byte order of their
 * keys, none twice.  A key is 1 to 32 bytes of [a-z0-9-], a value 0 to 255 bytes of
 * UTF-8 without control characters. */
struct eds_order {
    char device_id[EDS_DEVICE_ID_SIZE];     /* whose it is; not empty */
    uint64_t counter;                       /* above that of every order before; not 0 */
    uint8_t kind;                           /* enum eds_order_kind, or one of the future */
    uint64_t issued_ms;                     /* Unix time, by the operator's clock */
    uint64_t not_after_ms;                  /* after issued_ms; nothing is done after this */
    char operator_name[EDS_DEVICE_ID_SIZE]; /* on whose word, as the registry has him */
    char body[EDS_ORDER_BODY_SIZE];
};

/* An order as it comes to the device. */
struct eds_signed_order {
    struct eds_order order;
    uint8_t nonce[EDS_NONCE_SIZE];   /* the device's */
    uint8_t key_id[EDS_KEY_ID_SIZE]; /* which key signed */
    uint8_t signature[EDS_SIGNATURE_SIZE];
};

/* eds_order_check says whether an order can be one: texts within their limits, a body
 * as above and fit for its kind if that is known, a counter, an end after its
 * beginning.  EDS_OK, EDS_ERR_STRING_TOO_LONG, EDS_ERR_INVALID_UTF8 or EDS_ERR_USAGE;
 * *err (may be NULL) names the field. */
int32_t eds_order_check(const struct eds_order *order, struct eds_error *err);

/* eds_order_encode writes the canonical bytes of an order that eds_order_check takes,
 * and returns how many; eds_order_digest hashes them. */
size_t eds_order_encode(uint8_t out[EDS_ORDER_SIZE_MAX], const struct eds_order *order);
void eds_order_digest(uint8_t out[EDS_HASH_SIZE], const struct eds_order *order);

/* eds_order_next_setting walks over the settings of an order that eds_order_check took.
 *
 *   at          0 at first; moved
 *   key, value  out, NUL-terminated
 *
 * False after the last. */
bool eds_order_next_setting(const struct eds_order *order, size_t *at,
                            char key[EDS_SETTING_KEY_SIZE], char value[EDS_SETTING_TEXT_SIZE]);

/* eds_order_kind_name says a kind in a word ("report-status"), and "unknown" for a
 * number that has none; parse returns false for any other word. */
const char *eds_order_kind_name(uint8_t kind);
bool eds_order_kind_parse(uint8_t *out, const char *word);

/* eds_signed_order_sign fills key_id and signature of a command whose order and nonce are
 * there.  Errors of eds_order_check. */
int32_t eds_signed_order_sign(struct eds_signed_order *signed_order,
                              const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err);

/* eds_signed_order_message writes what is signed, for signers that are not ours. */
void eds_signed_order_message(uint8_t out[EDS_SIGNED_ORDER_MESSAGE_SIZE],
                              const struct eds_signed_order *signed_order);

/* eds_signed_order_verify says whether the order can be one, and the signature is this
 * key's. */
bool eds_signed_order_verify(const struct eds_signed_order *signed_order,
                             const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_signed_order_encode writes a command as bytes: canonical bytes, nonce, key id,
 * signature.  Returns how many. */
size_t eds_signed_order_encode(uint8_t out[EDS_SIGNED_ORDER_SIZE_MAX],
                               const struct eds_signed_order *signed_order);

/* eds_signed_order_decode reads just that, from untrusted bytes.
 *
 *   out        filled on EDS_OK, untouched otherwise
 *   buf, size  any bytes; no pointer into them is kept
 *
 * EDS_OK; EDS_ERR_TRUNCATED; EDS_ERR_UNSUPPORTED for another version; EDS_ERR_MALFORMED
 * for whatever eds_signed_order_encode would not have written.  *err (may be NULL) names
 * field and position. */
int32_t eds_signed_order_decode(struct eds_signed_order *out, const uint8_t *buf, size_t size,
                                struct eds_error *err);

/* What a device holds a command against. */
struct eds_order_test {
    const char *device_id;
    const uint8_t *nonce;                       /* EDS_NONCE_SIZE bytes; of the question that this
                                                   is the answer to; used once */
    uint64_t now_ms;                            /* Unix time, as good as the device knows it */
    const uint8_t (*keys)[EDS_PUBLIC_KEY_SIZE]; /* who may command */
    size_t key_count;
    uint64_t counter; /* of the last order that was answered for; 0: none */
};

/* What comes of it, in the order of the checks. */
enum eds_order_verdict {
    EDS_ORDER_IS_GOOD,
    EDS_ORDER_IS_OTHER_DEVICE,  /* it is for another device */
    EDS_ORDER_IS_OTHER_NONCE,   /* it answers another question: replayed, or delayed */
    EDS_ORDER_IS_UNKNOWN_KEY,   /* none of the keys has this id */
    EDS_ORDER_IS_BAD_SIGNATURE, /* changed on the way, or signed for something else */
    EDS_ORDER_IS_ANSWERED,      /* it is the last one that was answered for, once more */
    EDS_ORDER_IS_REPLAYED,      /* its counter is below that */
    EDS_ORDER_IS_EXPIRED,       /* its time is over */
    EDS_ORDER_IS_UNKNOWN_KIND,  /* it asks for something that this library does not know */
};

/* eds_signed_order_judge says whether a device should do what a command says.  What comes
 * back from ANSWERED on is the server's own word, and fresh: it may be told so. */
enum eds_order_verdict eds_signed_order_judge(const struct eds_signed_order *signed_order,
                                              const struct eds_order_test *test);

/* eds_order_verdict_text says a verdict in words ("it is for another device"). */
const char *eds_order_verdict_text(enum eds_order_verdict verdict);

/* What a device did, as a record of its own chain says it, by its reference:
 *
 *   edgesentry:command/DEVICE_ID/COUNTER/done/SEQUENCE
 *   edgesentry:command/DEVICE_ID/COUNTER/refused/SEQUENCE
 *
 * Buffer and server know it by that; the payload tells people more. */
struct eds_order_answer {
    uint64_t counter;
    bool done;
};

/* eds_order_answer_write writes the reference of an answer in the record of that
 * device and sequence. */
void eds_order_answer_write(char out[EDS_OBJECT_REF_SIZE], const struct eds_order_answer *answer,
                            const char *device_id, uint64_t sequence);

/* eds_order_answer_read says whether a record is an answer: of its own device, with
 * its own sequence. */
bool eds_order_answer_read(struct eds_order_answer *out, const EdsAuditRecord *record);

#ifdef __cplusplus
}
#endif

#endif
