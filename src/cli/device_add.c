/* device_add.c - eds audit device add, and operator add: a new one, or another
 * label for one that is there. */
#include <stdio.h>
#include <string.h>

#include "cli/device.h"
#include "cli/device_arg.h"
#include "cli/device_job.h"
#include "cli/say.h"
#include "cli/when.h"
#include "registry/lifecycle.h"

const char *const eds_device_attest_names[] = {"required", "optional", NULL};

#define OPTION_PUBLIC_KEY(what)                                                                    \
    {                                                                                              \
        .name = "public-key-hex", .value = "PUBLIC_KEY_HEX", .required = true,                     \
        .help = what ", 64 hex digits as keygen and inspect-key print it"                          \
    }
#define OPTION_LABEL(label, upper, text)                                                           \
    {                                                                                              \
        .name = label, .value = upper, .help = text                                                \
    }
#define OPTIONS_LABELS                                                                             \
    OPTION_LABEL("site", "SITE", "Where it is"),                                                   \
        OPTION_LABEL("cohort", "COHORT", "What it belongs to"),                                    \
        OPTION_LABEL("firmware", "VERSION", "The firmware version it was last seen with")

static const struct eds_option device_options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "The new device", .required = true},
    OPTION_PUBLIC_KEY("Its public key"),
    {.name = "attest",
     .value = "ATTEST",
     .choices = eds_device_attest_names,
     .fallback = "required",
     .help = "Must its records be attested? optional: from its first attested record on"},
    OPTIONS_LABELS,
    {.name = "not-before",
     .value = "TIME",
     .check = eds_check_when,
     .help = "The key is valid from then on: 2026-11-22T00:00:00Z, or +24h; at once if not given"},
    EDS_OPTIONS_DEVICE_CHANGE,
    EDS_OPTIONS_END,
};

static const struct eds_example device_examples[] = {
    {"A lift at a site; a running server knows it within a second",
     "eds audit device add crane-07 --public-key-hex "
     "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394 --site harbour --reason "
     "'order 4711'"},
    {"One of a fleet that cannot attest yet",
     "eds audit device add crane-09 --public-key-hex "
     "6e7a1cdd29b0b78fd13af4c5598feff4ef2a97166e3ca6f2e4fbfccd80505bf1 --attest optional --cohort "
     "2019"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "it is registered"},
    {EDS_EXIT_FAILED, "its name or key is taken, or the ledger was not written"},
    {0, NULL},
};

static int32_t fill(struct eds_enrolment *it, const struct eds_device_job *job, enum eds_role role,
                    const char *id, struct eds_error *err)
{
    const struct eds_args *args = job->args;
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_enrolled_key *key;
    int32_t rc;

    memset(it, 0, sizeof *it);
    it->role = role;
    if (id[0] == '\0')
        return eds_error_set(err, EDS_ERR_USAGE, "the name must not be empty");
    rc = eds_lifecycle_check_text(id, sizeof it->id, role == EDS_ROLE_DEVICE ? "device id" : "name",
                                  err);
    if (rc != EDS_OK)
        return rc;
    strcpy(it->id, id);
    rc = eds_public_key_arg(public_key, args, err);
    if (rc == EDS_OK)
        rc = eds_lifecycle_add_key(it, public_key, &key, err);
    if (rc != EDS_OK || role != EDS_ROLE_DEVICE)
        return rc;
    it->attest_required = strcmp(eds_args_text(args, "attest"), "required") == 0;
    rc = eds_device_label(args, "site", it->site, err);
    if (rc == EDS_OK)
        rc = eds_device_label(args, "cohort", it->cohort, err);
    if (rc == EDS_OK)
        rc = eds_device_label(args, "firmware", it->firmware, err);
    if (rc == EDS_OK && eds_args_text(args, "not-before") != NULL)
        rc = eds_when_parse(&key->not_before_ms, eds_args_text(args, "not-before"), job->now_ms,
                            err);
    return rc;
}

static int add(const struct eds_args *args, enum eds_role role, const char *id)
{
    struct eds_enrolment it, found;
    struct eds_device_job job;
    struct eds_error err;
    char message[64];
    struct eds_roster_change change = {&it, message, NULL, NULL};
    bool is_there = false;
    int code;
    int32_t rc = eds_device_job_open(&job, args, false, &err);

    if (rc == EDS_OK)
        rc = fill(&it, &job, role, id, &err);
    if (rc == EDS_OK) {
        snprintf(message, sizeof message, "%s added", eds_role_name(role));
        change.who = job.who;
        change.why = job.why;
        rc = job.ledger->roster->change(job.ledger, &change, 1, job.now_ms, &err);
        if (rc == EDS_OK)
            rc = job.ledger->roster->find(job.ledger, role, id, &found, &err);
        is_there = rc == EDS_ERR_HEAD_MOVED;
        if (rc == EDS_ERR_EXISTS)
            err.code = rc = EDS_ERR_HEAD_MOVED; /* a failure here, not "nothing to do" */
    }
    eds_device_job_close(&job);
    code = eds_device_say_change(args, rc, &found, "is registered", &err);
    if (is_there && role == EDS_ROLE_DEVICE)
        eds_say_hint("'device set' changes its labels, 'device rotate' gives it another key");
    return code;
}

static int run_device(const struct eds_args *args)
{
    return add(args, EDS_ROLE_DEVICE, eds_args_text(args, "device-id"));
}

static int run_operator(const struct eds_args *args)
{
    return add(args, EDS_ROLE_OPERATOR, eds_args_text(args, "name"));
}

const struct eds_command eds_device_add = {
    .name = "add",
    .summary = "Register a device and its key",
    .description = "A running server takes its records within a second. A key serves one device "
                   "and one role; one that is registered already is refused. To change the labels "
                   "of a device use 'device set', to replace its key 'device rotate'.",
    .options = device_options,
    .positional = "device-id",
    .examples = device_examples,
    .exits = exits,
    .run = run_device,
};

static const struct eds_option operator_options[] = {
    {.name = "name", .value = "NAME", .help = "The new operator", .required = true},
    OPTION_PUBLIC_KEY("The operator's public key"),
    EDS_OPTIONS_DEVICE_CHANGE,
    EDS_OPTIONS_END,
};

static const struct eds_example operator_examples[] = {
    {"Somebody whose key is kept apart from those of devices",
     "eds audit operator add alice --public-key-hex "
     "ed4928c628d1c2c6eae90338905995612959273a5c63f93636c14614ac8737d1"},
    {NULL, NULL},
};

const struct eds_command eds_operator_add = {
    .name = "add",
    .summary = "Register an operator and a key",
    .description = "A key serves one role: what is an operator's can be no device's.",
    .options = operator_options,
    .positional = "name",
    .examples = operator_examples,
    .exits = exits,
    .run = run_operator,
};

static const struct eds_option set_options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "The device", .required = true},
    {.name = "attest",
     .value = "ATTEST",
     .choices = eds_device_attest_names,
     .help = "Must its records be attested from now on?"},
    OPTIONS_LABELS,
    EDS_OPTIONS_DEVICE_CHANGE,
    EDS_OPTIONS_END,
};

static int32_t set(void *context, struct eds_enrolment *it, char *message, size_t message_size,
                   struct eds_error *err)
{
    const struct eds_args *args = context;
    const char *attest = eds_args_text(args, "attest");
    const struct eds_enrolment was = *it;
    int32_t rc = eds_device_label(args, "site", it->site, err);

    if (rc == EDS_OK)
        rc = eds_device_label(args, "cohort", it->cohort, err);
    if (rc == EDS_OK)
        rc = eds_device_label(args, "firmware", it->firmware, err);
    if (attest != NULL)
        it->attest_required = strcmp(attest, "required") == 0;
    if (rc == EDS_OK && it->attest_required == was.attest_required &&
        strcmp(it->site, was.site) == 0 && strcmp(it->cohort, was.cohort) == 0 &&
        strcmp(it->firmware, was.firmware) == 0)
        return eds_error_set(err, EDS_ERR_EXISTS, "device %s is so already", it->id);
    snprintf(message, message_size, "device set: attest=%s site=%s cohort=%s firmware=%s",
             it->attest_required ? "required" : "optional", it->site, it->cohort, it->firmware);
    return rc;
}

static int run_set(const struct eds_args *args)
{
    struct eds_enrolment it;
    struct eds_device_job job;
    struct eds_error err;
    int32_t rc;

    if (!eds_args_given(args, "attest") && !eds_args_given(args, "site") &&
        !eds_args_given(args, "cohort") && !eds_args_given(args, "firmware"))
        return eds_args_usage(args, "nothing is to be set: --attest, --site, --cohort and "
                                    "--firmware say what");
    rc = eds_device_job_open(&job, args, false, &err);
    if (rc == EDS_OK)
        rc = eds_device_change(&job, EDS_ROLE_DEVICE, eds_args_text(args, "device-id"), set,
                               (void *)(uintptr_t)args, &it, &err);
    eds_device_job_close(&job);
    return eds_device_say_change(args, rc, &it, "is set", &err);
}

static const struct eds_example set_examples[] = {
    {"It was moved", "eds audit device set crane-07 --site shipyard"},
    {NULL, NULL},
};

static const struct eds_exit_line set_exits[] = {
    {EDS_EXIT_OK, "it is as wanted, or was so before"},
    {EDS_EXIT_FAILED, "there is no such device, or the ledger could not be written"},
    {0, NULL},
};

const struct eds_command eds_device_set = {
    .name = "set",
    .summary = "Change a device's labels or attestation policy",
    .description = "What is not given stays. A device that has once sent an attested record has "
                   "to attest all later ones, whatever the policy.",
    .options = set_options,
    .positional = "device-id",
    .examples = set_examples,
    .exits = set_exits,
    .run = run_set,
};
