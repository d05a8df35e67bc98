/* agent_orders.c - see agent_orders.h.
 *
 * A thread of its own, so that a server that is slow to answer holds up no record. */
#include "cli/agent_orders.h"

#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/agent_key.h"
#include "cli/buffer_arg.h"
#include "cli/client_arg.h"
#include "cli/device_arg.h"
#include "cli/order_asker.h"
#include "cli/sender.h"
#include "edgesentry/commander.h"

#define FIRST_ASK_MS   2000u  /* at most, after the start */
#define NEXT_ASK_MS    1000u  /* after an answer, which has to be delivered first */
#define ASK_TIMEOUT_MS 10000u /* so long the end of the agent may have to wait */
#define BACKOFF_MS     1000u  /* after a question that had no answer, where the others wait */

struct eds_agent_orders {
    struct eds_agent_job *job;
    struct eds_agent_settings *settings;
    struct eds_signer **signer;
    struct eds_commander *commander;
    struct eds_order_asker *asker;
    int stop_fd;
    pthread_t thread;
    bool has_thread, has_asked;
    int32_t last_rc; /* of asking: a change is worth a line in the log */
    unsigned backoff_ms;
};

static uint64_t poll_s(const struct eds_agent_orders *orders)
{
    uint64_t seconds = eds_agent_settings_get(orders->settings, EDS_SETTING_COMMAND_POLL,
                                              eds_args_u64(orders->job->args, "command-poll"));

    return seconds < 1 ? 1 : seconds > 86400 ? 86400 : seconds;
}

static void say(struct eds_order_outcome *outcome, const char *text)
{
    snprintf(outcome->text, sizeof outcome->text, "%.*s", (int)sizeof outcome->text - 1, text);
}

static int32_t report_status(void *context, const struct eds_order *order,
                             struct eds_order_outcome *outcome, struct eds_error *err)
{
    struct eds_agent_orders *orders = context;
    struct eds_buffer_counts counts;
    struct eds_agent_state state;

    (void)order;
    (void)err;
    eds_buffer_counts(orders->job->buffer, &counts);
    eds_agent_get_state(orders->job->agent, &state);
    outcome->done = true;
    snprintf(outcome->text, sizeof outcome->text,
             "version=" EDS_VERSION " sequence=%" PRIu64 " waiting=%" PRIu64 " dead=%" PRIu64
             " buffer_bytes=%" PRIu64 " records=%" PRIu64 " failures=%" PRIu64
             " clock=%s key_expired=%s command_poll=%" PRIu64,
             state.head.sequence, counts.waiting, counts.dead, counts.size, state.records,
             state.failures, eds_clock_quality_name(state.clock), state.key_expired ? "yes" : "no",
             poll_s(orders));
    return EDS_OK;
}

static int32_t apply(struct eds_agent_orders *orders, bool retries_dead, struct eds_error *err)
{
    eds_agent_job_set_limits(orders->job, orders->settings);
    return retries_dead ? eds_buffer_arg_revive(orders->job->buffer, err) : EDS_OK;
}

/* What was saved under this counter was applied, or is by the agent's start. */
static int32_t set_config(void *context, const struct eds_order *order,
                          struct eds_order_outcome *outcome, struct eds_error *err)
{
    struct eds_agent_orders *orders = context;
    struct eds_agent_settings taken = *orders->settings;
    bool retries_dead = false;
    struct eds_error fault;
    int32_t rc = EDS_OK;

    if (eds_agent_settings_take(&taken, order, &retries_dead, &fault) != EDS_OK) {
        say(outcome, fault.text);
        return EDS_OK;
    }
    if (eds_agent_settings_get(&taken, EDS_SETTING_COMMAND, 0) != order->counter)
        rc = eds_agent_settings_save(&taken, order->counter, err);
    if (rc != EDS_OK)
        return rc;
    *orders->settings = taken;
    rc = apply(orders, retries_dead, err);
    if (rc != EDS_OK)
        return rc;
    outcome->done = true;
    for (size_t i = 0; order->body[i] != '\0' && i < sizeof outcome->text - 1; i++)
        outcome->text[i] = (char)(order->body[i] != '\n'       ? order->body[i]
                                  : order->body[i + 1] == '\0' ? '\0'
                                                               : ' ');
    return EDS_OK;
}

/* "use": sign with the key that was made before; else make it. */
static int32_t rotate_key(void *context, const struct eds_order *order,
                          struct eds_order_outcome *outcome, struct eds_error *err)
{
    struct eds_agent_orders *orders = context;
    char name[EDS_SETTING_KEY_SIZE], digits[EDS_SETTING_TEXT_SIZE] = "";
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_error fault;
    size_t at = 0;
    int32_t rc;

    if (order->body[0] == '\0') {
        rc = eds_agent_key_prepare(orders->job->args, public_key, &fault);
        if (rc == EDS_OK) {
            eds_hex_encode(digits, public_key, sizeof public_key);
            snprintf(outcome->text, sizeof outcome->text, "public_key=%.64s", digits);
        }
    } else if (!eds_order_next_setting(order, &at, name, digits) || strcmp(name, "use") != 0 ||
               order->body[at] != '\0' ||
               eds_hex_decode_exactly(public_key, sizeof public_key, digits, strlen(digits),
                                      NULL) != EDS_OK) {
        rc = eds_error_set(&fault, EDS_ERR_REFUSED, "expected use=PUBLIC_KEY_HEX");
    } else {
        rc = eds_agent_key_use(orders->job, orders->signer, public_key, &fault);
        snprintf(outcome->text, sizeof outcome->text, "public_key=%.64s", digits);
    }
    outcome->done = rc == EDS_OK;
    if (rc == EDS_ERR_REFUSED)
        say(outcome, fault.text);
    if (rc == EDS_OK || rc == EDS_ERR_REFUSED)
        return EDS_OK;
    return eds_error_set(err, rc, "%s", fault.text);
}

static void log_taken(int32_t rc, const struct eds_order *order, const struct eds_error *err)
{
    if (rc == EDS_OK)
        EDS_LOG(err->code == EDS_OK ? EDS_LOG_INFO : EDS_LOG_WARN, "command_answered",
                EDS_LOG_NUMBER("counter", order->counter),
                EDS_LOG_STRING("kind", eds_order_kind_name(order->kind)),
                EDS_LOG_STRING("operator", order->operator_name),
                EDS_LOG_STRING("result", err->code == EDS_OK ? "done" : "refused"),
                EDS_LOG_STRING("text", err->text));
    else if (rc == EDS_ERR_BAD_SIGNATURE)
        EDS_LOG(EDS_LOG_ERROR, "command_not_taken", EDS_LOG_STRING("reason", err->text));
    else if (rc != EDS_ERR_EXISTS)
        EDS_LOG(EDS_LOG_WARN, "command_put_off", EDS_LOG_NUMBER("counter", order->counter),
                EDS_LOG_STRING("reason", err->text));
}

/* A fifth sooner or later, so that a fleet does not ask together. */
static unsigned about(unsigned ms)
{
    return eds_random_between(ms - ms / 5, ms + ms / 5);
}

/* How long to rest after a question: not long after an order that was answered, because
 * the next one may wait already; not at all after one that has waited itself. */
static unsigned rest_after(struct eds_agent_orders *orders, int32_t rc, bool has_answered)
{
    unsigned poll_ms = (unsigned)poll_s(orders) * 1000;

    if (has_answered)
        return about(NEXT_ASK_MS);
    if (!eds_order_asker_waits(orders->asker) || rc == EDS_OK || rc == EDS_ERR_UNSUPPORTED)
        return about(poll_ms);
    if (rc == EDS_ERR_NOT_FOUND) {
        orders->backoff_ms = BACKOFF_MS;
        return 0;
    }
    orders->backoff_ms = eds_backoff_next_ms(
        BACKOFF_MS, poll_ms > BACKOFF_MS ? poll_ms : BACKOFF_MS, orders->backoff_ms);
    return orders->backoff_ms;
}

/* Asks, and waits for so long where one can wait for an order.  How long to rest then. */
static unsigned ask(struct eds_agent_orders *orders, unsigned wait_ms)
{
    const int wake_fds[2] = {orders->stop_fd, orders->job->ending_fd};
    bool has_answered = false;
    struct eds_signed_order signed_order;
    uint8_t nonce[EDS_NONCE_SIZE];
    struct eds_error err;
    int32_t rc = eds_commander_ask(orders->commander, nonce, &err);

    if (rc == EDS_OK)
        rc = eds_order_asker_ask(orders->asker, nonce, wait_ms, wake_fds, 2, &signed_order, &err);
    if (rc == EDS_OK) {
        rc = eds_commander_take(orders->commander, &signed_order, &err);
        log_taken(rc, &signed_order.order, &err);
        has_answered = rc == EDS_OK;
        rc = EDS_OK;
    } else if (rc != EDS_ERR_NOT_FOUND && rc != orders->last_rc) {
        EDS_LOG(EDS_LOG_WARN, "no_word_on_commands", EDS_LOG_STRING("reason", err.text));
    }
    orders->last_rc = rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
    orders->has_asked = true;
    return rest_after(orders, rc, has_answered);
}

/* Waits; false when it is time to stop. */
static bool rest(struct eds_agent_orders *orders, unsigned ms)
{
    struct pollfd ending[2] = {{.fd = orders->stop_fd, .events = POLLIN},
                               {.fd = orders->job->ending_fd, .events = POLLIN}};

    return poll(ending, 2, (int)ms) <= 0;
}

static void *run(void *context)
{
    struct eds_agent_orders *orders = context;
    unsigned ms = eds_random_between(0, FIRST_ASK_MS);

    while (rest(orders, ms))
        ms = ask(orders, about((unsigned)poll_s(orders) * 1000));
    if (!orders->has_asked && !eds_agent_job_pause(orders->job, 0))
        (void)ask(orders, 0); /* an agent of a few lines asks, too */
    return NULL;
}

static int32_t open_commander(struct eds_agent_orders *orders, struct eds_error *err)
{
    const struct eds_args *args = orders->job->args;
    uint8_t keys[EDS_COMMANDER_KEYS_MAX][EDS_PUBLIC_KEY_SIZE];
    struct eds_commander_config config = {.agent = orders->job->agent,
                                          .buffer = orders->job->buffer,
                                          .device_id = eds_args_text(args, "device-id"),
                                          .keys = (const uint8_t(*)[EDS_PUBLIC_KEY_SIZE])keys,
                                          .key_count = eds_args_count(args, "command-key"),
                                          .handlers = {[EDS_ORDER_REPORT_STATUS] = report_status,
                                                       [EDS_ORDER_CONFIG] = set_config,
                                                       [EDS_ORDER_ROTATE_KEY] = rotate_key},
                                          .context = orders};
    int32_t rc = EDS_OK;

    if (config.key_count > EDS_COMMANDER_KEYS_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "--command-key: at most %u are possible",
                             EDS_COMMANDER_KEYS_MAX);
    for (size_t i = 0; i < config.key_count && rc == EDS_OK; i++) {
        struct eds_error fault;

        rc = eds_public_key_parse(keys[i], eds_args_at(args, "command-key", i), &fault);
        if (rc != EDS_OK)
            rc = eds_error_set(err, EDS_ERR_USAGE, "--command-key: %s", fault.text);
    }
    return rc == EDS_OK ? eds_commander_open(&orders->commander, &config, err) : rc;
}

static int32_t open_asker(struct eds_agent_orders *orders, struct eds_error *err)
{
    const struct eds_args *args = orders->job->args;
    const char *url = eds_args_text(args, "command-url");
    struct eds_http_client_config client = {.url = url != NULL ? url : eds_args_text(args, "url")};
    struct eds_order_asker_config config;
    int32_t rc;

    if (client.url == NULL ||
        (strncmp(client.url, "http", 4) != 0 && !eds_sender_is_mqtt(client.url)))
        return eds_error_set(err, EDS_ERR_USAGE,
                             "--command-key needs a server to ask, or a broker that it listens to: "
                             "--url or --command-url");
    rc = eds_client_arg_take(&client, args, err);
    config = (struct eds_order_asker_config){.url = client.url,
                                             .device_id = eds_args_text(args, "device-id"),
                                             .ca_file = client.ca_file,
                                             .cert_file = client.cert_file,
                                             .key_file = client.key_file,
                                             .client_id = orders->job->client_id,
                                             .user = eds_args_text(args, "user"),
                                             .password_file = eds_args_text(args, "password-file"),
                                             .timeout_ms = ASK_TIMEOUT_MS};
    return rc == EDS_OK ? eds_order_asker_open(&orders->asker, &config, err) : rc;
}

int32_t eds_agent_orders_start(struct eds_agent_orders **out, struct eds_agent_job *job,
                               struct eds_agent_settings *settings, struct eds_signer **signer,
                               struct eds_error *err)
{
    struct eds_agent_orders *orders;
    int32_t rc;

    *out = NULL;
    if (eds_args_count(job->args, "command-key") == 0)
        return EDS_OK;
    orders = calloc(1, sizeof *orders);
    if (orders == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for commands");
    *orders = (struct eds_agent_orders){.job = job, .settings = settings, .signer = signer};
    orders->stop_fd = eventfd(0, EFD_CLOEXEC);
    rc = orders->stop_fd >= 0 ? open_asker(orders, err)
                              : eds_error_set(err, EDS_ERR_IO, "no descriptor for commands");
    if (rc == EDS_OK)
        rc = open_commander(orders, err);
    if (rc == EDS_OK) {
        orders->has_thread = pthread_create(&orders->thread, NULL, run, orders) == 0;
        if (!orders->has_thread)
            rc = eds_error_set(err, EDS_ERR_IO, "no thread for commands");
    }
    if (rc != EDS_OK)
        eds_agent_orders_stop(orders);
    else
        *out = orders;
    return rc;
}

void eds_agent_orders_stop(struct eds_agent_orders *orders)
{
    static const uint64_t one = 1;

    if (orders == NULL)
        return;
    if (orders->has_thread && write(orders->stop_fd, &one, sizeof one) == (ssize_t)sizeof one)
        pthread_join(orders->thread, NULL);
    if (orders->stop_fd >= 0)
        close(orders->stop_fd);
    eds_commander_close(orders->commander);
    eds_order_asker_close(orders->asker);
    free(orders);
}
