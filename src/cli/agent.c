/* agent.c - eds audit agent: sign what comes in, keep it, deliver it. */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"
#include "base/wipe.h"
#include "cli/agent_class.h"
#include "cli/agent_delivery.h"
#include "cli/agent_orders.h"
#include "cli/agent_token.h"
#include "cli/buffer_arg.h"
#include "cli/client_arg.h"
#include "cli/commands.h"
#include "cli/json_out.h"
#include "cli/key_arg.h"
#include "cli/record_file.h"
#include "cli/say.h"
#include "cli/service.h"
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

/* Everything that an agent stands on, in the order of starting. */
struct agent_run {
    struct eds_agent_job job;
    struct eds_signer *signer;
    struct eds_agent_delivery delivery;
    struct eds_agent_settings settings;
    struct eds_agent_orders *orders; /* NULL: nobody may command */
};

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

static int summarize(const struct agent_run *run, const struct eds_args *args)
{
    uint64_t delivered = run->delivery.counts.accepted + run->delivery.counts.duplicates;
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
    eds_agent_delivery_name(run->delivery.client_id, eds_args_text(args, "device-id"));
    run->job.client_id = run->delivery.client_id;
    if (rc == EDS_OK)
        rc = open_agent(run, args, err);
    if (rc == EDS_OK)
        rc = eds_agent_delivery_start(&run->delivery, &run->job, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_agent_orders_start(&run->orders, &run->job, &run->settings, &run->signer, err);
    if (rc != EDS_OK)
        eds_agent_delivery_stop(&run->delivery);
    return rc;
}

/* EDS_EXIT_OK, or the exit code of options that do not go together. */
static int check_options(const struct eds_args *args)
{
    const char *firmware = eds_args_text(args, "firmware");
    struct eds_error err;

    if (eds_args_given(args, "spool") && eds_args_given(args, "listen"))
        return eds_args_usage(args, "--spool and --listen exclude each other");
    if (eds_args_given(args, "pkcs11-uri") && eds_key_source(args) != EDS_KEY_NONE)
        return eds_args_usage(args, "--pkcs11-uri and a key exclude each other");
    if (firmware != NULL &&
        eds_lifecycle_check_text(firmware, EDS_ENROLMENT_LABEL_SIZE, "--firmware", &err) != EDS_OK)
        return eds_args_usage(args, "%s", err.text);
    if (eds_args_given(args, "password-file") && !eds_args_given(args, "user"))
        return eds_args_usage(args, "--password-file needs --user");
    if (eds_args_given(args, "spool") && strcmp(eds_args_text(args, "class"), "line") == 0)
        return eds_args_usage(args, "a spool has files and no lines: --class low, normal, high or "
                                    "alarm, or sub-directories of these names");
    return EDS_EXIT_OK;
}

static int run_agent(const struct eds_args *args)
{
    struct agent_run run = {.job = {.args = args, .firmware = eds_args_text(args, "firmware")}};
    struct eds_error err;
    sigset_t ending;
    int code = check_options(args);
    int32_t rc;

    if (code != EDS_EXIT_OK)
        return code;
    code = EDS_EXIT_FAILED;
    eds_service_begin(args, &ending); /* before any thread, so that all of them block signals */
    pthread_mutex_init(&run.job.gate, NULL);
    pthread_mutex_init(&run.job.held_mutex, NULL);
    run.job.ending_fd = signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK);
    rc = run.job.ending_fd >= 0
             ? start(&run, args, &err)
             : eds_error_set(&err, EDS_ERR_IO, "no descriptor for signals: %s", strerror(errno));
    if (rc == EDS_OK) {
        rc = work(&run, args, &err);
        eds_agent_orders_stop(run.orders);
        eds_agent_delivery_finish(&run.delivery);
        code = summarize(&run, args);
    }
    if (rc == EDS_ERR_USAGE)
        code = eds_args_usage(args, "%s", err.text);
    else if (rc != EDS_OK)
        code = eds_say_error(args, "", &err);
    eds_agent_delivery_free(&run.delivery);
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
