/* ledger_desk.c - see ledger_desk.h. */
#include "ingest/ledger_desk.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/port.h"
#include "base/wipe.h"
#include "store/orders.h"
#include "store/roster.h"

#define ASK_AGAIN_MS 2000u /* an operator waits about so long */

struct eds_ledger_desk {
    struct eds_command_desk desk; /* first */
    struct eds_ledger *ledger;    /* of the thread alone */
    pthread_t thread;
    struct eds_question_queue queue;
    pthread_mutex_t lock; /* for the seed */
    uint8_t seed[EDS_SEED_SIZE];
};

/* Why an operator's word is not good now; NULL: it is. */
static const char *fault_of(const struct eds_stored_order *stored,
                            const struct eds_enrolment *operator_now, uint64_t now_ms)
{
    if (operator_now->state != EDS_DEVICE_ACTIVE)
        return "its operator is not active any more";
    for (uint32_t i = 0; i < operator_now->key_count; i++) {
        const struct eds_enrolled_key *key = &operator_now->keys[i];

        if (!eds_order_verify(&stored->word, &stored->order, key->public_key))
            continue;
        return eds_key_standing(key, now_ms, 0) == EDS_KEY_VALID
                   ? NULL
                   : "its operator's key is not valid any more";
    }
    return "its operator has not signed it";
}

/* Settles an order that no device is given. */
static int32_t refuse(struct eds_ledger *ledger, const struct eds_order *order, const char *why,
                      uint64_t now_ms, struct eds_error *err)
{
    char message[128];
    struct eds_order_settling settling = {.device_id = order->device_id,
                                          .counter = order->counter,
                                          .result = EDS_ORDER_REFUSED,
                                          .message = message,
                                          .now_ms = now_ms};

    snprintf(message, sizeof message, "command %" PRIu64 " is not given to the device: %s",
             order->counter, why);
    EDS_LOG(EDS_LOG_WARN, "command_refused", EDS_LOG_STRING("device_id", order->device_id),
            EDS_LOG_NUMBER("counter", order->counter),
            EDS_LOG_STRING("operator", order->operator_name), EDS_LOG_STRING("reason", why));
    return ledger->orders->settle(ledger, &settling, err);
}

/* EDS_OK if the order is good, EDS_ERR_REFUSED after it was refused. */
static int32_t check_word(struct eds_ledger *ledger, const struct eds_stored_order *stored,
                          uint64_t now_ms, struct eds_error *err)
{
    struct eds_enrolment operator_now;
    const char *fault;
    int32_t rc = ledger->roster->find(ledger, EDS_ROLE_OPERATOR, stored->order.operator_name,
                                      &operator_now, err);

    if (rc == EDS_ERR_NOT_FOUND)
        fault = "its operator is not registered";
    else if (rc == EDS_OK)
        fault = fault_of(stored, &operator_now, now_ms);
    else
        return rc;
    if (fault == NULL)
        return EDS_OK;
    rc = refuse(ledger, &stored->order, fault, now_ms, err);
    return rc == EDS_OK ? EDS_ERR_REFUSED : rc;
}

/* Whether the device may have orders at all: EDS_ERR_NOT_FOUND if not. */
static int32_t check_device(struct eds_ledger *ledger, const char *id, struct eds_error *err)
{
    struct eds_enrolment device;
    int32_t rc = ledger->roster->find(ledger, EDS_ROLE_DEVICE, id, &device, err);

    if (rc == EDS_ERR_NOT_FOUND) /* it may be known by --device alone */
        return EDS_OK;
    if (rc == EDS_OK && (device.state == EDS_DEVICE_REVOKED || device.state == EDS_DEVICE_RETIRED))
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "device %s is %s", id,
                             eds_device_state_name(device.state));
    return rc;
}

/* Finds the device's next good order. */
static int32_t find(struct eds_ledger *ledger, const char *device_id, uint64_t now_ms,
                    struct eds_stored_order *out, struct eds_error *err)
{
    int32_t rc = ledger->orders->next(ledger, device_id, 0, now_ms, out, err);

    if (rc == EDS_OK)
        rc = check_device(ledger, device_id, err);
    while (rc == EDS_OK) {
        rc = check_word(ledger, out, now_ms, err);
        if (rc != EDS_ERR_REFUSED)
            return rc;
        rc = ledger->orders->next(ledger, device_id, out->order.counter, now_ms, out, err);
    }
    return rc;
}

static int32_t answer(struct eds_ledger *ledger, struct eds_command_question *question,
                      const uint8_t seed[EDS_SEED_SIZE])
{
    struct eds_signed_order *out = &question->signed_order;
    uint64_t now_ms = eds_port_time_ms();
    struct eds_stored_order stored;
    int32_t rc = find(ledger, question->device_id, now_ms, &stored, &question->err);

    if (rc != EDS_OK)
        return rc;
    if (stored.taken_ms == 0)
        rc = ledger->orders->take(ledger, question->device_id, stored.order.counter, now_ms,
                                  &question->err);
    if (rc != EDS_OK)
        return rc;
    out->order = stored.order;
    memcpy(out->nonce, question->nonce, sizeof out->nonce);
    rc = eds_signed_order_sign(out, seed, &question->err);
    if (rc == EDS_OK)
        EDS_LOG(EDS_LOG_INFO, "command_given", EDS_LOG_STRING("device_id", question->device_id),
                EDS_LOG_NUMBER("counter", stored.order.counter));
    return rc;
}

static void *run(void *context)
{
    struct eds_ledger_desk *desk = context;
    struct eds_command_question *question;
    uint8_t seed[EDS_SEED_SIZE];

    while ((question = eds_question_queue_take(&desk->queue)) != NULL) {
        pthread_mutex_lock(&desk->lock);
        memcpy(seed, desk->seed, sizeof seed);
        pthread_mutex_unlock(&desk->lock);
        question->rc = answer(desk->ledger, question, seed);
        question->done(question);
    }
    eds_wipe(seed, sizeof seed);
    return NULL;
}

static void ask(struct eds_command_desk *desk, struct eds_command_question *question)
{
    eds_question_queue_put(&((struct eds_ledger_desk *)desk)->queue, question);
}

/* A key serves one role. */
static int32_t check_key(struct eds_ledger *ledger, const uint8_t seed[EDS_SEED_SIZE],
                         struct eds_error *err)
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_key_owner owner;
    int32_t rc;

    eds_ed25519_public_key(public_key, seed);
    rc = ledger->roster->owner(ledger, public_key, &owner, err);
    if (rc == EDS_OK)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "the key for commands is registered for %s %s: give the server one of "
                             "its own",
                             eds_role_name(owner.role), owner.id);
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

static void destroy(struct eds_ledger_desk *desk)
{
    desk->ledger->ops->close(desk->ledger);
    eds_question_queue_destroy(&desk->queue);
    pthread_mutex_destroy(&desk->lock);
    eds_wipe(desk->seed, sizeof desk->seed);
    free(desk);
}

int32_t eds_ledger_desk_open(struct eds_ledger_desk **out, struct eds_ledger *ledger,
                             const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err)
{
    struct eds_ledger_desk *desk = calloc(1, sizeof *desk);
    int32_t rc;

    if (desk == NULL) {
        ledger->ops->close(ledger);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a desk for commands");
    }
    desk->desk = (struct eds_command_desk){.ask = ask, .ask_again_ms = ASK_AGAIN_MS};
    desk->ledger = ledger;
    memcpy(desk->seed, seed, sizeof desk->seed);
    eds_question_queue_init(&desk->queue);
    pthread_mutex_init(&desk->lock, NULL);
    rc = check_key(ledger, seed, err);
    if (rc == EDS_OK && pthread_create(&desk->thread, NULL, run, desk) != 0)
        rc = eds_error_set(err, EDS_ERR_IO, "no thread for a desk for commands");
    if (rc != EDS_OK)
        destroy(desk);
    else
        *out = desk;
    return rc;
}

void eds_ledger_desk_set_key(struct eds_ledger_desk *desk, const uint8_t seed[EDS_SEED_SIZE])
{
    pthread_mutex_lock(&desk->lock);
    memcpy(desk->seed, seed, sizeof desk->seed);
    pthread_mutex_unlock(&desk->lock);
}

struct eds_command_desk *eds_ledger_desk_of(struct eds_ledger_desk *desk)
{
    return &desk->desk;
}

void eds_ledger_desk_close(struct eds_ledger_desk *desk)
{
    if (desk == NULL)
        return;
    eds_question_queue_end(&desk->queue);
    pthread_join(desk->thread, NULL);
    destroy(desk);
}
