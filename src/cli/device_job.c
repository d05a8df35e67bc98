/* device_job.c - see device_job.h. */
#include "cli/device_job.h"

#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/port.h"
#include "cli/say.h"
#include "registry/lifecycle.h"
#include "store/instant.h"

#define ATTEMPT_MAX 10

const char *const eds_device_state_words[] = {"active", "quarantined", "revoked", "retired", NULL};

void eds_device_filter_read(struct eds_device_filter *out, const struct eds_args *args)
{
    out->state = eds_args_text(args, "state");
    out->site = eds_args_text(args, "site");
    out->cohort = eds_args_text(args, "cohort");
}

static bool is_wanted(const char *wanted, const char *label)
{
    return wanted == NULL || strcmp(wanted, label) == 0;
}

bool eds_device_fits(const struct eds_device_filter *filter, const struct eds_enrolment *it)
{
    return is_wanted(filter->state, eds_device_state_name(it->state)) &&
           is_wanted(filter->site, it->site) && is_wanted(filter->cohort, it->cohort);
}

static int32_t name_user(char out[EDS_WHO_SIZE], const struct eds_args *args, struct eds_error *err)
{
    const char *given = eds_args_text(args, "who");
    const struct passwd *user = given == NULL ? getpwuid(getuid()) : NULL;
    int32_t rc = EDS_OK;

    if (given != NULL && given[0] == '\0')
        return eds_error_set(err, EDS_ERR_USAGE, "--who must not be empty");
    if (given != NULL)
        rc = eds_lifecycle_check_text(given, EDS_WHO_SIZE, "--who", err);
    if (rc != EDS_OK)
        return rc;
    if (given != NULL || (user != NULL && user->pw_name[0] != '\0'))
        snprintf(out, EDS_WHO_SIZE, "%s", given != NULL ? given : user->pw_name);
    else
        snprintf(out, EDS_WHO_SIZE, "user %lu", (unsigned long)getuid());
    return EDS_OK;
}

int32_t eds_device_job_open(struct eds_device_job *job, const struct eds_args *args, bool read_only,
                            struct eds_error *err)
{
    int32_t rc = EDS_OK;

    *job = (struct eds_device_job){.args = args, .now_ms = eds_port_time_ms(), .why = ""};
    if (!read_only) {
        job->why = eds_args_text(args, "reason");
        rc = name_user(job->who, args, err);
        if (rc == EDS_OK)
            rc = eds_lifecycle_check_text(job->why, EDS_WHY_SIZE, "--reason", err);
    }
    return rc == EDS_OK ? eds_store_open(&job->ledger, args, read_only, err) : rc;
}

void eds_device_job_close(struct eds_device_job *job)
{
    if (job->ledger != NULL)
        job->ledger->ops->close(job->ledger);
}

int32_t eds_device_change(struct eds_device_job *job, enum eds_role role, const char *id,
                          eds_device_step *step, void *context, struct eds_enrolment *it,
                          struct eds_error *err)
{
    const struct eds_roster_ops *roster = job->ledger->roster;
    int32_t rc = EDS_ERR_HEAD_MOVED;

    for (int i = 0; rc == EDS_ERR_HEAD_MOVED && i < ATTEMPT_MAX; i++) {
        char message[256];
        struct eds_roster_change change = {it, message, job->who, job->why};

        rc = roster->find(job->ledger, role, id, it, err);
        if (rc == EDS_OK)
            rc = step(context, it, message, sizeof message, err);
        if (rc == EDS_OK)
            rc = roster->change(job->ledger, &change, 1, job->now_ms, err);
        if (rc == EDS_OK)
            rc = roster->find(job->ledger, role, id, it, err);
    }
    return rc;
}

const char *eds_device_key_word(const struct eds_enrolled_key *key, uint64_t now_ms)
{
    switch (eds_key_standing(key, now_ms, 0)) {
    case EDS_KEY_VALID:
        return "valid";
    case EDS_KEY_EARLY:
        return "not valid yet";
    case EDS_KEY_ENDED:
        return "ended";
    case EDS_KEY_REVOKED:
        break;
    }
    return "revoked";
}

static void json_instant(struct eds_json_out *json, const char *name, uint64_t ms, uint64_t none)
{
    char text[EDS_INSTANT_SIZE];

    if (ms != none)
        eds_instant_format(text, ms);
    eds_out_string(json, name, ms != none ? text : NULL);
}

void eds_device_json(struct eds_json_out *json, const struct eds_enrolment *it)
{
    uint64_t now_ms = eds_port_time_ms();

    eds_out_string(json, it->role == EDS_ROLE_DEVICE ? "device_id" : "operator", it->id);
    eds_out_string(json, "state", eds_device_state_name(it->state));
    if (it->role == EDS_ROLE_DEVICE) {
        eds_out_string(json, "attest", it->attest_required ? "required" : "optional");
        eds_out_string(json, "site", it->site);
        eds_out_string(json, "cohort", it->cohort);
        eds_out_string(json, "firmware", it->firmware);
    }
    if (it->role == EDS_ROLE_DEVICE)
        eds_out_u64(json, "quarantined_records", it->quarantine_arrived - it->quarantine_left);
    eds_out_u64(json, "revision", it->revision);
    eds_out_array_begin(json, "keys");
    for (uint32_t i = 0; i < it->key_count; i++) {
        const struct eds_enrolled_key *key = &it->keys[i];
        uint8_t key_id[EDS_KEY_ID_SIZE];

        eds_key_id(key_id, key->public_key);
        eds_out_object_begin(json);
        eds_out_hex(json, "key_id", key_id, sizeof key_id);
        eds_out_hex(json, "public_key", key->public_key, EDS_PUBLIC_KEY_SIZE);
        eds_out_string(json, "standing", eds_device_key_word(key, now_ms));
        json_instant(json, "not_before", key->not_before_ms, 0);
        json_instant(json, "not_after", key->not_after_ms, EDS_KEY_NO_END);
        if (key->not_after_sequence == EDS_KEY_NO_END)
            eds_out_string(json, "not_after_sequence", NULL);
        else
            eds_out_u64(json, "not_after_sequence", key->not_after_sequence);
        eds_out_object_end(json);
    }
    eds_out_array_end(json);
}

int eds_device_say_change(const struct eds_args *args, int32_t rc, const struct eds_enrolment *it,
                          const char *done, const struct eds_error *err)
{
    struct eds_json_out json;

    if (rc != EDS_OK && rc != EDS_ERR_EXISTS)
        return eds_say_error(args, "", err);
    if (eds_args_flag(args, "json")) {
        eds_out_begin(&json);
        eds_out_bool(&json, "changed", rc == EDS_OK);
        eds_device_json(&json, it);
        eds_out_end(&json);
    } else if (rc == EDS_OK) {
        printf("%s %s %s\n", eds_role_name(it->role), it->id, done);
    }
    if (rc == EDS_ERR_EXISTS)
        eds_say_note("%s: nothing was changed", err->text);
    return EDS_EXIT_OK;
}

int32_t eds_device_label(const struct eds_args *args, const char *option,
                         char out[EDS_ENROLMENT_LABEL_SIZE], struct eds_error *err)
{
    const char *text = eds_args_text(args, option);
    int32_t rc;

    if (text == NULL)
        return EDS_OK;
    rc = eds_lifecycle_check_text(text, EDS_ENROLMENT_LABEL_SIZE, option, err);
    if (rc == EDS_OK)
        strcpy(out, text);
    return rc;
}
