/* commander.c - see edgesentry/commander.h.
 *
 * What is durable of a command is its answer: the buffer finds the counter there.  So
 * nothing is kept here that a power cut could take. */
#include "edgesentry/commander.h"

#include <stdlib.h>
#include <string.h>

#include "base/format.h"
#include "base/hex.h"
#include "base/port.h"
#include "base/utf8.h"
#include "edgesentry/json.h"

#define REPEAT_AT   3u
#define REPORT_SIZE (6u * EDS_ORDER_TEXT_MAX + 256u) /* bytes; of an answer's JSON */

struct eds_commander {
    struct eds_commander_config config;
    char device_id[EDS_DEVICE_ID_SIZE];
    uint8_t keys[EDS_COMMANDER_KEYS_MAX][EDS_PUBLIC_KEY_SIZE];
    uint8_t nonce[EDS_NONCE_SIZE];
    bool is_asking; /* nonce is that of a question without an answer yet */
    uint64_t again; /* the order that came again after its answer */
    unsigned times; /* so often, while nothing waited to be delivered */
};

static int32_t check_config(const struct eds_commander_config *config, struct eds_error *err)
{
    size_t size = config->device_id != NULL ? strlen(config->device_id) : 0;

    if (config->agent == NULL || config->buffer == NULL || size == 0 ||
        size >= EDS_DEVICE_ID_SIZE || config->key_count == 0 ||
        config->key_count > EDS_COMMANDER_KEYS_MAX)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "a commander needs an agent, its buffer and device id, and 1 to %u "
                             "keys",
                             EDS_COMMANDER_KEYS_MAX);
    for (size_t i = 0; i < config->key_count; i++)
        if (eds_ed25519_check_key(config->keys[i]) != EDS_KEY_GOOD)
            return eds_error_set(err, EDS_ERR_INVALID_KEY,
                                 "no signature can be valid under key %zu of those that may "
                                 "command",
                                 i + 1);
    return EDS_OK;
}

int32_t eds_commander_open(struct eds_commander **out, const struct eds_commander_config *config,
                           struct eds_error *err)
{
    struct eds_commander *commander;
    int32_t rc = check_config(config, err);

    if (rc != EDS_OK)
        return rc;
    commander = calloc(1, sizeof *commander);
    if (commander == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for commands");
    commander->config = *config;
    strcpy(commander->device_id, config->device_id);
    memcpy(commander->keys, config->keys, config->key_count * EDS_PUBLIC_KEY_SIZE);
    commander->config.device_id = NULL;
    commander->config.keys = NULL;
    *out = commander;
    return EDS_OK;
}

void eds_commander_close(struct eds_commander *commander)
{
    free(commander);
}

int32_t eds_commander_ask(struct eds_commander *commander, uint8_t nonce[EDS_NONCE_SIZE],
                          struct eds_error *err)
{
    commander->is_asking = eds_port_random(commander->nonce, sizeof commander->nonce) == 0;
    if (!commander->is_asking)
        return eds_error_set(err, EDS_ERR_PANIC, "there is no randomness for a nonce");
    memcpy(nonce, commander->nonce, sizeof commander->nonce);
    return EDS_OK;
}

/* The answer's payload.  Its size, or 0 if its text is not UTF-8. */
static size_t format_report(char out[REPORT_SIZE], const struct eds_order *order,
                            const struct eds_order_outcome *outcome)
{
    char hash_hex[2 * EDS_HASH_SIZE + 1];
    uint8_t hash[EDS_HASH_SIZE];
    size_t used, quoted;

    eds_order_digest(hash, order);
    eds_hex_encode(hash_hex, hash, sizeof hash);
    used = eds_format(out, REPORT_SIZE,
                      "{\"command\":%llu,\"kind\":\"%s\",\"result\":\"%s\",\"order_hash\":\"%s\","
                      "\"text\":",
                      (unsigned long long)order->counter, eds_order_kind_name(order->kind),
                      outcome->done ? "done" : "refused", hash_hex);
    quoted = eds_json_string_encode(out + used, REPORT_SIZE - used - 1, outcome->text,
                                    strlen(outcome->text));
    if (quoted == 0)
        return 0;
    memcpy(out + used + quoted, "}", 2);
    return used + quoted + 1;
}

/* Puts the answer into the chain. */
static int32_t record_answer(struct eds_commander *commander, const struct eds_order *order,
                             struct eds_order_outcome *outcome, struct eds_error *err)
{
    struct eds_order_answer answer = {.counter = order->counter, .done = outcome->done};
    char report[REPORT_SIZE];
    size_t size;
    int32_t rc;

    outcome->text[sizeof outcome->text - 1] = '\0';
    outcome->text[eds_utf8_valid_size(outcome->text, strlen(outcome->text))] = '\0';
    size = format_report(report, order, outcome);
    rc = eds_agent_answer(commander->config.agent, &answer, report, size, err);
    if (rc == EDS_OK)
        eds_error_set(err, outcome->done ? EDS_OK : EDS_ERR_REFUSED, "%s", outcome->text);
    return rc;
}

static int32_t refuse(struct eds_commander *commander, const struct eds_order *order,
                      const char *why, struct eds_error *err)
{
    struct eds_order_outcome outcome = {.done = false};

    eds_format(outcome.text, sizeof outcome.text, "%s", why);
    return record_answer(commander, order, &outcome, err);
}

static int32_t obey(struct eds_commander *commander, const struct eds_order *order,
                    struct eds_error *err)
{
    eds_order_handler *handler = commander->config.handlers[order->kind];
    struct eds_order_outcome outcome = {.done = false};
    int32_t rc;

    if (handler == NULL)
        return refuse(commander, order, "this device does not do that", err);
    rc = handler(commander->config.context, order, &outcome, err);
    return rc == EDS_OK ? record_answer(commander, order, &outcome, err) : rc;
}

/* An order that was answered comes again: mostly because the answer is still on its way,
 * here or at a gateway; once in years because the server was cut off while it took it.
 * So it is answered a second time, at the third such time, and then no more. */
static int32_t repeat(struct eds_commander *commander, const struct eds_order *order,
                      struct eds_error *err)
{
    if (commander->again != order->counter)
        commander->times = 0;
    commander->again = order->counter;
    if (!eds_buffer_is_empty(commander->config.buffer) || ++commander->times != REPEAT_AT)
        return eds_error_set(err, EDS_ERR_EXISTS, "command %llu was answered before",
                             (unsigned long long)order->counter);
    return refuse(commander, order,
                  "it was answered before: an earlier record of this chain says "
                  "how",
                  err);
}

int32_t eds_commander_take(struct eds_commander *commander,
                           const struct eds_signed_order *signed_order, struct eds_error *err)
{
    const struct eds_order *order = &signed_order->order;
    struct eds_order_test test = {.device_id = commander->device_id,
                                  .nonce = commander->nonce,
                                  .now_ms = eds_agent_now_ms(commander->config.agent),
                                  .keys = (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])commander->keys,
                                  .key_count = commander->config.key_count};
    enum eds_order_verdict verdict;
    struct eds_buffer_head head;

    if (!commander->is_asking)
        return eds_error_set(err, EDS_ERR_BAD_SIGNATURE, "nobody has asked for a command");
    commander->is_asking = false; /* one answer a question */
    eds_buffer_head(commander->config.buffer, commander->device_id, &head);
    test.counter = head.command_counter;
    verdict = eds_signed_order_judge(signed_order, &test);
    if (verdict == EDS_ORDER_IS_GOOD)
        return obey(commander, order, err);
    if (verdict == EDS_ORDER_IS_ANSWERED)
        return repeat(commander, order, err);
    if (verdict < EDS_ORDER_IS_ANSWERED) /* it may be anybody's: not worth a record */
        return eds_error_set(err, EDS_ERR_BAD_SIGNATURE, "a command is not taken: %s",
                             eds_order_verdict_text(verdict));
    return refuse(commander, order, eds_order_verdict_text(verdict), err);
}
