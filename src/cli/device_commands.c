/* device_commands.c - eds audit device commands: what became of a device's orders. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "cli/device.h"
#include "cli/order_out.h"
#include "cli/say.h"
#include "cli/store_arg.h"
#include "codec/json_cursor.h"
#include "store/instant.h"

#define REPORT_SIZE 1200u

static const struct eds_option options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "The device", .required = true},
    {.name = "open", .help = "Only those that are still to be done"},
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"All of them, one a line", "eds audit device commands lift-07"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "all are listed, if there are any"},
    {EDS_EXIT_FAILED, "the ledger could not be read"},
    {0, NULL},
};

struct listing {
    const struct eds_args *args;
    struct eds_ledger *ledger;
    struct eds_json_out json;
    bool as_json;
    uint64_t now_ms, count;
};

static void take_text(struct eds_json_cursor *c, void *object)
{
    (void)eds_json_string_cut(c, object, REPORT_SIZE);
}

static void pass(struct eds_json_cursor *c, void *object)
{
    (void)object;
    eds_json_skip(c);
}

static const struct eds_json_field fields[] = {EDS_JSON_FIELD("command", pass),
                                               EDS_JSON_FIELD("text", take_text)};
static const struct eds_json_shape shape = {fields, 2, 0x2, true};

/* What the device says of it in its record; "" where the payload is kept elsewhere. */
static void read_report(const struct listing *listing, const struct eds_stored_order *stored,
                        char out[REPORT_SIZE])
{
    struct eds_order_answer answer = {stored->order.counter, stored->result == EDS_ORDER_DONE};
    char reference[EDS_OBJECT_REF_SIZE];
    struct eds_json_cursor c;
    struct eds_error err;
    void *payload = NULL;
    size_t size = 0;

    memset(out, 0, REPORT_SIZE);
    if (stored->result_sequence == 0)
        return;
    eds_order_answer_write(reference, &answer, stored->order.device_id, stored->result_sequence);
    if (listing->ledger->ops->payload(listing->ledger, reference, &payload, &size, &err) != EDS_OK)
        return;
    eds_json_begin(&c, payload, size, "report", true, &err);
    eds_json_object(&c, &shape, out);
    for (char *at = out; *at != '\0'; at++) /* the device's words, on our terminal */
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
    free(payload);
}

static void show(struct listing *listing, const struct eds_stored_order *stored)
{
    char text[EDS_ORDER_TEXT_SIZE], when[EDS_INSTANT_SIZE], report[REPORT_SIZE];

    read_report(listing, stored, report);
    listing->count++;
    if (listing->as_json) {
        eds_out_object_begin(&listing->json);
        eds_order_json(&listing->json, stored, listing->now_ms);
        eds_out_string(&listing->json, "report", report);
        eds_out_object_end(&listing->json);
        return;
    }
    eds_order_text(text, &stored->order);
    eds_instant_format(when, stored->order.issued_ms);
    printf("%s; given %s by operator %s; %s", text, when, stored->order.operator_name,
           eds_order_state(stored, listing->now_ms));
    if (stored->result_sequence > 0)
        printf(" by record %" PRIu64, stored->result_sequence);
    printf("%s%s\n", report[0] != '\0' ? ": " : "", report);
}

static int32_t list(struct listing *listing, struct eds_error *err)
{
    const char *device_id = eds_args_text(listing->args, "device-id");
    uint64_t open_ms = eds_args_flag(listing->args, "open") ? listing->now_ms : 0;
    struct eds_stored_order stored = {.order.counter = 0};
    int32_t rc;

    while ((rc = listing->ledger->orders->next(listing->ledger, device_id, stored.order.counter,
                                               open_ms, &stored, err)) == EDS_OK)
        show(listing, &stored);
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

static int run(const struct eds_args *args)
{
    struct listing listing = {
        .args = args, .as_json = eds_args_flag(args, "json"), .now_ms = eds_port_time_ms()};
    struct eds_error err;
    int32_t rc = eds_store_open(&listing.ledger, args, true, &err);

    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    if (listing.as_json) {
        eds_out_begin(&listing.json);
        eds_out_array_begin(&listing.json, "commands");
    }
    rc = list(&listing, &err);
    if (listing.as_json) {
        eds_out_array_end(&listing.json);
        eds_out_bool(&listing.json, "complete", rc == EDS_OK);
        eds_out_end(&listing.json);
    }
    listing.ledger->ops->close(listing.ledger);
    if (rc != EDS_OK && listing.as_json) {
        fprintf(stderr, "error: %s\n", err.text);
        return EDS_EXIT_FAILED;
    }
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    if (listing.count == 0)
        eds_say_note("no command was given");
    return EDS_EXIT_OK;
}

const struct eds_command eds_device_commands = {
    .name = "commands",
    .summary = "List a device's commands and what came of them",
    .description =
        "One a line, in the order in which they were given. waiting: the device has not asked "
        "yet; taken: it was given the command; done, refused: a record of its chain says so; "
        "expired: neither, and its time is over.",
    .options = options,
    .positional = "device-id",
    .examples = examples,
    .exits = exits,
    .run = run,
};
