/* device_rotate.c - eds audit device rotate: a new key for a device. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "cli/device.h"
#include "cli/device_arg.h"
#include "cli/device_job.h"
#include "cli/say.h"
#include "cli/when.h"
#include "registry/lifecycle.h"
#include "store/instant.h"

static const struct eds_option options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "The device", .required = true},
    {.name = "public-key-hex",
     .value = "PUBLIC_KEY_HEX",
     .required = true,
     .help = "Its new public key"},
    {.name = "not-before",
     .value = "TIME",
     .check = eds_check_when,
     .help = "The new key is valid from then on; at once if not given"},
    {.name = "old-until",
     .value = "TIME",
     .check = eds_check_when,
     .help = "The old keys end then: 2026-11-22T00:00:00Z, now, or +7d; +24h if neither end is "
             "given"},
    {.name = "old-until-sequence",
     .value = "SEQUENCE",
     .check = eds_check_u64,
     .help = "The old keys end with this sequence, the last that they may sign"},
    EDS_OPTIONS_DEVICE_CHANGE,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"Both keys are good for a week, then the new one alone",
     "eds audit device rotate crane-07 --public-key-hex "
     "ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c --old-until +7d"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the device has the new key, and the old ones have an end"},
    {EDS_EXIT_FAILED, "no such device, ended for good, key taken, or the ledger was not written"},
    {0, NULL},
};

struct rotation {
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    uint64_t not_before_ms;
    struct eds_lifecycle_end end;
};

static int32_t read_rotation(struct rotation *out, const struct eds_device_job *job,
                             struct eds_error *err)
{
    const struct eds_args *args = job->args;
    const char *until = eds_args_text(args, "old-until"), *from = eds_args_text(args, "not-before");
    bool by_sequence = eds_args_text(args, "old-until-sequence") != NULL;
    int32_t rc = eds_public_key_arg(out->public_key, args, err);

    out->not_before_ms = 0; /* not "now": a server's clock may be behind */
    if (rc == EDS_OK && from != NULL)
        rc = eds_when_parse(&out->not_before_ms, from, job->now_ms, err);
    out->end = (struct eds_lifecycle_end){EDS_KEY_NO_END, EDS_KEY_NO_END};
    if (rc == EDS_OK && (until != NULL || !by_sequence))
        rc = eds_when_parse(&out->end.at_ms, until != NULL ? until : "+24h", job->now_ms, err);
    if (by_sequence)
        out->end.sequence = eds_args_u64(args, "old-until-sequence");
    return rc;
}

static int32_t rotate(void *context, struct eds_enrolment *it, char *message, size_t message_size,
                      struct eds_error *err)
{
    const struct rotation *rotation = context;
    uint8_t key_id[EDS_KEY_ID_SIZE];
    char digits[2 * EDS_KEY_ID_SIZE + 1], when[EDS_INSTANT_SIZE];
    int size;

    eds_key_id(key_id, rotation->public_key);
    eds_hex_encode(digits, key_id, sizeof key_id);
    size = snprintf(message, message_size, "key rotated: new %s, old until", digits);
    if (rotation->end.at_ms != EDS_KEY_NO_END) {
        eds_instant_format(when, rotation->end.at_ms);
        size += snprintf(message + size, message_size - (size_t)size, " %s", when);
    }
    if (rotation->end.sequence != EDS_KEY_NO_END)
        snprintf(message + size, message_size - (size_t)size, " sequence %" PRIu64,
                 rotation->end.sequence);
    return eds_lifecycle_rotate(it, rotation->public_key, rotation->not_before_ms, &rotation->end,
                                err);
}

static int run(const struct eds_args *args)
{
    struct rotation rotation;
    struct eds_enrolment it;
    struct eds_device_job job;
    struct eds_error err;
    char when[EDS_INSTANT_SIZE];
    int32_t rc = eds_device_job_open(&job, args, false, &err);

    if (rc == EDS_OK)
        rc = read_rotation(&rotation, &job, &err);
    if (rc == EDS_OK)
        rc = eds_device_change(&job, EDS_ROLE_DEVICE, eds_args_text(args, "device-id"), rotate,
                               &rotation, &it, &err);
    eds_device_job_close(&job);
    if (rc == EDS_OK && !eds_args_given(args, "old-until") &&
        !eds_args_given(args, "old-until-sequence")) {
        eds_instant_format(when, rotation.end.at_ms);
        eds_say_note("its old keys end at %s; --old-until sets another time", when);
    }
    return eds_device_say_change(args, rc, &it, "has a new key", &err);
}

const struct eds_command eds_device_rotate = {
    .name = "rotate",
    .summary = "Give a device a new key and the old ones an end",
    .description = "The device keeps its id and its chain. Until the end, records by the old keys "
                   "and by the new one are taken; afterwards the new one alone. What the old keys "
                   "signed in their time stays verifiable.",
    .options = options,
    .positional = "device-id",
    .examples = examples,
    .exits = exits,
    .run = run,
};
