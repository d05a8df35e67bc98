/* send.c - eds audit send: bring records to an ingest server. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/client_arg.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/json_out.h"
#include "cli/say.h"
#include "cli/send_lanes.h"

#define ATTEMPTS_MAX 1000u

static const struct eds_option options[] = {
    {.name = "url",
     .value = "URL",
     .help = "The server, https://HOST:PORT; /api/v1/ingest is added where there is no path",
     .required = true},
    {.name = "records-file",
     .value = "RECORDS_FILE",
     .help = "The records in their order, '-' for standard input"},
    EDS_OPTION_FORMAT("A JSON array, one JSON record a line, or compact binary records"),
    {.name = "payloads-file",
     .value = "PAYLOADS_FILE",
     .help = "Their payloads: a JSON array of hex strings, one per record"},
    {.name = "envelopes",
     .value = "FILE",
     .fallback = "-",
     .help = "Instead of the two files: ingest requests, one JSON object a line, '-' for standard "
             "input"},
    {.name = "attempts",
     .value = "COUNT",
     .fallback = "8",
     .check = eds_check_u64,
     .help = "How often to try a record where the server does not answer or is busy, 1 to 1000"},
    {.name = "connections",
     .value = "COUNT",
     .fallback = "1",
     .check = eds_check_u64,
     .help = "Send records of so many devices side by side, 1 to 64"},
    {.name = "batch",
     .value = "COUNT",
     .fallback = "1",
     .check = eds_check_u64,
     .help = "Send up to so many records in one request, 1 to 1000"},
    {.name = "upload-above",
     .value = "BYTES",
     .fallback = "1044480",
     .check = eds_check_u64,
     .help = "Payloads of more bytes are brought to the server before their records: by default "
             "what does not fit into a request"},
    EDS_OPTIONS_CLIENT_TLS,
    {.name = "json", .help = "Print one JSON object a record, and one at the end"},
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"What demo-lift-inspection wrote",
     "eds audit send --url http://127.0.0.1:8080 --records-file lift_inspection_records.json "
     "--payloads-file lift_inspection_payloads.json"},
    {"Requests from standard input",
     "eds audit send --url http://127.0.0.1:8080 < envelopes.ndjson"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "every record is kept by the server (it may have had some of them before)"},
    {EDS_EXIT_FAILED, "the server gave no verdict, or an input could not be read"},
    {EDS_EXIT_NOT_VALID, "the server refused records"},
    {0, NULL},
};

struct job {
    const struct eds_args *args;
    uint64_t accepted, duplicate, rejected;
};

/* Names and reasons come from outside: no control character of theirs reaches
 * the terminal. */
static void print_clean(const char *text)
{
    for (; *text != '\0'; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text);
}

static void print_delivery(const struct job *job, const struct eds_parcel *parcel,
                           const struct eds_delivery *delivery, const char *word)
{
    struct eds_json_out json;
    bool refused = strcmp(word, "rejected") == 0;

    if (eds_args_flag(job->args, "json")) {
        eds_out_begin(&json);
        eds_out_string(&json, "result", word);
        eds_out_string(&json, "device_id", parcel->device_id);
        eds_out_u64(&json, "sequence", parcel->sequence);
        eds_out_u64(&json, "status", delivery->status);
        eds_out_u64(&json, "attempts", delivery->attempts);
        if (refused)
            eds_out_string(&json, "reason", delivery->answer.error);
        eds_out_end(&json);
        return;
    }
    for (const char *at = word; *at != '\0'; at++)
        putchar(*at - 'a' + 'A');
    fputs(": device=", stdout);
    print_clean(parcel->device_id);
    printf(" sequence=%" PRIu64, parcel->sequence);
    if (refused) {
        fputs(" reason=", stdout);
        print_clean(delivery->answer.error);
    }
    putchar('\n');
}

/* A record that the server had already is delivered. */
static bool is_duplicate(const struct eds_delivery *delivery)
{
    static const char words[] = "ingest verification failed: duplicate record for device=";

    return delivery->status == 422 && strncmp(delivery->answer.error, words, strlen(words)) == 0;
}

static void take_delivery(void *context, const struct eds_parcel *parcel,
                          const struct eds_delivery *delivery)
{
    struct job *job = context;

    if (delivery->answer.accepted) {
        job->accepted++;
        print_delivery(job, parcel, delivery, "accepted");
    } else if (is_duplicate(delivery)) {
        job->duplicate++;
        print_delivery(job, parcel, delivery, "duplicate");
    } else {
        job->rejected++;
        print_delivery(job, parcel, delivery, "rejected");
    }
    fflush(stdout); /* who watches a pipe sees each verdict when it comes */
}

static void summarize(const struct job *job)
{
    struct eds_json_out json;

    if (!eds_args_flag(job->args, "json")) {
        printf("SEND_COMPLETE: accepted=%" PRIu64 " duplicate=%" PRIu64 " rejected=%" PRIu64 "\n",
               job->accepted, job->duplicate, job->rejected);
        return;
    }
    eds_out_begin(&json);
    eds_out_string(&json, "result", "complete");
    eds_out_u64(&json, "accepted", job->accepted);
    eds_out_u64(&json, "duplicate", job->duplicate);
    eds_out_u64(&json, "rejected", job->rejected);
    eds_out_end(&json);
}

static const char *contradiction(const struct eds_args *args)
{
    bool records = eds_args_given(args, "records-file");
    bool payloads = eds_args_given(args, "payloads-file");

    if (records != payloads)
        return "--records-file and --payloads-file need each other";
    if (records && eds_args_given(args, "envelopes"))
        return "--envelopes and --records-file exclude each other";
    if (records && eds_is_standard_stream(eds_args_text(args, "records-file")) &&
        eds_is_standard_stream(eds_args_text(args, "payloads-file")))
        return "only one input can be standard input";
    if (eds_args_u64(args, "attempts") - 1 >= ATTEMPTS_MAX)
        return "--attempts: 1 to 1000 are possible";
    if (eds_args_u64(args, "connections") - 1 >= EDS_LANES_MAX)
        return "--connections: 1 to 64 are possible";
    if (eds_args_u64(args, "batch") - 1 >= EDS_HTTP_BATCH_MAX)
        return "--batch: 1 to 1000 are possible";
    return NULL;
}

static int run(const struct eds_args *args)
{
    struct job job = {.args = args};
    struct eds_send_lanes lanes = {
        .client = {.url = eds_args_text(args, "url"),
                   .attempt_max = (unsigned)eds_args_u64(args, "attempts"),
                   .to_batch = eds_args_u64(args, "batch") > 1},
        .batch_max = (size_t)eds_args_u64(args, "batch"),
        .lane_count = (size_t)eds_args_u64(args, "connections"),
        .delivered = take_delivery,
        .context = &job,
    };
    struct eds_send_input input;
    struct eds_error err;
    int32_t rc;

    if (contradiction(args) != NULL)
        return eds_args_usage(args, "%s", contradiction(args));
    rc = eds_client_arg_take(&lanes.client, args, &err);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    rc = eds_send_input_open(&input, args, &err);
    if (rc == EDS_OK)
        rc = eds_send_lanes_run(&lanes, &input, &err);
    eds_send_input_close(&input);
    if (rc == EDS_ERR_USAGE) /* a bad URL: nothing was sent */
        return eds_args_usage(args, "%s", err.text);
    if (job.accepted + job.duplicate + job.rejected > 0 || rc == EDS_OK)
        summarize(&job);
    if (rc != EDS_OK)
        return eds_say_error(args, "", &err);
    return job.rejected > 0 ? EDS_EXIT_NOT_VALID : EDS_EXIT_OK;
}

const struct eds_command eds_command_send = {
    .name = "send",
    .summary = "Send records to an ingest server",
    .description =
        "Sends each record with its payload and prints the server's verdict: ACCEPTED, DUPLICATE "
        "(the server had this record already, so it is delivered) or REJECTED with the reason. "
        "Records of one device are sent in their order. Where the server is busy or does not "
        "answer, the same record is sent again after a pause, longer each time.",
    .options = options,
    .positional = "envelopes",
    .examples = examples,
    .exits = exits,
    .run = run,
};
