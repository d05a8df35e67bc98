/* device_job.h - what the commands under "device" and "operator" have in common:
 * the ledger, who changes its registry and why, and a change made for certain. */
#ifndef EDS_CLI_DEVICE_JOB_H
#define EDS_CLI_DEVICE_JOB_H

#include "cli/json_out.h"
#include "cli/store_arg.h"
#include "store/roster.h"

/* The options of all that change something, for their tables. */
#define EDS_OPTIONS_DEVICE_CHANGE                                                                  \
    EDS_OPTION_DATA_DIR, EDS_OPTION_STORE,                                                         \
        {.name = "who",                                                                            \
         .value = "NAME",                                                                          \
         .help = "Who does this, for the operation log; the user's name if not given"},            \
        {.name = "reason", .value = "TEXT", .help = "Why, for the operation log", .fallback = ""}, \
        EDS_OPTION_JSON

/* Which devices are meant, for the tables of those that list them. */
extern const char *const eds_device_state_words[];
#define EDS_OPTIONS_DEVICE_FILTER                                                                  \
    {.name = "state",                                                                              \
     .value = "STATE",                                                                             \
     .choices = eds_device_state_words,                                                            \
     .help = "Only those in this state"},                                                          \
        {.name = "site", .value = "SITE", .help = "Only those of this site"},                      \
    {                                                                                              \
        .name = "cohort", .value = "COHORT", .help = "Only those of this cohort"                   \
    }

struct eds_device_filter {
    const char *state, *site, *cohort; /* NULL: any */
};

void eds_device_filter_read(struct eds_device_filter *out, const struct eds_args *args);
bool eds_device_fits(const struct eds_device_filter *filter, const struct eds_enrolment *it);

#define EDS_WHO_SIZE 256u /* bytes, NUL included */
#define EDS_WHY_SIZE 512u /* bytes, NUL included */

struct eds_device_job {
    const struct eds_args *args;
    struct eds_ledger *ledger;
    uint64_t now_ms;
    char who[EDS_WHO_SIZE]; /* empty for a job that only reads */
    const char *why;
};

/* eds_device_job_open checks --who and --reason and opens the ledger; read_only
 * jobs have neither option.  Close it in any case. */
int32_t eds_device_job_open(struct eds_device_job *job, const struct eds_args *args, bool read_only,
                            struct eds_error *err);
void eds_device_job_close(struct eds_device_job *job);

/* What is to become of an enrolment, and what the operation log says of it.
 * Errors end the change; EDS_ERR_EXISTS says that there is nothing to do. */
typedef int32_t eds_device_step(void *context, struct eds_enrolment *it, char *message,
                                size_t message_size, struct eds_error *err);

/* eds_device_change reads an enrolment, takes the step and stores it, again if
 * somebody was faster.  *it is as stored, or as found on EDS_ERR_EXISTS. */
int32_t eds_device_change(struct eds_device_job *job, enum eds_role role, const char *id,
                          eds_device_step *step, void *context, struct eds_enrolment *it,
                          struct eds_error *err);

/* eds_device_say_change prints what was done ("device lift-01 is revoked"), or
 * the enrolment as JSON; rc is EDS_OK or EDS_ERR_EXISTS (nothing to do, which is
 * no failure).  Returns the exit code. */
int eds_device_say_change(const struct eds_args *args, int32_t rc, const struct eds_enrolment *it,
                          const char *done, const struct eds_error *err);

/* eds_device_json writes the members of an enrolment. */
void eds_device_json(struct eds_json_out *json, const struct eds_enrolment *it);

/* eds_device_key_word says how a key stands now, whatever the sequence: "valid",
 * "not valid yet", "ended" or "revoked". */
const char *eds_device_key_word(const struct eds_enrolled_key *key, uint64_t now_ms);

/* eds_device_label puts an option's value, if it is given, into a label. */
int32_t eds_device_label(const struct eds_args *args, const char *option,
                         char out[EDS_ENROLMENT_LABEL_SIZE], struct eds_error *err);

#endif
