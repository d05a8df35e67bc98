/* device_state.c - eds audit device quarantine, release, revoke and retire, and
 * operator revoke. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "cli/device.h"
#include "cli/device_job.h"
#include "cli/say.h"
#include "ingest/release.h"
#include "registry/lifecycle.h"

#define OPTION_DEVICE                                                                              \
    {                                                                                              \
        .name = "device-id", .value = "DEVICE_ID", .help = "The device", .required = true          \
    }
#define OPTION_KEY_ID                                                                              \
    {                                                                                              \
        .name = "key-id", .value = "KEY_ID",                                                       \
        .help = "Only this one of its keys, by the 16 digits that 'show' prints"                   \
    }

static const struct eds_option options[] = {
    OPTION_DEVICE,
    EDS_OPTIONS_DEVICE_CHANGE,
    EDS_OPTIONS_END,
};

static const struct eds_option revoke_options[] = {
    OPTION_DEVICE,
    OPTION_KEY_ID,
    EDS_OPTIONS_DEVICE_CHANGE,
    EDS_OPTIONS_END,
};

static const struct eds_option operator_options[] = {
    {.name = "name", .value = "NAME", .help = "The operator", .required = true},
    EDS_OPTIONS_DEVICE_CHANGE,
    EDS_OPTIONS_END,
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "it is so now, or was so before"},
    {EDS_EXIT_FAILED, "no such name, ended for good before, or the ledger was not written"},
    {0, NULL},
};

#define RELEASE_ATTEMPT_MAX 50
#define PATIENCE            3 /* attempts that move records before the state */

struct move {
    enum eds_device_state state;
    uint64_t now_ms;
};

static int32_t move(void *context, struct eds_enrolment *it, char *message, size_t message_size,
                    struct eds_error *err)
{
    const struct move *move = context;

    snprintf(message, message_size, "%s %s", eds_role_name(it->role),
             move->state == EDS_DEVICE_ACTIVE ? "released" : eds_device_state_name(move->state));
    return eds_lifecycle_move(it, move->state, move->now_ms, err);
}

static int run_move(const struct eds_args *args, enum eds_role role, const char *id,
                    enum eds_device_state state)
{
    struct eds_enrolment it;
    struct eds_device_job job;
    struct eds_error err;
    char done[32];
    int32_t rc = eds_device_job_open(&job, args, false, &err);

    if (rc == EDS_OK) {
        struct move context = {state, job.now_ms};

        rc = eds_device_change(&job, role, id, move, &context, &it, &err);
    }
    eds_device_job_close(&job);
    snprintf(done, sizeof done, "is %s", eds_device_state_name(state));
    return eds_device_say_change(args, rc, &it, done, &err);
}

static int32_t revoke_key(void *context, struct eds_enrolment *it, char *message,
                          size_t message_size, struct eds_error *err)
{
    const struct eds_device_job *job = context;
    const char *digits = eds_args_text(job->args, "key-id");
    uint8_t key_id[EDS_KEY_ID_SIZE];
    struct eds_error why;
    int32_t rc = eds_hex_decode_exactly(key_id, sizeof key_id, digits, strlen(digits), &why);

    if (rc != EDS_OK)
        return eds_error_set(err, rc, "--key-id: %s; 'device show' prints the ids of its keys",
                             why.text);
    snprintf(message, message_size, "key %s revoked", digits);
    return eds_lifecycle_revoke_key(it, key_id, job->now_ms, err);
}

static int run_revoke(const struct eds_args *args)
{
    const char *id = eds_args_text(args, "device-id");
    struct eds_enrolment it;
    struct eds_device_job job;
    struct eds_error err;
    int32_t rc;

    if (eds_args_text(args, "key-id") == NULL)
        return run_move(args, EDS_ROLE_DEVICE, id, EDS_DEVICE_REVOKED);
    rc = eds_device_job_open(&job, args, false, &err);
    if (rc == EDS_OK)
        rc = eds_device_change(&job, EDS_ROLE_DEVICE, id, revoke_key, &job, &it, &err);
    eds_device_job_close(&job);
    return eds_device_say_change(args, rc, &it, "has a key less", &err);
}

static int run_quarantine(const struct eds_args *args)
{
    return run_move(args, EDS_ROLE_DEVICE, eds_args_text(args, "device-id"),
                    EDS_DEVICE_QUARANTINED);
}

/* The records first, then the state, which the store changes only if no more have
 * come since it was read; against a device that sends all the time the state
 * first, and servers put its next record off until the rest has moved. */
static int32_t release(struct eds_device_job *job, const char *id, struct eds_enrolment *it,
                       struct eds_release_report *report, struct eds_error *err)
{
    const struct eds_roster_ops *roster = job->ledger->roster;
    struct eds_roster_change change = {it, "device released", job->who, job->why};
    int32_t rc = EDS_ERR_HEAD_MOVED;

    for (int i = 0; rc == EDS_ERR_HEAD_MOVED && i < RELEASE_ATTEMPT_MAX; i++) {
        rc = roster->find(job->ledger, EDS_ROLE_DEVICE, id, it, err);
        if (rc == EDS_OK && i < PATIENCE && it->quarantine_arrived > it->quarantine_left &&
            (it->state == EDS_DEVICE_QUARANTINED || it->state == EDS_DEVICE_ACTIVE))
            rc = eds_release_records(job->ledger, it, job->now_ms, report, err);
        if (rc == EDS_OK)
            rc = eds_lifecycle_move(it, EDS_DEVICE_ACTIVE, job->now_ms, err);
        if (i >= PATIENCE)
            it->quarantine_arrived = EDS_ARRIVED_ANY;
        if (rc == EDS_OK)
            rc = roster->change(job->ledger, &change, 1, job->now_ms, err);
    }
    if (rc == EDS_OK)
        rc = eds_release_records(job->ledger, it, job->now_ms, report, err);
    if (rc == EDS_OK)
        rc = roster->find(job->ledger, EDS_ROLE_DEVICE, id, it, err);
    return rc;
}

static void say_released(const struct eds_release_report *report)
{
    if (report->moved > 0)
        eds_say_note("%" PRIu64 " records moved into the chain", report->moved);
    if (report->left > 0)
        eds_say_warning("%" PRIu64 " records stay apart; the first: %s", report->left,
                        report->first_left);
}

static int run_release(const struct eds_args *args)
{
    struct eds_release_report report = {.moved = 0};
    struct eds_enrolment it;
    struct eds_device_job job;
    struct eds_error err;
    int code;
    int32_t rc = eds_device_job_open(&job, args, false, &err);

    if (rc == EDS_OK)
        rc = release(&job, eds_args_text(args, "device-id"), &it, &report, &err);
    eds_device_job_close(&job);
    code = eds_device_say_change(args, rc, &it, "is active", &err);
    say_released(&report);
    return code == EDS_EXIT_OK && report.left > 0 ? EDS_EXIT_NOT_VALID : code;
}

static int run_retire(const struct eds_args *args)
{
    return run_move(args, EDS_ROLE_DEVICE, eds_args_text(args, "device-id"), EDS_DEVICE_RETIRED);
}

static int run_operator(const struct eds_args *args)
{
    return run_move(args, EDS_ROLE_OPERATOR, eds_args_text(args, "name"), EDS_DEVICE_REVOKED);
}

static const struct eds_example quarantine_examples[] = {
    {"Its records look odd", "eds audit device quarantine crane-07 --reason 'clock jumps'"},
    {NULL, NULL},
};

const struct eds_command eds_device_quarantine = {
    .name = "quarantine",
    .summary = "Keep a device's records apart until it is released",
    .description = "Its records are verified and stored, but not in its chain; it is answered 202 "
                   "with status quarantined. 'release' moves them into the chain; after 'revoke' "
                   "they stay where they are, as evidence.",
    .options = options,
    .positional = "device-id",
    .examples = quarantine_examples,
    .exits = exits,
    .run = run_quarantine,
};

static const struct eds_exit_line release_exits[] = {
    {EDS_EXIT_OK, "it is active, and nothing is kept apart any more"},
    {EDS_EXIT_FAILED, "no such device, ended for good, or the ledger was not written"},
    {EDS_EXIT_NOT_VALID, "it is active, but some records do not follow and stay apart"},
    {0, NULL},
};

static const struct eds_example release_examples[] = {
    {"It was looked at", "eds audit device release crane-07 --reason 'battery replaced'"},
    {NULL, NULL},
};

const struct eds_command eds_device_release = {
    .name = "release",
    .summary = "Let a quarantined device's records into its chain",
    .description = "Moves what was kept apart into the chain, in order and through the same "
                   "checks, each record with the time at which it came; then new ones are taken "
                   "as before. What does not follow stays apart, and is tried again by another "
                   "release.",
    .options = options,
    .positional = "device-id",
    .examples = release_examples,
    .exits = release_exits,
    .run = run_release,
};

static const struct eds_example revoke_examples[] = {
    {"One that was stolen", "eds audit device revoke crane-07 --reason 'stolen at the harbour'"},
    {NULL, NULL},
};

const struct eds_command eds_device_revoke = {
    .name = "revoke",
    .summary = "Trust a device, or one of its keys, no longer",
    .description = "For good: every server refuses its records within a second. What it sent "
                   "before stays verifiable. A key that may be in wrong hands is revoked with "
                   "--key-id; the device goes on with another one.",
    .options = revoke_options,
    .positional = "device-id",
    .examples = revoke_examples,
    .exits = exits,
    .run = run_revoke,
};

static const struct eds_example retire_examples[] = {
    {"One that was scrapped", "eds audit device retire crane-09 --reason 'end of life'"},
    {NULL, NULL},
};

const struct eds_command eds_device_retire = {
    .name = "retire",
    .summary = "End a device's service for good, without suspicion",
    .options = options,
    .positional = "device-id",
    .examples = retire_examples,
    .exits = exits,
    .run = run_retire,
};

static const struct eds_example operator_examples[] = {
    {"Somebody who has left", "eds audit operator revoke alice --reason 'left the company'"},
    {NULL, NULL},
};

const struct eds_command eds_operator_revoke = {
    .name = "revoke",
    .summary = "Trust an operator's keys no longer",
    .description = "For good. The name and its keys stay registered, and free for nobody else.",
    .options = operator_options,
    .positional = "name",
    .examples = operator_examples,
    .exits = exits,
    .run = run_operator,
};
