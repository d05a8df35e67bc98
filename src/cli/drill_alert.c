/* drill_alert.c - eds drill alert: do the alarms go off?
 *
 * Sends what no server may accept, and looks at the server's counters, and, if it is
 * told where it is, at what Prometheus makes of them. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/drill.h"
#include "cli/drill_device.h"
#include "cli/drill_prometheus.h"
#include "cli/drill_shell.h"
#include "cli/drill_steps.h"
#include "cli/drill_watch.h"
#include "cli/say.h"
#include "cli/store_arg.h"

#define TIMEOUT_S_MAX 7200u
#define PERIOD_MS     4000u /* between two of a kind: 15 a minute; the rules want 5 and 10 */

/* What is done to a good record, and who has to notice. */
enum provocation_kind { BAD_SIGNATURE, UNKNOWN_DEVICE, CHAIN_BREAK, FORK };

struct provocation {
    enum provocation_kind kind;
    const char *step, *says;      /* of the answer */
    const char *series;           /* the counter that moves */
    const char *alert, *severity; /* the rule that it fires */
    bool sustained;               /* which looks at a rate: once is not enough */
    const char *fires;            /* the name of that step */
};

static const struct provocation provocations[] = {
    {BAD_SIGNATURE, "bad-signature",
     "invalid signature for device=", "edgesentry_signature_fail_total", "SignatureFailureSurge",
     "P1", true, "fires-signature-failure-surge"},
    {UNKNOWN_DEVICE, "unknown-device",
     "unknown device: ", "edgesentry_ingest_rejected_total{reason=\"unknown_device\"}",
     "HighRejectionRate", "P1", true, "fires-high-rejection-rate"},
    {CHAIN_BREAK, "chain-break", "invalid previous hash for device=",
     "edgesentry_chain_break_total", "ChainBreak", "P0", false, "fires-chain-break"},
    {FORK, "fork",
     "conflicting record for device=", "edgesentry_ingest_rejected_total{reason=\"conflict\"}",
     "ChainFork", "P0", false, "fires-chain-fork"},
};

#define PROVOCATION_COUNT (sizeof provocations / sizeof provocations[0])

/* Where a certificate names the sender, a stranger's record is refused because of that,
 * before anybody asks whether the stranger is known.  The same alert counts it. */
static const struct provocation other_route = {
    .step = "unknown-device",
    .says = "auth/device mismatch: ",
    .series = "edgesentry_ingest_rejected_total{reason=\"route_identity\"}",
};

struct alarm {
    const struct eds_args *args;
    struct eds_drill drill;
    struct eds_drill_device device;
    const struct provocation *provocations;
    size_t provocation_count; /* a fork is the last, and has to be asked for */
    bool asks_prometheus;
};

/* Makes and sends one. */
static int32_t provoke(struct alarm *alarm, enum provocation_kind kind,
                       struct eds_drill_answer *answer, struct eds_error *err)
{
    struct eds_drill_device stranger = alarm->device;
    struct eds_head after = alarm->device.head;
    struct eds_drill_record record;
    int32_t rc;

    stranger.device_id = "drill-nobody";
    if (kind == UNKNOWN_DEVICE)
        after = (struct eds_head){.sequence = 0};
    else if (kind == CHAIN_BREAK)
        after.record_hash[0] ^= 1;
    else if (kind == FORK)
        after.sequence--; /* the last one's own sequence, once more */
    rc = eds_drill_device_sign(kind == UNKNOWN_DEVICE ? &stranger : &alarm->device, &after, "alarm",
                               &record, err);
    if (rc != EDS_OK)
        return rc;
    if (kind == BAD_SIGNATURE)
        record.entry.record.signature[0] ^= 1;
    return eds_drill_device_send(&alarm->device, &record, answer, err);
}

/* A good one goes first: else a server that refuses everything would pass. */
static int32_t send_good(struct alarm *alarm, struct eds_error *err)
{
    struct eds_drill_answer answer;
    int32_t rc = eds_drill_device_make(&alarm->device, "before the alarm", err);

    if (rc == EDS_OK)
        rc = eds_drill_device_send(&alarm->device, &alarm->device.records[0], &answer, err);
    if (rc == EDS_OK && answer.outcome == EDS_OUTCOME_HELD) {
        rc = eds_error_set(err, EDS_ERR_REFUSED, "the server takes no record of %s: %s",
                           alarm->device.device_id, answer.text);
        eds_drill_device_hint(&alarm->device);
    }
    if (rc == EDS_OK)
        eds_drill_check(&alarm->drill, answer.outcome == EDS_OUTCOME_ACCEPTED, "accepted", "%s",
                        answer.outcome == EDS_OUTCOME_ACCEPTED ? "a good record" : answer.text);
    return rc;
}

/* One of a kind: refused in the right words, and counted. */
static int32_t try_provocation(struct alarm *alarm, const struct provocation *it,
                               struct eds_error *err)
{
    bool is_named = it->kind == UNKNOWN_DEVICE && eds_args_given(alarm->args, "client-cert");
    struct eds_drill_answer answer;
    uint64_t before = 0, after = 0, before_route = 0;
    int32_t rc = eds_drill_watch_count(alarm->args, it->series, &before, err);

    if (rc == EDS_OK && is_named)
        rc = eds_drill_watch_count(alarm->args, other_route.series, &before_route, err);
    if (rc == EDS_OK)
        rc = provoke(alarm, it->kind, &answer, err);
    if (rc == EDS_OK && is_named && strstr(answer.text, other_route.says) != NULL) {
        it = &other_route;
        before = before_route;
    }
    if (rc == EDS_OK)
        rc = eds_drill_watch_count(alarm->args, it->series, &after, err);
    if (rc != EDS_OK)
        return rc;
    if (answer.status != 422 || strstr(answer.text, it->says) == NULL)
        eds_drill_check(&alarm->drill, false, it->step, "wanted: 422 %s...; the answer: %u %s",
                        it->says, answer.status, answer.text);
    else
        eds_drill_check(&alarm->drill, after > before, it->step,
                        "refused; %s was %" PRIu64 ", is %" PRIu64, it->series, before, after);
    return EDS_OK;
}

/* Which of the alerts fire now: a bit for each. */
static int32_t read_firing(const struct alarm *alarm, unsigned *out, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    *out = 0;
    for (size_t i = 0; i < alarm->provocation_count && rc == EDS_OK; i++) {
        bool fires = false;

        rc = eds_drill_prometheus_fires(alarm->args, alarm->provocations[i].alert, &fires, err);
        if (fires)
            *out |= 1u << i;
    }
    return rc;
}

static int32_t check_silent(struct alarm *alarm, struct eds_error *err)
{
    unsigned firing = 0;
    int32_t rc = EDS_OK;

    for (size_t i = 0; i < alarm->provocation_count && rc == EDS_OK; i++) {
        bool is_there = false;

        rc = eds_drill_prometheus_has_rule(alarm->args, alarm->provocations[i].alert, &is_there,
                                           err);
        if (rc == EDS_OK && !is_there)
            eds_drill_check(&alarm->drill, false, "rule-loaded", "Prometheus has no rule %s",
                            alarm->provocations[i].alert);
    }
    if (rc == EDS_OK)
        rc = read_firing(alarm, &firing, err);
    for (size_t i = 0; rc == EDS_OK && i < alarm->provocation_count; i++)
        if ((firing >> i & 1) != 0)
            eds_drill_check(&alarm->drill, false, "silent-before", "%s fires already",
                            alarm->provocations[i].alert);
    if (rc == EDS_OK && alarm->drill.failed_count == 0)
        eds_drill_check(&alarm->drill, true, "silent-before",
                        "%zu rules are there, and none of them fires", alarm->provocation_count);
    return rc;
}

/* Goes on provoking what is measured by its rate, until all fire or the time is up. */
static int32_t await_alerts(struct alarm *alarm, struct eds_error *err)
{
    uint64_t begun = eds_drill_now_ms(), limit_ms = eds_args_u64(alarm->args, "timeout") * 1000;
    unsigned all = (1u << alarm->provocation_count) - 1, seen = 0, firing = 0;
    struct eds_drill_answer answer;
    int32_t rc = EDS_OK;

    eds_drill_shell_catch();
    while (rc == EDS_OK && seen != all && eds_drill_now_ms() - begun < limit_ms &&
           !eds_drill_shell_caught()) {
        for (size_t i = 0; i < alarm->provocation_count && rc == EDS_OK; i++)
            if (alarm->provocations[i].sustained && (seen >> i & 1) == 0)
                rc = provoke(alarm, alarm->provocations[i].kind, &answer, err);
        if (rc == EDS_OK)
            rc = read_firing(alarm, &firing, err);
        for (size_t i = 0; i < alarm->provocation_count && rc == EDS_OK; i++)
            if ((firing & ~seen) >> i & 1)
                eds_drill_check(&alarm->drill, true, alarm->provocations[i].fires,
                                "%s (%s), %" PRIu64 " s after the first provocation",
                                alarm->provocations[i].alert, alarm->provocations[i].severity,
                                (eds_drill_now_ms() - begun) / 1000);
        seen |= firing;
        if (rc == EDS_OK && seen != all)
            eds_drill_pause(PERIOD_MS);
    }
    for (size_t i = 0; i < alarm->provocation_count && rc == EDS_OK; i++)
        if ((seen >> i & 1) == 0)
            eds_drill_check(&alarm->drill, false, alarm->provocations[i].fires,
                            "%s (%s) does not, after %" PRIu64 " s", alarm->provocations[i].alert,
                            alarm->provocations[i].severity, (eds_drill_now_ms() - begun) / 1000);
    return rc;
}

static void skip_alerts(struct alarm *alarm)
{
    for (size_t i = 0; i < alarm->provocation_count; i++)
        eds_drill_skip(&alarm->drill, alarm->provocations[i].fires,
                       "Prometheus is not asked (--prometheus); by the rules of this version %s "
                       "(%s) would fire%s",
                       alarm->provocations[i].alert, alarm->provocations[i].severity,
                       alarm->provocations[i].sustained ? " if it went on like that" : "");
}

static int32_t drill(struct alarm *alarm, struct eds_error *err)
{
    struct eds_error said;
    unsigned status = eds_drill_watch_ready(alarm->args, &said);
    int32_t rc = EDS_OK;

    eds_drill_check(&alarm->drill, status == 200, "ready", "%s", said.text);
    if (alarm->asks_prometheus)
        rc = check_silent(alarm, err);
    if (rc != EDS_OK || alarm->drill.failed_count > 0)
        return rc; /* what rings already proves nothing */
    rc = send_good(alarm, err);
    for (size_t i = 0; i < alarm->provocation_count && rc == EDS_OK; i++)
        rc = try_provocation(alarm, &alarm->provocations[i], err);
    if (rc != EDS_OK)
        return rc;
    if (alarm->asks_prometheus)
        return await_alerts(alarm, err);
    skip_alerts(alarm);
    return EDS_OK;
}

static int32_t open_device(struct alarm *alarm, struct eds_error *err)
{
    struct eds_ledger *ledger = NULL;
    int32_t rc = eds_store_open(&ledger, alarm->args, true, err);

    if (rc != EDS_OK)
        return rc;
    rc = eds_drill_device_open(&alarm->device, alarm->args, ledger, err);
    ledger->ops->close(ledger);
    return rc;
}

static int run(const struct eds_args *args)
{
    struct alarm *alarm;
    struct eds_error err;
    int32_t rc;
    int code;

    if (eds_args_u64(args, "timeout") - 1 >= TIMEOUT_S_MAX)
        return eds_args_usage(args, "--timeout: 1 to 7200 seconds are possible");
    alarm = calloc(1, sizeof *alarm);
    if (alarm == NULL) {
        eds_error_set(&err, EDS_ERR_NO_MEMORY, "out of memory");
        return eds_say_error(args, "", &err);
    }
    alarm->args = args;
    alarm->asks_prometheus = eds_args_text(args, "prometheus") != NULL;
    alarm->provocations = provocations;
    alarm->provocation_count = PROVOCATION_COUNT - (eds_args_flag(args, "fork") ? 0 : 1);
    eds_drill_begin(&alarm->drill, args, "alert");
    rc = open_device(alarm, &err);
    if (rc == EDS_OK)
        rc = drill(alarm, &err);
    code = rc == EDS_OK ? eds_drill_end(&alarm->drill) : eds_say_error(args, "", &err);
    eds_drill_device_close(&alarm->device);
    free(alarm);
    return code;
}

static const struct eds_option options[] = {
    EDS_OPTIONS_DRILL_DEVICE,
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_DRILL_ADMIN,
    EDS_OPTION_DRILL_PROMETHEUS,
    {.name = "timeout",
     .value = "SECONDS",
     .fallback = "900",
     .check = eds_check_u64,
     .help = "How long to wait for them, 1 to 7200; those that look at a rate need 5 minutes and "
             "more"},
    {.name = "fork",
     .help = "Also send another record under a used sequence; it is kept as evidence of a fork of "
             "the drill's device, for good"},
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Refused and counted?",
     "eds drill alert --url http://127.0.0.1:8080 --key-file eds-drill.key"},
    {"And do the alerts fire?",
     "eds drill alert --url http://127.0.0.1:8080 --key-file eds-drill.key "
     "--prometheus http://127.0.0.1:9090"},
    {"A server that wants certificates",
     "eds drill alert --url https://ingest.example.com:8443 --ca-file ca.pem "
     "--client-cert eds-drill.pem --client-key eds-drill-tls.key --key-file eds-drill.key"},
    {NULL, NULL},
};

const struct eds_command eds_command_drill_alert = {
    .name = "alert",
    .summary = "Send what has to be refused, and see whether the alerts fire",
    .description =
        "Sends a wrong signature, an unknown device and a broken chain, all in the name of a "
        "device that is there for drills. Each has to be refused in the right words and counted "
        "at /metrics. With --prometheus the rules of edgesentry.rules.yml have to be loaded and "
        "silent before, and to fire then: real alerts, so tell those whom they wake up.\n\nOne "
        "good record of the drill's device stays in the ledger; the others are refused, and only "
        "the operation log has them.",
    .options = options,
    .examples = examples,
    .exits = eds_drill_exits,
    .run = run,
};
