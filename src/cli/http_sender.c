/* http_sender.c - see http_sender.h. */
#include "cli/http_sender.h"

#include <stdlib.h>
#include <string.h>

struct http_sender {
    struct eds_sender sender; /* first */
    struct eds_http_client *client;
};

/* What the server says of the device and not of the record: it may be put
 * right there, and then the same record is taken. */
static bool is_about_the_device(const char *reason)
{
    static const char *const beginnings[] = {"unknown device: ", "device is ", "key "};

    for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++)
        if (strncmp(reason, beginnings[i], strlen(beginnings[i])) == 0)
            return true;
    return false;
}

enum eds_outcome eds_http_sender_judge(const struct eds_delivery *delivery)
{
    static const char prefix[] = "ingest verification failed: ";
    const char *reason = delivery->answer.error;

    if (delivery->answer.accepted)
        return EDS_OUTCOME_ACCEPTED;
    if (delivery->status == 400 || delivery->status == 413)
        return EDS_OUTCOME_REJECTED; /* it will not do at any time */
    if (delivery->status != 422)
        return EDS_OUTCOME_HELD; /* not allowed, not this path, not this type: not the record's
                                    fault */
    if (strncmp(reason, prefix, strlen(prefix)) == 0)
        reason += strlen(prefix);
    if (strncmp(reason, "duplicate record for device=", 28) == 0)
        return EDS_OUTCOME_DUPLICATE;
    if (strncmp(reason, "conflicting record for device=", 30) == 0)
        return EDS_OUTCOME_CONFLICT;
    return is_about_the_device(reason) ? EDS_OUTCOME_HELD : EDS_OUTCOME_REJECTED;
}

static void send_item(struct eds_sender *sender, const struct eds_buffer_item *item,
                      struct eds_reply *out)
{
    struct http_sender *http = (struct http_sender *)sender;
    size_t size = eds_json_envelope_size(item->payload_size);
    struct eds_delivery delivery;
    struct eds_error err;
    char *body = malloc(size);

    memset(out, 0, sizeof *out);
    out->outcome = EDS_OUTCOME_AWAY;
    if (body == NULL) {
        strcpy(out->text, "out of memory for a request");
        return;
    }
    size = eds_json_envelope_encode(body, size, &item->entry, item->payload, item->payload_size);
    if (eds_http_client_send(http->client, body, size, &delivery, &err) == EDS_OK) {
        out->outcome = eds_http_sender_judge(&delivery);
        memcpy(out->text, delivery.answer.error, sizeof out->text);
    } else {
        memcpy(out->text, err.text, sizeof out->text);
    }
    out->retry_after_ms = delivery.retry_after_ms;
    free(body);
}

int32_t eds_http_sender_open(struct eds_sender **out, const char *url, const char *ca_file,
                             struct eds_error *err)
{
    struct eds_http_client_config config = {.url = url, .attempt_max = 1, .ca_file = ca_file};
    struct http_sender *http = calloc(1, sizeof *http);
    int32_t rc;

    if (http == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a sender");
    http->sender.send = send_item;
    rc = eds_http_client_open(&http->client, &config, err);
    if (rc != EDS_OK)
        free(http);
    else
        *out = &http->sender;
    return rc;
}

void eds_http_sender_close(struct eds_sender *sender)
{
    struct http_sender *http = (struct http_sender *)sender;

    if (http == NULL)
        return;
    eds_http_client_close(http->client);
    free(http);
}
