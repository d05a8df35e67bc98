/* device_command.c - eds audit device command: an operator's order to a device. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/port.h"
#include "base/wipe.h"
#include "cli/device.h"
#include "cli/device_job.h"
#include "cli/key_arg.h"
#include "cli/operator_check.h"
#include "cli/order_out.h"
#include "cli/say.h"
#include "cli/when.h"
#include "registry/lifecycle.h"
#include "store/instant.h"

#define ATTEMPT_MAX 10
#define FOLLOWED_MS 1500u /* by all servers, since the key was found in the ledger */

static const char *const kinds[] = {"report-status", "config", "rotate-key", NULL};

static int32_t check_setting(const char *text, struct eds_error *err)
{
    return strchr(text, '=') != NULL
               ? EDS_OK
               : eds_error_set(err, EDS_ERR_USAGE, "expected KEY=VALUE, as buffer-age-max=3600");
}

static const struct eds_option options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "The device", .required = true},
    {.name = "kind",
     .value = "KIND",
     .choices = kinds,
     .required = true,
     .help = "What it is to do: say how it is, take other settings, or make a new key"},
    {.name = "set",
     .value = "KEY=VALUE",
     .repeatable = true,
     .check = check_setting,
     .help = "A setting of config; with rotate-key use=PUBLIC_KEY_HEX: sign from now on with the "
             "key that it has made"},
    {.name = "expires",
     .value = "TIME",
     .fallback = "+24h",
     .check = eds_check_when,
     .help = "Nothing is done after this: 2026-11-22T00:00:00Z or +7d"},
    {.name = "operator",
     .value = "NAME",
     .help = "On whose word, as he is registered",
     .required = true},
    EDS_OPTIONS_KEY,
    {.name = "counter",
     .value = "COUNTER",
     .check = eds_check_u64,
     .help = "Count on from here, if it is above the last one: where the ledger is a copy from "
             "before commands that the device knows"},
    {.name = "reason", .value = "TEXT", .help = "Why, for the operation log", .fallback = ""},
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Take nothing more in once a record waits for an hour, and ask for commands each 30 s",
     "eds audit device command lift-07 --kind config --set buffer-age-max=3600 --set "
     "command-poll=30 --operator carol --key-file carol.key.json"},
    {"How is it?",
     "eds audit device command lift-07 --kind report-status --operator carol --key-file "
     "carol.key.json"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the command waits for the device"},
    {EDS_EXIT_FAILED, "no such name, another's key, too many wait already, or not written"},
    {0, NULL},
};

struct giving {
    const struct eds_args *args;
    struct eds_ledger *ledger;
    uint64_t now_ms;
    struct eds_key key;
    struct eds_order order;
    bool has_waited; /* for all servers to know the key that it names */
};

static int by_key(const void *a, const void *b)
{
    const char *one = *(const char *const *)a, *other = *(const char *const *)b;
    size_t size = strcspn(one, "="), other_size = strcspn(other, "=");
    int order = memcmp(one, other, size < other_size ? size : other_size);

    return order != 0 ? order : (size > other_size) - (size < other_size);
}

/* The settings in the order of their keys, a line each. */
static int32_t make_body(struct giving *g, struct eds_error *err)
{
    size_t count = eds_args_count(g->args, "set"), used = 0;
    const char *list[EDS_ORDER_BODY_SIZE / 3];

    if (count > sizeof list / sizeof list[0])
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "%zu settings are too many", count);
    for (size_t i = 0; i < count; i++)
        list[i] = eds_args_at(g->args, "set", i);
    qsort(list, count, sizeof list[0], by_key);
    for (size_t i = 0; i < count; i++) {
        size_t size = strlen(list[i]) + 1;

        if (strchr(list[i], '\n') != NULL)
            return eds_error_set(err, EDS_ERR_USAGE, "--set: a value has a control character");
        if (size >= sizeof g->order.body - used)
            return eds_error_set(err, EDS_ERR_TOO_LARGE,
                                 "the settings are too long: a command has room for %u bytes",
                                 EDS_ORDER_BODY_SIZE - 1);
        snprintf(g->order.body + used, sizeof g->order.body - used, "%s\n", list[i]);
        used += size;
    }
    return EDS_OK;
}

static int32_t take_name(char *out, const char *text, const char *what, struct eds_error *err)
{
    int32_t rc = eds_lifecycle_check_text(text, EDS_DEVICE_ID_SIZE, what, err);

    if (rc == EDS_OK)
        strcpy(out, text);
    return rc;
}

/* The whole order but for its counter; what is wrong with it is said before a key is
 * asked for. */
static int32_t make_order(struct giving *g, struct eds_error *err)
{
    struct eds_order *order = &g->order;
    int32_t rc = take_name(order->device_id, eds_args_text(g->args, "device-id"), "device id", err);

    if (rc == EDS_OK)
        rc = take_name(order->operator_name, eds_args_text(g->args, "operator"), "operator", err);
    if (rc == EDS_OK)
        rc =
            eds_lifecycle_check_text(eds_args_text(g->args, "reason"), EDS_WHY_SIZE, "reason", err);
    if (rc == EDS_OK)
        rc =
            eds_when_parse(&order->not_after_ms, eds_args_text(g->args, "expires"), g->now_ms, err);
    if (rc == EDS_OK)
        rc = make_body(g, err);
    if (rc != EDS_OK)
        return rc;
    (void)eds_order_kind_parse(&order->kind, eds_args_text(g->args, "kind"));
    order->issued_ms = g->now_ms;
    order->counter = 1;
    if (order->not_after_ms <= g->now_ms)
        return eds_error_set(err, EDS_ERR_USAGE, "--expires must be in the future");
    rc = eds_order_check(order, err);
    if (rc != EDS_OK)
        err->code = EDS_ERR_USAGE;
    return rc == EDS_OK ? EDS_OK : EDS_ERR_USAGE;
}

/* Servers follow a registry within a second.  A device that signed with a key before they
 * know it would be refused for good; so whoever has just registered one waits here. */
static void await_servers(struct giving *g)
{
    if (!g->has_waited)
        usleep(FOLLOWED_MS * 1000);
    g->has_waited = true;
}

/* What a device is to sign with must be a key that servers know as its own. */
static int32_t check_use(struct giving *g, const struct eds_enrolment *device,
                         struct eds_error *err)
{
    char name[EDS_SETTING_KEY_SIZE], digits[EDS_SETTING_TEXT_SIZE];
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    size_t at = 0;

    if (g->order.kind != EDS_ORDER_ROTATE_KEY || g->order.body[0] == '\0')
        return EDS_OK;
    if (!eds_order_next_setting(&g->order, &at, name, digits) || strcmp(name, "use") != 0 ||
        g->order.body[at] != '\0' ||
        eds_hex_decode_exactly(public_key, sizeof public_key, digits, strlen(digits), NULL) !=
            EDS_OK)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "rotate-key has no setting but use=PUBLIC_KEY_HEX");
    for (uint32_t i = 0; i < device->key_count; i++)
        if (memcmp(device->keys[i].public_key, public_key, sizeof public_key) == 0 &&
            eds_key_standing(&device->keys[i], g->now_ms, 0) == EDS_KEY_VALID) {
            await_servers(g);
            return EDS_OK;
        }
    return eds_error_set(err, EDS_ERR_REFUSED,
                         "device %s has no such key that is valid now: register it first (eds "
                         "audit device rotate), or its records would be refused",
                         device->id);
}

/* One that is not registered may still be known by what it has sent. */
static int32_t check_device(struct giving *g, struct eds_error *err)
{
    struct eds_ledger *ledger = g->ledger;
    const char *id = g->order.device_id;
    struct eds_enrolment device;
    struct eds_head head;
    int32_t rc = ledger->roster->find(ledger, EDS_ROLE_DEVICE, id, &device, err);

    if (rc == EDS_ERR_NOT_FOUND && ledger->ops->head(ledger, id, &head, err) == EDS_OK &&
        head.sequence > 0) {
        strcpy(device.id, id);
        device.key_count = 0;
        return check_use(g, &device, err);
    }
    if (rc == EDS_ERR_NOT_FOUND)
        return eds_error_set(err, rc, "device %s is neither registered nor has it sent anything",
                             id);
    if (rc != EDS_OK)
        return rc;
    if (device.state == EDS_DEVICE_REVOKED || device.state == EDS_DEVICE_RETIRED)
        return eds_error_set(err, EDS_ERR_REFUSED, "device %s is %s, and gets no commands", id,
                             eds_device_state_name(device.state));
    return check_use(g, &device, err);
}

static int32_t give_once(struct giving *g, uint64_t revision, struct eds_error *err)
{
    char message[EDS_ORDER_TEXT_SIZE];
    struct eds_order_word word;
    struct eds_order_giving giving = {.order = &g->order,
                                      .word = &word,
                                      .operator_revision = revision,
                                      .message = message,
                                      .why = eds_args_text(g->args, "reason"),
                                      .now_ms = g->now_ms};
    int32_t rc = eds_order_sign(&word, &g->order, g->key.seed, err);

    eds_order_text(message, &g->order);
    return rc == EDS_OK ? g->ledger->orders->give(g->ledger, &giving, err) : rc;
}

/* Counts and gives the order, again if somebody was faster. */
static int32_t give(struct giving *g, struct eds_error *err)
{
    const char *given = eds_args_text(g->args, "counter");
    struct eds_ledger *ledger = g->ledger;
    int32_t rc = EDS_ERR_HEAD_MOVED;

    for (int i = 0; rc == EDS_ERR_HEAD_MOVED && i < ATTEMPT_MAX; i++) {
        uint64_t revision = 0, last = 0;

        rc = eds_operator_check(ledger, g->order.operator_name, g->key.public_key, g->now_ms,
                                &revision, err);
        if (rc == EDS_OK)
            rc = check_device(g, err);
        if (rc == EDS_OK)
            rc = ledger->orders->last(ledger, g->order.device_id, &last, err);
        if (rc != EDS_OK)
            break;
        g->order.counter = last + 1;
        if (given != NULL && strtoull(given, NULL, 10) > last)
            g->order.counter = strtoull(given, NULL, 10);
        rc = give_once(g, revision, err);
    }
    return rc;
}

static int report(const struct giving *g, int32_t rc, const struct eds_error *err)
{
    struct eds_stored_order stored = {.order = g->order};
    struct eds_json_out json;
    char text[EDS_ORDER_TEXT_SIZE], when[EDS_INSTANT_SIZE];

    if (rc != EDS_OK)
        return eds_say_error(g->args, "", err);
    if (eds_args_flag(g->args, "json")) {
        eds_out_begin(&json);
        eds_order_json(&json, &stored, g->now_ms);
        eds_out_end(&json);
    } else {
        eds_order_text(text, &g->order);
        eds_instant_format(when, g->order.not_after_ms);
        printf("%s; waits for device %s until %s\n", text, g->order.device_id, when);
    }
    return EDS_EXIT_OK;
}

static int run(const struct eds_args *args)
{
    struct giving g = {.args = args, .now_ms = eds_port_time_ms()};
    struct eds_error err;
    int32_t rc = make_order(&g, &err);

    if (rc == EDS_OK)
        rc = eds_key_get(&g.key, args, &err);
    if (rc == EDS_OK)
        rc = eds_store_open(&g.ledger, args, false, &err);
    if (rc == EDS_OK)
        rc = give(&g, &err);
    if (g.ledger != NULL)
        g.ledger->ops->close(g.ledger);
    eds_wipe(&g.key, sizeof g.key);
    return report(&g, rc, &err);
}

const struct eds_command eds_device_command = {
    .name = "command",
    .summary = "Give a device a command, by an operator's signature",
    .description =
        "The command is counted, signed by the operator, and waits in the ledger until the device "
        "asks ('agent --command-key'). A server that has a key for that (--command-key-file) then "
        "signs it for this one question of the device, if the operator's signature is good still. "
        "The device does it once, and says so in a record of its chain: 'device commands' shows "
        "what came of it.\n\nAt most 16 commands wait for a device at a time. The settings of "
        "config that 'eds audit agent' takes: command-poll and buffer-age-max (seconds), "
        "buffer-size-max (bytes), and retry-dead=now. What a device does not know it "
        "refuses.\n\nrotate-key has the device make a new key and report its public half. "
        "Register that ('device rotate'), and then let it use it (--set use=PUBLIC_KEY_HEX).",
    .options = options,
    .positional = "device-id",
    .examples = examples,
    .exits = exits,
    .run = run,
};
