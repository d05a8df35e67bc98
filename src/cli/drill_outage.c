/* drill_outage.c - eds drill db, eds drill s3: a store is taken away from a running
 * server and given back, and nothing that was acknowledged may be lost, nothing taken
 * twice.
 *
 * Whatever happens once the store is broken, the command that heals it is run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/drill.h"
#include "cli/drill_outage.h"
#include "cli/drill_prometheus.h"
#include "cli/drill_shell.h"
#include "cli/drill_watch.h"
#include "cli/objects_arg.h"
#include "cli/say.h"
#include "cli/store_arg.h"

#define RECORDS_MAX   1000u
#define TIMEOUT_S_MAX 3600u

static const struct eds_outage_kind database = {
    "db", "database", "edgesentry_ingest_error_total{component=\"audit_ledger\"}"};
static const struct eds_outage_kind payloads = {
    "s3", "store of payloads", "edgesentry_ingest_error_total{component=\"raw_data_store\"}"};

bool eds_outage_has_time(const struct eds_outage *outage, uint64_t since_ms)
{
    return !eds_drill_shell_caught() && eds_drill_now_ms() - since_ms < outage->timeout_ms;
}

static bool is_kept(const struct eds_drill_answer *answer)
{
    return answer->outcome == EDS_OUTCOME_ACCEPTED || answer->outcome == EDS_OUTCOME_DUPLICATE;
}

int32_t eds_outage_send_batch(struct eds_outage *outage, const char *name, const char *what,
                              struct eds_error *err)
{
    struct eds_drill_answer answer = {.outcome = EDS_OUTCOME_ACCEPTED};
    size_t count = 0;
    int32_t rc = EDS_OK;

    while (rc == EDS_OK && answer.outcome == EDS_OUTCOME_ACCEPTED && count < outage->batch) {
        rc = eds_drill_device_make(&outage->device, what, err);
        if (rc == EDS_OK)
            rc = eds_drill_device_send(&outage->device,
                                       &outage->device.records[outage->device.record_count - 1],
                                       &answer, err);
        count += rc == EDS_OK && answer.outcome == EDS_OUTCOME_ACCEPTED;
    }
    if (rc != EDS_OK)
        return rc;
    if (answer.outcome == EDS_OUTCOME_HELD) { /* the drill's set-up, and no finding */
        rc = eds_error_set(err, EDS_ERR_REFUSED, "the server takes no record of %s: %s",
                           outage->device.device_id, answer.text);
        eds_drill_device_hint(&outage->device);
        return rc;
    }
    eds_drill_check(&outage->drill, count == outage->batch, name, "%zu of %zu records accepted%s%s",
                    count, outage->batch, count < outage->batch ? "; the next one: " : "",
                    count < outage->batch ? answer.text : "");
    return EDS_OK;
}

static void check_ready(struct eds_outage *outage, const char *name, unsigned status)
{
    struct eds_error said;
    unsigned found = eds_drill_watch_ready(outage->args, &said);

    eds_drill_check(&outage->drill, found == status, name, "%s", said.text);
}

/* An alert that fires already would prove nothing. */
static int32_t check_silent(struct eds_outage *outage, struct eds_error *err)
{
    bool is_there = false, fires = false;
    int32_t rc = eds_drill_prometheus_has_rule(outage->args, EDS_OUTAGE_ALERT, &is_there, err);

    if (rc == EDS_OK)
        rc = eds_drill_prometheus_fires(outage->args, EDS_OUTAGE_ALERT, &fires, err);
    if (rc == EDS_OK)
        eds_drill_check(&outage->drill, is_there && !fires, "silent-before", EDS_OUTAGE_ALERT " %s",
                        !is_there ? "is no rule of Prometheus"
                        : fires   ? "fires already"
                                  : "does not fire");
    return rc;
}

static int32_t try_before(struct eds_outage *outage, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (eds_args_text(outage->args, "prometheus") != NULL &&
        (rc = check_silent(outage, err)) != EDS_OK)
        return rc;
    if (outage->is_watched) {
        check_ready(outage, "ready-before", 200);
        rc =
            eds_drill_watch_count(outage->args, outage->kind->counter, &outage->failure_count, err);
    }
    return rc == EDS_OK ? eds_outage_send_batch(outage, "accepted-before", "before the outage", err)
                        : rc;
}

/* Runs the command of an option, or asks somebody to do it. */
static bool intervene(struct eds_outage *outage, const char *option, const char *name,
                      const char *verb)
{
    const char *command = eds_args_text(outage->args, option);
    struct eds_error err = {.text = "done"};
    char request[128];
    int32_t rc;

    snprintf(request, sizeof request, "Now %s the %s", verb, outage->kind->what);
    rc = command != NULL ? eds_drill_shell_run(command, &err) : eds_drill_shell_ask(request, &err);
    return eds_drill_check(&outage->drill, rc == EDS_OK, name, "%s",
                           rc == EDS_OK && command != NULL ? command : err.text);
}

/* Sends until the server says that it cannot: some may go through before. */
static int32_t await_refusal(struct eds_outage *outage, struct eds_error *err)
{
    struct eds_drill_answer answer = {.outcome = EDS_OUTCOME_ACCEPTED};
    size_t count = 0;
    int32_t rc = EDS_OK;

    while (rc == EDS_OK && is_kept(&answer) && eds_outage_has_time(outage, outage->broken_ms)) {
        if (count++ > 0)
            eds_drill_pause(EDS_OUTAGE_PAUSE_MS);
        rc = eds_drill_device_make(&outage->device, "during the outage", err);
        if (rc == EDS_OK)
            rc = eds_drill_device_send(&outage->device,
                                       &outage->device.records[outage->device.record_count - 1],
                                       &answer, err);
    }
    if (rc != EDS_OK)
        return rc;
    if (is_kept(&answer)) {
        eds_drill_check(&outage->drill, false, "refused-during",
                        "all of %zu records were accepted: is the %s broken?", count,
                        outage->kind->what);
        return EDS_OK;
    }
    if (answer.status == 503)
        eds_drill_check(&outage->drill, true, "refused-during",
                        "503 after %" PRIu64 " ms; %zu records were accepted meanwhile",
                        eds_drill_now_ms() - outage->broken_ms, count - 1);
    else
        eds_drill_check(&outage->drill, false, "refused-during", "not 503, but: %s", answer.text);
    eds_drill_check(&outage->drill, answer.retry_after_ms > 0, "retry-after-during",
                    "the sender is asked to wait for %u s", answer.retry_after_ms / 1000);
    return EDS_OK;
}

static int32_t watch_outage(struct eds_outage *outage, struct eds_error *err)
{
    struct eds_http_page page;
    struct eds_error why;
    uint64_t count = 0;
    int32_t rc;

    check_ready(outage, "not-ready-during", 503);
    rc = eds_drill_watch_get(&page, outage->args, "/livez", &why);
    eds_drill_check(&outage->drill, rc == EDS_OK && page.status == 200, "alive-during",
                    "/livez: %s", rc == EDS_OK ? "alive" : why.text);
    free(page.text);
    rc = eds_drill_watch_count(outage->args, outage->kind->counter, &count, err);
    eds_drill_check(&outage->drill, rc == EDS_OK && count > outage->failure_count, "counted-during",
                    "%s was %" PRIu64 ", is %" PRIu64, outage->kind->counter, outage->failure_count,
                    count);
    return EDS_OK;
}

static int32_t try_during(struct eds_outage *outage, struct eds_error *err)
{
    size_t end = outage->device.record_count + outage->batch;
    int32_t rc;

    outage->broken_ms = eds_drill_now_ms();
    if (!intervene(outage, "break-command", "broken", "break"))
        return EDS_OK;
    rc = await_refusal(outage, err);
    if (rc == EDS_OK && outage->is_watched)
        rc = watch_outage(outage, err);
    /* What a device goes on to record while nobody takes it. */
    while (rc == EDS_OK && outage->device.record_count < end)
        rc = eds_drill_device_make(&outage->device, "during the outage", err);
    return rc;
}

static int32_t drill(struct eds_outage *outage, struct eds_error *err)
{
    int32_t rc = try_before(outage, err);

    if (rc != EDS_OK || outage->drill.failed_count > 0)
        return rc; /* what does not work as it stands is not broken on top of that */
    eds_drill_shell_catch();
    rc = try_during(outage, err);
    if (intervene(outage, "heal-command", "healed", "heal") && rc == EDS_OK)
        rc = eds_outage_try_after(outage, err);
    if (eds_drill_shell_caught())
        eds_drill_check(&outage->drill, false, "finished", "a signal asked for the end");
    return rc;
}

static void add_json(struct eds_json_out *json, void *context)
{
    const struct eds_outage *outage = context;

    eds_out_string(json, "device_id", outage->device.device_id);
    eds_out_u64(json, "first_sequence", outage->first_sequence);
    eds_out_u64(json, "record_count", outage->device.record_count);
    eds_out_u64(json, "outage_ms", outage->outage_ms);
}

static const char *contradiction(const struct eds_args *args)
{
    bool breaks = eds_args_given(args, "break-command");

    if (breaks != eds_args_given(args, "heal-command"))
        return "--break-command and --heal-command need each other";
    if (!breaks && isatty(STDIN_FILENO) == 0)
        return "--break-command and --heal-command are needed where nobody can be asked (standard "
               "input is no terminal)";
    if (eds_args_u64(args, "records") - 1 >= RECORDS_MAX)
        return "--records: 1 to 1000 are possible";
    if (eds_args_u64(args, "timeout") - 1 >= TIMEOUT_S_MAX)
        return "--timeout: 1 to 3600 seconds are possible";
    return NULL;
}

/* The ledger is closed while the drill runs: a database that is asked to stop may wait
 * for its last client. */
static int32_t open_device(struct eds_outage *outage, struct eds_error *err)
{
    struct eds_ledger *ledger = NULL;
    int32_t rc = eds_store_open(&ledger, outage->args, true, err);

    if (rc != EDS_OK)
        return rc;
    rc = eds_drill_device_open(&outage->device, outage->args, ledger, err);
    ledger->ops->close(ledger);
    outage->first_sequence = outage->device.head.sequence + 1;
    return rc;
}

static int run(const struct eds_args *args, const struct eds_outage_kind *kind)
{
    struct eds_outage *outage;
    struct eds_error err;
    int32_t rc;
    int code;

    if (contradiction(args) != NULL)
        return eds_args_usage(args, "%s", contradiction(args));
    outage = calloc(1, sizeof *outage);
    if (outage == NULL) {
        eds_error_set(&err, EDS_ERR_NO_MEMORY, "out of memory");
        return eds_say_error(args, "", &err);
    }
    outage->args = args;
    outage->kind = kind;
    outage->batch = (size_t)eds_args_u64(args, "records");
    outage->timeout_ms = eds_args_u64(args, "timeout") * 1000;
    outage->is_watched = strcmp(eds_args_text(args, "admin-addr"), "off") != 0;
    eds_drill_begin(&outage->drill, args, kind->name);
    outage->drill.add_json = add_json;
    outage->drill.context = outage;
    rc = open_device(outage, &err);
    if (rc == EDS_OK)
        rc = drill(outage, &err);
    code = rc == EDS_OK ? eds_drill_end(&outage->drill) : eds_say_error(args, "", &err);
    eds_drill_device_close(&outage->device);
    free(outage);
    return code;
}

static int run_db(const struct eds_args *args)
{
    return run(args, &database);
}

static int run_s3(const struct eds_args *args)
{
    return run(args, &payloads);
}

static const struct eds_option options[] = {
    EDS_OPTIONS_DRILL_DEVICE,
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_OBJECTS,
    EDS_OPTION_DRILL_ADMIN,
    EDS_OPTION_DRILL_PROMETHEUS,
    {.name = "break-command",
     .value = "COMMAND",
     .help = "Shell command that takes the store away; without it somebody is asked to do it"},
    {.name = "heal-command",
     .value = "COMMAND",
     .help = "Shell command that gives it back; it is run whatever happened in between"},
    {.name = "records",
     .value = "COUNT",
     .fallback = "10",
     .check = eds_check_u64,
     .help = "So many records before, during and after the outage, 1 to 1000"},
    {.name = "timeout",
     .value = "SECONDS",
     .fallback = "60",
     .check = eds_check_u64,
     .help = "How long to wait for the server to notice either, and for Prometheus, 1 to 3600"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example db_examples[] = {
    {"With the database of this machine",
     "eds drill db --url http://127.0.0.1:8080 --store postgresql://eds@127.0.0.1/ledger "
     "--key-file eds-drill.key --break-command 'systemctl stop postgresql' "
     "--heal-command 'systemctl start postgresql'"},
    {NULL, NULL},
};

static const struct eds_example s3_examples[] = {
    {"With a gateway that a packet filter cuts off",
     "eds drill s3 --url http://127.0.0.1:8080 --store postgresql://eds@127.0.0.1/ledger "
     "--objects 's3://evidence/payloads?endpoint=http://gateway:7480' --key-file eds-drill.key "
     "--break-command 'nft add rule inet filter output tcp dport 7480 reject' "
     "--heal-command 'nft flush chain inet filter output'"},
    {NULL, NULL},
};

#define DESCRIPTION                                                                                \
    "Sends records of a device that is there for drills, takes the store away, and gives it "      \
    "back. Meanwhile the server has to refuse records with 503 and Retry-After, call itself not "  \
    "ready but alive, and count the failures; afterwards it has to take the very same records, "   \
    "and be ready. In the end each record has to be in the ledger once, with its payload.\n\n"     \
    "One line a step: PASS, FAIL or SKIP. Nothing is broken unless all was well before; what "     \
    "was broken is healed also when a step failed or a signal came. The records of the drill "     \
    "stay in the ledger for good: they are those of its own device (--device-id), and no other "   \
    "device notices more than that the server is away for a while."

const struct eds_command eds_command_drill_db = {
    .name = "db",
    .summary = "Take the database away from a running server, and give it back",
    .description = DESCRIPTION,
    .options = options,
    .examples = db_examples,
    .exits = eds_drill_exits,
    .run = run_db,
};

const struct eds_command eds_command_drill_s3 = {
    .name = "s3",
    .summary = "Take the payloads' store away from a running server, and give it back",
    .description = DESCRIPTION,
    .options = options,
    .examples = s3_examples,
    .exits = eds_drill_exits,
    .run = run_s3,
};
