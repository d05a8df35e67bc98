/* http_sender.c - a buffer's way to an ingest server over HTTP: one attempt a call, as
 * pauses are the forwarder's.  Records that wait together go together, to
 * .../ingest/batch, where the server can that; else one by one, and it is asked again
 * after ten minutes.  A batch that a link breaks under is half as large the next time,
 * down to one: a link that never holds for long must get something through.  What gets
 * through lets it grow again. */

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/varint.h"
#include "cli/http_sender.h"
#include "cli/sender_impl.h"
#include "codec/batch_reader.h"
#include "transport/http_client.h"

#define ASK_AGAIN_MS (10u * 60u * 1000u) /* whether the server takes many at once by now */

#define BATCH 500u

struct http_sender {
    struct eds_own_sender own; /* first */
    struct eds_http_client *client;
    size_t batch_max;
    uint64_t ask_again_ms; /* monotonic; when batch_max holds again; 0: it does */
    uint8_t *body;         /* a batch */
    size_t body_room;      /* bytes */
};

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

enum eds_outcome eds_http_sender_judge(const struct eds_delivery *delivery)
{
    if (delivery->answer.accepted)
        return EDS_OUTCOME_ACCEPTED;
    if (delivery->status == 413 || (delivery->status == 400 && delivery->is_explained))
        return EDS_OUTCOME_REJECTED; /* it will not do at any time */
    if (delivery->status == 422 && delivery->is_explained)
        return eds_sender_judge(delivery->answer.error);
    return EDS_OUTCOME_HELD; /* not allowed, not this path, not this type, or not the server's own
                                words: not the record's fault */
}

/* Tries the whole batch again after a while. */
static void recover(struct http_sender *http)
{
    if (http->ask_again_ms == 0 || now_ms() < http->ask_again_ms)
        return;
    http->ask_again_ms = 0;
    http->own.sender.batch_max = http->batch_max;
}

static void grow(struct http_sender *http)
{
    size_t doubled = 2 * http->own.sender.batch_max;

    if (http->ask_again_ms == 0)
        http->own.sender.batch_max = doubled < http->batch_max ? doubled : http->batch_max;
}

static void send_item(struct eds_sender *sender, const struct eds_buffer_item *item,
                      struct eds_reply *out)
{
    struct http_sender *http = (struct http_sender *)sender;
    size_t size = eds_json_envelope_size(item->payload_size);
    struct eds_delivery delivery = {.status = 0};
    struct eds_error err;
    char *body = malloc(size);

    memset(out, 0, sizeof *out);
    out->outcome = EDS_OUTCOME_AWAY;
    recover(http);
    if (body == NULL) {
        strcpy(out->text, "out of memory for a request");
        return;
    }
    size = eds_json_envelope_encode(body, size, &item->entry, item->payload, item->payload_size);
    if (eds_http_client_send(http->client, body, size, &delivery, &err) == EDS_OK) {
        out->outcome = eds_http_sender_judge(&delivery);
        memcpy(out->text, delivery.answer.error, sizeof out->text);
        grow(http);
    } else {
        memcpy(out->text, err.text, sizeof out->text);
    }
    out->retry_after_ms = delivery.retry_after_ms;
    free(body);
}

/* Puts the items into the body; its size, or 0 without memory. */
static size_t fill_body(struct http_sender *http, const struct eds_buffer_item *const *items,
                        size_t count)
{
    size_t needed = 0;
    uint8_t *at;

    for (size_t i = 0; i < count; i++)
        needed += EDS_BATCH_AROUND_MAX + items[i]->payload_size;
    if (needed > http->body_room) {
        free(http->body);
        http->body = malloc(needed);
        http->body_room = http->body != NULL ? needed : 0;
    }
    if (http->body == NULL)
        return 0;
    at = http->body;
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        int32_t rc = eds_compact_encode(at, &size, &items[i]->entry);

        assert(rc == EDS_OK); /* it came out of a buffer */
        (void)rc;
        at = eds_varint_put(at + size, items[i]->payload_size);
        memcpy(at, items[i]->payload, items[i]->payload_size);
        at += items[i]->payload_size;
    }
    return (size_t)(at - http->body);
}

/* The replies of a batch as they are read. */
struct results {
    struct eds_reply *replies;
    size_t count, read;
};

static void take_result(void *context, size_t index, const struct eds_result *result)
{
    struct results *results = context;
    struct eds_reply *reply;

    if (index >= results->count)
        return;
    results->read = index + 1;
    reply = &results->replies[index];
    *reply = (struct eds_reply){.outcome = EDS_OUTCOME_ACCEPTED};
    if (result->answer.accepted)
        return;
    reply->outcome = result->retry ? EDS_OUTCOME_LATER : eds_sender_judge(result->answer.error);
    memcpy(reply->text, result->answer.error, sizeof reply->text);
}

/* The same for all: nothing came of any, or the server takes nothing from here. */
static size_t reply_to_all(struct eds_reply *replies, size_t count, enum eds_outcome outcome,
                           const struct eds_delivery *delivery, const char *text)
{
    for (size_t i = 0; i < count; i++) {
        replies[i].outcome = outcome;
        replies[i].retry_after_ms = delivery->retry_after_ms;
        memcpy(replies[i].text, text, sizeof replies[i].text);
    }
    return count;
}

/* What stands between cannot do with many, or with so much at once: fewer from now on,
 * one for the present. */
static size_t send_fewer(struct http_sender *http, const struct eds_buffer_item *const *items,
                         size_t fewer, struct eds_reply *out)
{
    http->ask_again_ms = now_ms() + ASK_AGAIN_MS;
    http->own.sender.batch_max = fewer;
    send_item(&http->own.sender, items[0], out);
    return 1;
}

static size_t send_many(struct eds_sender *sender, const struct eds_buffer_item *const *items,
                        size_t count, struct eds_reply *out)
{
    struct http_sender *http = (struct http_sender *)sender;
    struct results results = {.replies = out, .count = count};
    size_t size = fill_body(http, items, count);
    struct eds_delivery delivery;
    struct eds_error err;
    int32_t rc;

    recover(http);
    if (size == 0)
        return send_fewer(http, items, 1, out);
    rc = eds_http_client_send_many(http->client, http->body, size, &delivery, &err);
    if (rc == EDS_ERR_UNSUPPORTED)
        return send_fewer(http, items, 1, out);
    if (rc != EDS_OK) {
        if (delivery.is_broken)
            http->own.sender.batch_max = count / 2;
        return reply_to_all(out, count, EDS_OUTCOME_AWAY, &delivery, err.text);
    }
    grow(http);
    switch (delivery.status) {
    case 202:
    case 207:
        eds_http_client_results(http->client, take_result, &results);
        return results.read;
    case 400:
    case 413:
    case 422: /* not a server's word on records, of which each has a result */
        return send_fewer(http, items, count / 2, out);
    case 404:
    case 405:
    case 415:
        return send_fewer(http, items, 1, out);
    default:
        return reply_to_all(out, count, EDS_OUTCOME_HELD, &delivery, delivery.answer.error);
    }
}

static void close_sender(struct eds_sender *sender)
{
    struct http_sender *http = (struct http_sender *)sender;

    eds_http_client_close(http->client);
    free(http->body);
    free(http);
}

/* A route as fields of a request's head. */
struct route_fields {
    char gateway[sizeof EDS_ROUTE_GATEWAY_FIELD + 2 + EDS_ROUTE_GATEWAY_SIZE];
    char tags[sizeof EDS_ROUTE_TAGS_FIELD + 2 + EDS_ROUTE_TAGS_SIZE];
    const char *lines[3]; /* up to a NULL */
};

static void make_fields(struct route_fields *fields, const struct eds_route *route)
{
    size_t count = 0;

    if (route != NULL && route->gateway[0] != '\0') {
        snprintf(fields->gateway, sizeof fields->gateway, EDS_ROUTE_GATEWAY_FIELD ": %s",
                 route->gateway);
        fields->lines[count++] = fields->gateway;
    }
    if (route != NULL && route->tags[0] != '\0') {
        snprintf(fields->tags, sizeof fields->tags, EDS_ROUTE_TAGS_FIELD ": %s", route->tags);
        fields->lines[count++] = fields->tags;
    }
    fields->lines[count] = NULL;
}

int32_t eds_http_sender_open(struct eds_sender **out, const struct eds_sender_config *config,
                             struct eds_error *err)
{
    size_t batch_max = config->batch_max > 0 ? config->batch_max : BATCH;
    struct route_fields fields;
    struct eds_http_client_config client = {.url = config->url,
                                            .attempt_max = 1,
                                            .ca_file = config->ca_file,
                                            .cert_file = config->cert_file,
                                            .key_file = config->key_file,
                                            .fields = fields.lines,
                                            .many_max = batch_max};
    struct http_sender *http = calloc(1, sizeof *http);
    int32_t rc;

    make_fields(&fields, config->route);
    if (http == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for a sender");
    http->own.sender =
        (struct eds_sender){.send = send_item, .send_many = send_many, .batch_max = batch_max};
    http->own.close = close_sender;
    http->batch_max = batch_max;
    rc = eds_http_client_open(&http->client, &client, err);
    if (rc != EDS_OK)
        close_sender(&http->own.sender);
    else
        *out = &http->own.sender;
    return rc;
}
