/* device_list.c - eds audit device list and show: what is registered. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "cli/device.h"
#include "cli/device_job.h"
#include "cli/say.h"
#include "store/gaps.h"
#include "store/instant.h"

static const struct eds_option list_options[] = {
    EDS_OPTIONS_DEVICE_FILTER, EDS_OPTION_DATA_DIR, EDS_OPTION_STORE,
    EDS_OPTION_JSON,           EDS_OPTIONS_END,
};

static const struct eds_example list_examples[] = {
    {"All devices, one a line", "eds audit device list"},
    {"Those that are kept apart", "eds audit device list --state quarantined"},
    {NULL, NULL},
};

static const struct eds_exit_line list_exits[] = {
    {EDS_EXIT_OK, "all that fit are listed, if any"},
    {EDS_EXIT_FAILED, "the ledger could not be read"},
    {0, NULL},
};

struct listing {
    const struct eds_args *args;
    struct eds_device_filter filter; /* zeroed: any */
    struct eds_json_out json;
    bool as_json;
    uint64_t count, now_ms;
};

/* The key that would sign now: the newest valid one, else the newest. */
static const struct eds_enrolled_key *current_key(const struct eds_enrolment *it, uint64_t now_ms)
{
    const struct eds_enrolled_key *newest = &it->keys[it->key_count - 1];

    for (uint32_t i = it->key_count; i > 0; i--)
        if (eds_key_standing(&it->keys[i - 1], now_ms, 0) == EDS_KEY_VALID)
            return &it->keys[i - 1];
    return newest;
}

static int32_t print_one(void *context, const struct eds_enrolment *it)
{
    struct listing *listing = context;
    const struct eds_enrolled_key *key = current_key(it, listing->now_ms);
    uint8_t key_id[EDS_KEY_ID_SIZE];
    char digits[2 * EDS_KEY_ID_SIZE + 1];

    if (!eds_device_fits(&listing->filter, it))
        return EDS_OK;
    listing->count++;
    if (listing->as_json) {
        eds_out_object_begin(&listing->json);
        eds_device_json(&listing->json, it);
        eds_out_object_end(&listing->json);
        return EDS_OK;
    }
    eds_key_id(key_id, key->public_key);
    eds_hex_encode(digits, key_id, sizeof key_id);
    printf("%-11s %-16s %-13s %s", eds_device_state_name(it->state), digits,
           eds_device_key_word(key, listing->now_ms), it->id);
    if (it->site[0] != '\0')
        printf(" site=%s", it->site);
    if (it->cohort[0] != '\0')
        printf(" cohort=%s", it->cohort);
    putchar('\n');
    return EDS_OK;
}

static int list(const struct eds_args *args, enum eds_role role, struct listing *listing)
{
    struct eds_device_job job;
    struct eds_error err;
    int32_t rc = eds_device_job_open(&job, args, true, &err);

    listing->as_json = eds_args_flag(args, "json");
    listing->now_ms = job.now_ms;
    if (rc == EDS_OK && listing->as_json) {
        eds_out_begin(&listing->json);
        eds_out_array_begin(&listing->json, role == EDS_ROLE_DEVICE ? "devices" : "operators");
    }
    if (rc == EDS_OK) {
        rc = job.ledger->roster->scan(job.ledger, role, print_one, listing, &err);
        if (listing->as_json) {
            eds_out_array_end(&listing->json);
            if (rc != EDS_OK)
                eds_out_string(&listing->json, "error", err.text);
            eds_out_end(&listing->json);
        }
        if (rc != EDS_OK)
            fprintf(stderr, "error: %s\n", err.text);
    } else {
        eds_device_job_close(&job);
        return eds_say_error(args, "", &err);
    }
    eds_device_job_close(&job);
    if (rc == EDS_OK && listing->count == 0 && !listing->as_json)
        eds_say_note("no %s fits", eds_role_name(role));
    return rc == EDS_OK ? EDS_EXIT_OK : EDS_EXIT_FAILED;
}

static int run_list(const struct eds_args *args)
{
    struct listing listing = {.args = args};

    eds_device_filter_read(&listing.filter, args);
    return list(args, EDS_ROLE_DEVICE, &listing);
}

const struct eds_command eds_device_list = {
    .name = "list",
    .summary = "List the devices that are registered",
    .description = "One a line, in byte order of the id: state, the id of its newest key that is "
                   "valid now, how that key stands, the device, its labels. With --json one "
                   "object with all there is.",
    .options = list_options,
    .examples = list_examples,
    .exits = list_exits,
    .run = run_list,
};

static const struct eds_option operator_options[] = {
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example operator_examples[] = {
    {"Who is registered", "eds audit operator list"},
    {NULL, NULL},
};

static int run_operators(const struct eds_args *args)
{
    struct listing listing = {.args = args};

    return list(args, EDS_ROLE_OPERATOR, &listing);
}

const struct eds_command eds_operator_list = {
    .name = "list",
    .summary = "List the operators that are registered",
    .options = operator_options,
    .examples = operator_examples,
    .exits = list_exits,
    .run = run_operators,
};

static const struct eds_option show_options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "The device", .required = true},
    EDS_OPTION_DATA_DIR,
    EDS_OPTION_STORE,
    EDS_OPTION_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example show_examples[] = {
    {"A device, its keys and where its chain stands", "eds audit device show crane-07"},
    {NULL, NULL},
};

static const struct eds_exit_line show_exits[] = {
    {EDS_EXIT_OK, "it is shown"},
    {EDS_EXIT_FAILED, "there is no such device, or the ledger could not be read"},
    {0, NULL},
};

static void print_key(const struct eds_enrolled_key *key, uint64_t now_ms)
{
    uint8_t key_id[EDS_KEY_ID_SIZE];
    char id[2 * EDS_KEY_ID_SIZE + 1], digits[2 * EDS_PUBLIC_KEY_SIZE + 1], when[EDS_INSTANT_SIZE];

    eds_key_id(key_id, key->public_key);
    eds_hex_encode(id, key_id, sizeof key_id);
    eds_hex_encode(digits, key->public_key, EDS_PUBLIC_KEY_SIZE);
    printf("key %s %s\n  public key  %s\n", id, eds_device_key_word(key, now_ms), digits);
    if (key->not_before_ms != 0) {
        eds_instant_format(when, key->not_before_ms);
        printf("  not before  %s\n", when);
    }
    if (key->not_after_ms != EDS_KEY_NO_END) {
        eds_instant_format(when, key->not_after_ms);
        printf("  not after   %s\n", when);
    }
    if (key->not_after_sequence != EDS_KEY_NO_END)
        printf("  not after   sequence %" PRIu64 "\n", key->not_after_sequence);
}

static int32_t count_gaps(struct eds_ledger *ledger, const char *id, uint64_t *count,
                          struct eds_error *err)
{
    struct eds_gap_place place = {.id = 0};
    struct eds_gap gap;
    int32_t rc = EDS_OK;

    for (*count = 0; rc == EDS_OK; *count += rc == EDS_OK)
        rc = ledger->gaps->next(ledger, id, &place, &gap, err);
    return rc == EDS_ERR_NOT_FOUND ? EDS_OK : rc;
}

static void print_device(const struct eds_enrolment *it, const struct eds_head *head,
                         uint64_t gap_count, uint64_t now_ms)
{
    printf("device      %s\nstate       %s\nattest      %s%s\n", it->id,
           eds_device_state_name(it->state), it->attest_required ? "required" : "optional",
           !it->attest_required && head->attested ? ", required since it has attested" : "");
    printf("site        %s\ncohort      %s\nfirmware    %s\n", it->site, it->cohort, it->firmware);
    printf("sequence    %" PRIu64 "\nforks seen  %" PRIu64 "\n", head->sequence,
           head->conflict_count);
    printf("gaps closed %" PRIu64 "\n", gap_count);
    printf("kept apart  %" PRIu64 "\n", it->quarantine_arrived - it->quarantine_left);
    for (uint32_t i = 0; i < it->key_count; i++)
        print_key(&it->keys[i], now_ms);
}

static int run_show(const struct eds_args *args)
{
    const char *id = eds_args_text(args, "device-id");
    struct eds_enrolment it;
    struct eds_json_out json;
    struct eds_device_job job;
    struct eds_head head;
    uint64_t gap_count = 0;
    struct eds_error err;
    int32_t rc = eds_device_job_open(&job, args, true, &err);

    if (rc == EDS_OK)
        rc = job.ledger->roster->find(job.ledger, EDS_ROLE_DEVICE, id, &it, &err);
    if (rc == EDS_OK)
        rc = job.ledger->ops->head(job.ledger, id, &head, &err);
    if (rc == EDS_OK)
        rc = count_gaps(job.ledger, id, &gap_count, &err);
    eds_device_job_close(&job);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    if (!eds_args_flag(args, "json")) {
        print_device(&it, &head, gap_count, job.now_ms);
        return EDS_EXIT_OK;
    }
    eds_out_begin(&json);
    eds_device_json(&json, &it);
    eds_out_u64(&json, "sequence", head.sequence);
    eds_out_bool(&json, "attested", head.attested);
    eds_out_u64(&json, "conflict_count", head.conflict_count);
    eds_out_u64(&json, "gap_count", gap_count);
    eds_out_end(&json);
    return EDS_EXIT_OK;
}

const struct eds_command eds_device_show = {
    .name = "show",
    .summary = "Show a device, its keys and where its chain stands",
    .options = show_options,
    .positional = "device-id",
    .examples = show_examples,
    .exits = show_exits,
    .run = run_show,
};
