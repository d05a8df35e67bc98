/* agent_delivery.c - see agent_delivery.h. */
#include "cli/agent_delivery.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/log.h"
#include "cli/buffer_arg.h"
#include "cli/client_arg.h"
#include "cli/sender.h"
#include "edgesentry/blake3.h"

void eds_agent_delivery_name(char out[EDS_AGENT_CLIENT_ID_SIZE], const char *device_id)
{
    char hex[17];
    uint8_t hash[EDS_HASH_SIZE];

    if (strlen(device_id) <= EDS_AGENT_CLIENT_DEVICE_MAX && strpbrk(device_id, "/+#") == NULL) {
        snprintf(out, EDS_AGENT_CLIENT_ID_SIZE, "eds-agent-%s", device_id);
        return;
    }
    eds_blake3(hash, device_id, strlen(device_id));
    (void)eds_hex_encode(hex, hash, 8);
    snprintf(out, EDS_AGENT_CLIENT_ID_SIZE, "eds-agent-%s", hex);
}

/* Waits while the gate is held, and does not keep it: whoever takes it next need not wait for
 * what is being sent, which was recorded before. */
static struct eds_agent_delivery *pass_gate(struct eds_sender *gated)
{
    struct eds_agent_delivery *delivery = (struct eds_agent_delivery *)gated;

    pthread_mutex_lock(&delivery->job->gate);
    pthread_mutex_unlock(&delivery->job->gate);
    return delivery;
}

static void send_gated(struct eds_sender *sender, const struct eds_buffer_item *item,
                       struct eds_reply *out)
{
    struct eds_agent_delivery *delivery = pass_gate(sender);

    delivery->sender->send(delivery->sender, item, out);
    sender->batch_max = delivery->sender->batch_max;
}

static size_t send_many_gated(struct eds_sender *sender, const struct eds_buffer_item *const *items,
                              size_t count, struct eds_reply *out)
{
    struct eds_agent_delivery *delivery = pass_gate(sender);
    size_t sent = delivery->sender->send_many(delivery->sender, items, count, out);

    sender->batch_max = delivery->sender->batch_max;
    return sent;
}

static void replied(void *context, const struct eds_buffer_item *item,
                    const struct eds_reply *reply)
{
    struct eds_agent_job *job = context;
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

int32_t eds_agent_delivery_start(struct eds_agent_delivery *delivery, struct eds_agent_job *job,
                                 struct eds_error *err)
{
    const struct eds_args *args = job->args;
    struct eds_sender *senders[1] = {&delivery->gated};
    struct eds_forwarder_config config = {.buffer = job->buffer,
                                          .senders = senders,
                                          .sender_count = 1,
                                          .replied = replied,
                                          .context = job};
    struct eds_http_client_config client = {.url = eds_args_text(args, "url")};
    struct eds_sender_config sender;
    int32_t rc = EDS_OK;

    delivery->job = job;
    if (eds_args_flag(args, "retry-dead"))
        rc = eds_buffer_arg_revive(job->buffer, err);
    if (rc != EDS_OK || client.url == NULL)
        return rc;
    rc = eds_client_arg_take(&client, args, err);
    if (rc != EDS_OK)
        return rc;
    sender = (struct eds_sender_config){.url = client.url,
                                        .ca_file = client.ca_file,
                                        .cert_file = client.cert_file,
                                        .key_file = client.key_file,
                                        .client_id = delivery->client_id,
                                        .user = eds_args_text(args, "user"),
                                        .password_file = eds_args_text(args, "password-file")};
    rc = eds_sender_open(&delivery->sender, &sender, err);
    if (rc != EDS_OK)
        return rc;
    delivery->gated = (struct eds_sender){
        .send = send_gated, .send_many = send_many_gated, .batch_max = delivery->sender->batch_max};
    return eds_forwarder_start(&delivery->forwarder, &config, err);
}

void eds_agent_delivery_stop(struct eds_agent_delivery *delivery)
{
    if (delivery->forwarder != NULL)
        eds_forwarder_counts(delivery->forwarder, &delivery->counts);
    eds_forwarder_stop(delivery->forwarder);
    delivery->forwarder = NULL;
}

void eds_agent_delivery_finish(struct eds_agent_delivery *delivery)
{
    uint64_t left_ms;
    bool ended;

    if (delivery->forwarder == NULL)
        return;
    left_ms = eds_args_u64(delivery->job->args, "wait");
    left_ms = left_ms < 86400 ? left_ms * 1000 : 86400000;
    ended = eds_agent_job_pause(delivery->job, 0);
    while (!ended && left_ms > 0 && !eds_forwarder_wait(delivery->forwarder, 100)) {
        left_ms -= left_ms < 100 ? left_ms : 100;
        ended = eds_agent_job_pause(delivery->job, 0);
    }
    eds_agent_delivery_stop(delivery);
}

void eds_agent_delivery_free(struct eds_agent_delivery *delivery)
{
    eds_sender_close(delivery->sender);
}
