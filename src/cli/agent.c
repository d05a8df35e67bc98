/* agent.c - eds audit agent: sign what comes in, keep it, deliver it. */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/hex.h"
#include "base/log.h"
#include "base/wipe.h"
#include "cli/agent_class.h"
#include "cli/agent_job.h"
#include "cli/agent_orders.h"
#include "cli/agent_token.h"
#include "cli/buffer_arg.h"
#include "cli/client_arg.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/key_arg.h"
#include "cli/record_file.h"
#include "cli/say.h"
#include "cli/sender.h"
#include "cli/service.h"
#include "edgesentry/forwarder.h"
#include "registry/lifecycle.h"

static const struct eds_option options[] = {
    {.name = "device-id", .value = "DEVICE_ID", .help = "The device", .required = true},
    EDS_OPTIONS_KEY,
    {.name = "pkcs11-uri",
     .value = "URI",
     .help = "Instead of a key: a PKCS#11 URI; the PIN comes from --passphrase-file or "
             "EDS_PASSPHRASE"},
    EDS_OPTIONS_BUFFER,
    {.name = "url",
     .value = "URL",
     .help = "The server, https://HOST:PORT, or a broker that it listens to, "
             "mqtts://BROKER:PORT/TOPIC; without it records only wait"},
    EDS_OPTIONS_CLIENT_TLS,
    {.name = "firmware",
     .value = "VERSION",
     .help = "The device's firmware, told in a note before its first record"},
    {.name = "user", .value = "USER", .help = "User name for a broker"},
    {.name = "password-file",
     .value = "FILE",
     .help = "File with the user's password on its first line"},
    {.name = "spool",
     .value = "DIR",
     .help = "Record each file that is put into this directory, and remove it"},
    {.name = "listen",
     .value = "SOCKET",
     .help = "Record each line that comes by this Unix socket, and answer OK SEQUENCE or ERROR"},
    EDS_OPTIONS_AGENT_CLASS,
    {.name = "after-record",
     .value = "RECORD_FILE",
     .help = "The device's last record, where its buffer was lost"},
    {.name = "key-not-after-ms",
     .value = "TIME_MS",
     .fallback = "0",
     .check = eds_check_u64,
     .help = "When the key's time ends, in ms since 1970; a note in the chain says so then"},
    {.name = "stop-when-expired", .help = "Record nothing after that"},
    {.name = "wait",
     .value = "SECONDS",
     .fallback = "30",
     .check = eds_check_u64,
     .help = "At the end, how long to wait until everything is delivered"},
    {.name = "retry-dead", .help = "First send once more what the server refused before"},
    EDS_OPTIONS_AGENT_ORDERS,
    EDS_OPTIONS_SERVICE_LOG,
    EDS_OPTION_SERVICE_JSON,
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"One record a line, kept on the disk; nothing is sent yet",
     "echo 'door closed in 2.1 s' | eds audit agent --device-id lift-01 --key-file key.json "
     "--buffer lift-01.db"},
    {"Record files that others put into a directory, and deliver",
     "eds audit agent --device-id lift-01 --key-file key.json --buffer log:/var/lib/lift.log "
     "--url https://ingest.example.org --spool /var/spool/lift"},
    {"Through a broker, as a user that it knows",
     "eds audit agent --device-id lift-01 --key-file key.json --buffer lift-01.db "
     "--url mqtts://broker.example.org/sites/7 --user lift-01 --password-file mqtt-password "
     "< readings.txt"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "all is recorded, and with --url delivered"},
    {EDS_EXIT_FAILED, "it could not start or go on, or records still wait"},
    {EDS_EXIT_NOT_VALID, "the server refused records; they are dead letters in the buffer"},
    {0, NULL},
};

#define CLIENT_DEVICE_MAX 80u /* bytes of a device id that stands for itself there */
#define CLIENT_ID_SIZE    (CLIENT_DEVICE_MAX + 16u)

/* Everything that an agent stands on, in the order of starting. */
struct agent_run {
    struct eds_agent_job job;
    struct eds_signer *signer;
    struct eds_sender *sender;
    char client_id[CLIENT_ID_SIZE];
    struct gated_sender {
        struct eds_sender sender; /* first: waits at the gate, then sends */
        struct agent_run *run;
    } gated;
    struct eds_forwarder *forwarder;
    struct eds_forwarder_counts counts;
    struct eds_agent_settings settings;
    struct eds_agent_orders *orders; /* NULL: nobody may command */
};

bool eds_agent_job_pause(struct eds_agent_job *job, int timeout_ms)
{
    struct pollfd ending = {.fd = job->ending_fd, .events = POLLIN};

    return poll(&ending, 1, timeout_ms) > 0;
}

void eds_agent_job_trouble(struct eds_agent_job *job, const char *format, ...)
{
    char text[EDS_ERROR_TEXT_SIZE];
    struct timespec now;
    va_list args;

    clock_gettime(CLOCK_MONOTONIC, &now);
    if (!eds_repeat_is_news(&job->trouble,
                            (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000))
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (job->trouble.count > 1)
        eds_say_warning("%s (%" PRIu64 " times now)", text, job->trouble.count);
    else
        eds_say_warning("%s", text);
}

/* The server's word on this device goes into the chain when it changes. */
static void note_standing(struct eds_agent_job *job)
{
    char text[EDS_ERROR_TEXT_SIZE];
    bool changed;

    pthread_mutex_lock(&job->held_mutex);
    changed = job->held_changed;
    job->held_changed = false;
    memcpy(text, job->held, sizeof text);
    pthread_mutex_unlock(&job->held_mutex);
    if (changed)
        (void)eds_agent_note(job->agent, "standing",
                             text[0] != '\0' ? text : "the server takes records again", NULL);
}

/* Once, and not before there is something else to record. */
static void note_firmware(struct eds_agent_job *job)
{
    if (job->firmware != NULL &&
        eds_agent_note(job->agent, "firmware", job->firmware, NULL) == EDS_OK)
        job->firmware = NULL;
}

int32_t eds_agent_job_record_many(struct eds_agent_job *job, const struct eds_event *events,
                                  size_t count, uint64_t *first_sequence, struct eds_error *err)
{
    struct eds_entry *entries = malloc(count * sizeof *entries);
    int32_t rc;

    if (entries == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a record");
    note_firmware(job);
    note_standing(job);
    rc = eds_agent_record_many(job->agent, events, count, entries, err);
    if (rc == EDS_OK) {
        *first_sequence = entries[0].record.sequence;
        job->recorded += count;
    }
    free(entries);
    return rc;
}

int32_t eds_agent_job_record(struct eds_agent_job *job, const void *payload, size_t payload_size,
                             const char *object_ref, enum eds_priority priority, uint64_t *sequence,
                             struct eds_error *err)
{
    struct eds_event event = {.payload = payload,
                              .payload_size = payload_size,
                              .object_ref = object_ref,
                              .priority = priority};

    return eds_agent_job_record_many(job, &event, 1, sequence, err);
}

static void send_gated(struct eds_sender *sender, const struct eds_buffer_item *item,
                       struct eds_reply *out)
{
    struct agent_run *run = ((struct gated_sender *)sender)->run;

    pthread_mutex_lock(&run->job.gate);
    pthread_mutex_unlock(&run->job.gate);
    run->sender->send(run->sender, item, out);
    run->gated.sender.batch_max = run->sender->batch_max;
}

static size_t send_many_gated(struct eds_sender *sender, const struct eds_buffer_item *const *items,
                              size_t count, struct eds_reply *out)
{
    struct agent_run *run = ((struct gated_sender *)sender)->run;
    size_t sent;

    pthread_mutex_lock(&run->job.gate);
    pthread_mutex_unlock(&run->job.gate);
    sent = run->sender->send_many(run->sender, items, count, out);
    run->gated.sender.batch_max = run->sender->batch_max;
    return sent;
}

static void replied(void *context, const struct eds_buffer_item *item,
                    const struct eds_reply *reply)
{
    struct agent_run *run = context;
    struct eds_agent_job *job = &run->job;
    bool is_held = reply->outcome == EDS_OUTCOME_HELD;

    if (reply->outcome == EDS_OUTCOME_CONFLICT || reply->outcome == EDS_OUTCOME_REJECTED)
        EDS_LOG(EDS_LOG_ERROR, "record_refused",
                EDS_LOG_STRING("device_id", (const char *)item->entry.record.device_id),
                EDS_LOG_NUMBER("sequence", item->entry.record.sequence),
                EDS_LOG_STRING("reason", reply->text));
    if (reply->outcome == EDS_OUTCOME_AWAY || reply->outcome == EDS_OUTCOME_LATER)
        return;
    pthread_mutex_lock(&job->held_mutex);
    if (is_held != (job->held[0] != '\0')) {
        job->held_changed = true;
        snprintf(job->held, sizeof job->held, "%s",
                 !is_held                 ? ""
                 : reply->text[0] != '\0' ? reply->text
                                          : "the server takes nothing from this device");
        if (is_held)
            EDS_LOG(EDS_LOG_WARN, "device_held", EDS_LOG_STRING("reason", reply->text));
    }
    pthread_mutex_unlock(&job->held_mutex);
}

static int32_t open_signer(struct agent_run *run, const struct eds_args *args,
                           struct eds_error *err)
{
    struct eds_key key;
    int32_t rc;

    if (eds_args_text(args, "pkcs11-uri") != NULL)
        return eds_agent_token_open(&run->signer, args, err);
    rc = eds_key_get(&key, args, err);
    if (rc == EDS_OK)
        rc = eds_signer_from_seed(&run->signer, key.seed, err);
    eds_wipe(&key, sizeof key);
    return rc;
}

/* One of the names, or NORMAL. */
static enum eds_priority class_of(const struct eds_args *args, const char *option)
{
    const char *name = eds_args_text(args, option);
    enum eds_priority priority = EDS_PRIORITY_NORMAL;

    (void)eds_agent_class_of(&priority, name, strlen(name));
    return priority;
}

static int32_t open_agent(struct agent_run *run, const struct eds_args *args, struct eds_error *err)
{
    struct eds_agent_config config = {
        .device_id = eds_args_text(args, "device-id"),
        .signer = run->signer,
        .buffer = run->job.buffer,
        .key_not_after_ms = eds_args_u64(args, "key-not-after-ms"),
        .key_policy = eds_args_flag(args, "stop-when-expired") ? EDS_KEY_STOPS : EDS_KEY_GOES_ON,
        .payloads_from = class_of(args, "drop-payloads-below")};
    const char *last = eds_args_text(args, "after-record");
    struct eds_buffer_head start;
    struct eds_entry entry;
    int32_t rc = EDS_OK;

    if (last != NULL) {
        rc = eds_record_file_read(&entry, last, err);
        if (rc == EDS_OK && strcmp((const char *)entry.record.device_id, config.device_id) != 0)
            rc = eds_error_set(err, EDS_ERR_USAGE, "%s is a record of %s, not of %s", last,
                               (const char *)entry.record.device_id, config.device_id);
        if (rc == EDS_OK)
            rc = eds_record_digest(start.record_hash, &entry.record);
        start.sequence = entry.record.sequence;
        start.timestamp_ms = entry.record.timestamp_ms;
        config.start = &start;
    }
    return rc == EDS_OK ? eds_agent_open(&run->job.agent, &config, err) : rc;
}

/* The agent's name at a broker, where no other client may have it. */
static void name_client(char out[CLIENT_ID_SIZE], const char *device_id)
{
    char hex[17];
    uint8_t hash[EDS_HASH_SIZE];

    if (strlen(device_id) <= CLIENT_DEVICE_MAX && strpbrk(device_id, "/+#") == NULL) {
        snprintf(out, CLIENT_ID_SIZE, "eds-agent-%s", device_id);
        return;
    }
    eds_blake3(hash, device_id, strlen(device_id));
    (void)eds_hex_encode(hex, hash, 8);
    snprintf(out, CLIENT_ID_SIZE, "eds-agent-%s", hex);
}

static int32_t start_forwarder(struct agent_run *run, const struct eds_args *args,
                               struct eds_error *err)
{
    struct eds_sender *senders[1] = {&run->gated.sender};
    struct eds_forwarder_config config = {.buffer = run->job.buffer,
                                          .senders = senders,
                                          .sender_count = 1,
                                          .replied = replied,
                                          .context = run};
    struct eds_http_client_config client = {.url = eds_args_text(args, "url")};
    struct eds_sender_config sender;
    int32_t rc = EDS_OK;

    if (eds_args_flag(args, "retry-dead"))
        rc = eds_buffer_arg_revive(run->job.buffer, err);
    if (rc != EDS_OK || client.url == NULL)
        return rc;
    rc = eds_client_arg_take(&client, args, err);
    if (rc != EDS_OK)
        return rc;
    sender = (struct eds_sender_config){.url = client.url,
                                        .ca_file = client.ca_file,
                                        .cert_file = client.cert_file,
                                        .key_file = client.key_file,
                                        .client_id = run->client_id,
                                        .user = eds_args_text(args, "user"),
                                        .password_file = eds_args_text(args, "password-file")};
    rc = eds_sender_open(&run->sender, &sender, err);
    if (rc != EDS_OK)
        return rc;
    run->gated.sender = (struct eds_sender){
        .send = send_gated, .send_many = send_many_gated, .batch_max = run->sender->batch_max};
    run->gated.run = run;
    return eds_forwarder_start(&run->forwarder, &config, err);
}

/* The end of the input, or a signal: what is still to be delivered gets its
 * time, unless a signal comes (again). */
static void finish(struct agent_run *run, const struct eds_args *args)
{
    uint64_t left_ms = eds_args_u64(args, "wait");
    bool ended = eds_agent_job_pause(&run->job, 0);

    left_ms = left_ms < 86400 ? left_ms * 1000 : 86400000;
    while (run->forwarder != NULL && !ended && left_ms > 0 &&
           !eds_forwarder_wait(run->forwarder, 100)) {
        left_ms -= left_ms < 100 ? left_ms : 100;
        ended = eds_agent_job_pause(&run->job, 0);
    }
    if (run->forwarder != NULL)
        eds_forwarder_counts(run->forwarder, &run->counts);
    eds_forwarder_stop(run->forwarder);
}

static int summarize(const struct agent_run *run, const struct eds_args *args)
{
    uint64_t delivered = run->counts.accepted + run->counts.duplicates;
    struct eds_buffer_counts counts;
    struct eds_json_out json;

    eds_buffer_counts(run->job.buffer, &counts);
    if (eds_args_flag(args, "json")) {
        eds_out_begin(&json);
        eds_out_string(&json, "result", "complete");
        eds_out_u64(&json, "recorded", run->job.recorded);
        eds_out_u64(&json, "delivered", delivered);
        eds_out_u64(&json, "waiting", counts.waiting);
        eds_out_u64(&json, "dead", counts.dead);
        eds_out_end(&json);
    } else {
        printf("AGENT_COMPLETE: recorded=%" PRIu64 " delivered=%" PRIu64 " waiting=%" PRIu64
               " dead=%" PRIu64 "\n",
               run->job.recorded, delivered, counts.waiting, counts.dead);
    }
    if (counts.dead > 0)
        return EDS_EXIT_NOT_VALID;
    return counts.waiting > 0 && eds_args_text(args, "url") != NULL ? EDS_EXIT_FAILED : EDS_EXIT_OK;
}

static int32_t work(struct agent_run *run, const struct eds_args *args, struct eds_error *err)
{
    if (eds_args_text(args, "spool") != NULL)
        return eds_agent_spool(&run->job, eds_args_text(args, "spool"), err);
    if (eds_args_text(args, "listen") != NULL)
        return eds_agent_listen(&run->job, eds_args_text(args, "listen"), err);
    return eds_agent_lines(&run->job, err);
}

/* What commands have set must not keep a device from recording. */
static void load_settings(struct agent_run *run, const struct eds_args *args)
{
    struct eds_error err;

    if (eds_agent_settings_load(&run->settings, eds_args_text(args, "buffer"), &err) != EDS_OK)
        EDS_LOG(EDS_LOG_ERROR, "settings_ignored", EDS_LOG_STRING("reason", err.text));
}

static int32_t start(struct agent_run *run, const struct eds_args *args, struct eds_error *err)
{
    int32_t rc = open_signer(run, args, err);

    run->job.priority = class_of(args, "class");
    run->job.line_has_class = strcmp(eds_args_text(args, "class"), "line") == 0;
    run->job.gives_up_payloads = class_of(args, "drop-payloads-below") > EDS_PRIORITY_LOW;
    if (rc == EDS_OK)
        load_settings(run, args);
    if (rc == EDS_OK)
        rc = eds_buffer_arg_open(&run->job.buffer, args, err);
    if (rc == EDS_OK)
        eds_agent_job_set_limits(&run->job, &run->settings);
    name_client(run->client_id, eds_args_text(args, "device-id"));
    run->job.client_id = run->client_id;
    if (rc == EDS_OK)
        rc = open_agent(run, args, err);
    if (rc == EDS_OK)
        rc = start_forwarder(run, args, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_agent_orders_start(&run->orders, &run->job, &run->settings, &run->signer, err);
    if (rc != EDS_OK)
        eds_forwarder_stop(run->forwarder);
    return rc;
}

static int run_agent(const struct eds_args *args)
{
    struct agent_run run = {.job = {.args = args, .firmware = eds_args_text(args, "firmware")}};
    struct eds_error err;
    sigset_t ending;
    int code = EDS_EXIT_FAILED;
    int32_t rc;

    if (eds_args_given(args, "spool") && eds_args_given(args, "listen"))
        return eds_args_usage(args, "--spool and --listen exclude each other");
    if (eds_args_given(args, "pkcs11-uri") && eds_key_source(args) != EDS_KEY_NONE)
        return eds_args_usage(args, "--pkcs11-uri and a key exclude each other");
    if (run.job.firmware != NULL &&
        eds_lifecycle_check_text(run.job.firmware, EDS_ENROLMENT_LABEL_SIZE, "--firmware", &err) !=
            EDS_OK)
        return eds_args_usage(args, "%s", err.text);
    if (eds_args_given(args, "password-file") && !eds_args_given(args, "user"))
        return eds_args_usage(args, "--password-file needs --user");
    if (eds_args_given(args, "spool") && strcmp(eds_args_text(args, "class"), "line") == 0)
        return eds_args_usage(args, "a spool has files and no lines: --class low, normal, high or "
                                    "alarm, or sub-directories of these names");
    eds_service_begin(args, &ending); /* before any thread, so that all of them block signals */
    pthread_mutex_init(&run.job.gate, NULL);
    pthread_mutex_init(&run.job.held_mutex, NULL);
    run.job.ending_fd = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    rc = start(&run, args, &err);
    if (rc == EDS_OK) {
        rc = work(&run, args, &err);
        eds_agent_orders_stop(run.orders);
        finish(&run, args);
        code = summarize(&run, args);
    }
    if (rc == EDS_ERR_USAGE)
        code = eds_args_usage(args, "%s", err.text);
    else if (rc != EDS_OK)
        code = eds_say_error(args, "", &err);
    eds_sender_close(run.sender);
    eds_agent_close(run.job.agent);
    eds_buffer_close(run.job.buffer);
    eds_signer_close(run.signer);
    if (run.job.ending_fd >= 0)
        close(run.job.ending_fd);
    return code;
}

const struct eds_command eds_command_agent = {
    .name = "agent",
    .summary = "Record what a device reports, keep it, and deliver it",
    .description =
        "Takes payloads (lines of standard input, lines by a Unix socket, or files in a spool "
        "directory), signs each as the next record of the device's chain, and keeps it in the "
        "buffer until the server has it. A record that is reported as RECORDED outlives a power "
        "cut. Where the server is away it is asked again later; what it refuses is kept as a dead "
        "letter with the reason. The buffer holds the chain: do not delete it.",
    .options = options,
    .examples = examples,
    .exits = exits,
    .run = run_agent,
};
