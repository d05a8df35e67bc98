/* gateway_upstream.c - see gateway_upstream.h. */
#include "cli/gateway_upstream.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/backoff.h"
#include "base/log.h"
#include "cli/buffer_arg.h"
#include "cli/say.h"
#include "cli/sender.h"

#define LINES_PER_SECOND 20u /* of refused records, and of devices that have to wait */
#define NS_PER_MS        1000000u

int32_t eds_upstream_check_senders(const char *text, struct eds_error *err)
{
    int32_t rc = eds_check_u64(text, err);

    if (rc == EDS_OK && strtoull(text, NULL, 10) - 1 >= EDS_UPSTREAM_SENDERS_MAX)
        rc = eds_error_set(err, EDS_ERR_USAGE, "1 to %u are possible", EDS_UPSTREAM_SENDERS_MAX);
    return rc;
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / NS_PER_MS;
}

/* A record that the server will never take is worth an error each, as long as there
 * are not too many; a device that it takes nothing of now, a warning. */
static void replied(void *context, const struct eds_buffer_item *item,
                    const struct eds_reply *reply)
{
    struct eds_upstream *upstream = context;
    bool is_refused =
        reply->outcome == EDS_OUTCOME_CONFLICT || reply->outcome == EDS_OUTCOME_REJECTED;
    bool is_held = reply->outcome == EDS_OUTCOME_HELD;
    uint64_t suppressed = 0;

    if (!is_refused && !is_held && !eds_log_wants(EDS_LOG_DEBUG))
        return;
    if ((is_refused || is_held) &&
        !eds_log_throttle_pass(is_refused ? &upstream->refused : &upstream->held, now_ms(),
                               &suppressed))
        return;
    if (reply->outcome == EDS_OUTCOME_AWAY || reply->outcome == EDS_OUTCOME_LATER)
        return; /* the forwarder says so, once */
    EDS_LOG(is_refused ? EDS_LOG_ERROR
            : is_held  ? EDS_LOG_WARN
                       : EDS_LOG_DEBUG,
            is_refused ? "record_refused"
            : is_held  ? "device_held"
                       : "record_forwarded",
            EDS_LOG_STRING("device_id", (const char *)item->entry.record.device_id),
            EDS_LOG_NUMBER("sequence", item->entry.record.sequence),
            EDS_LOG_IF("reason", is_refused || is_held ? reply->text : NULL),
            EDS_LOG_NUMBER("suppressed", suppressed));
}

static int32_t read_route(struct eds_route *route, const struct eds_args *args,
                          struct eds_error *err)
{
    const char *gateway = eds_args_text(args, "gateway-id");
    int32_t rc = EDS_OK;

    eds_route_take(route, gateway, NULL);
    for (size_t i = 0; i < eds_args_count(args, "tag") && rc == EDS_OK; i++)
        rc = eds_route_add_tags(route, eds_args_at(args, "tag", i), err);
    return rc;
}

/* What a broker knows each sender by: no two clients may have the same name there. */
static void name_clients(struct eds_upstream *upstream, size_t count)
{
    uint32_t random = eds_random_between(0, INT32_MAX);

    for (size_t i = 0; i < count; i++)
        if (upstream->route.gateway[0] != '\0')
            snprintf(upstream->clients[i], sizeof upstream->clients[i], "%s-%zu",
                     upstream->route.gateway, i + 1);
        else
            snprintf(upstream->clients[i], sizeof upstream->clients[i],
                     "eds-gateway-%08" PRIx32 "-%zu", random, i + 1);
}

static int32_t open_senders(struct eds_upstream *upstream, const struct eds_args *args,
                            struct eds_error *err)
{
    size_t wanted = (size_t)strtoull(eds_args_text(args, "senders"), NULL, 10);
    struct eds_sender_config config = {.url = eds_args_text(args, "url"),
                                       .ca_file = eds_args_text(args, "ca-file"),
                                       .cert_file = eds_args_text(args, "client-cert"),
                                       .key_file = eds_args_text(args, "client-key"),
                                       .route = &upstream->route,
                                       .user = eds_args_text(args, "user"),
                                       .password_file = eds_args_text(args, "password-file")};
    int32_t rc = EDS_OK;

    if (config.key_file != NULL)
        eds_warn_if_readable(config.key_file);
    name_clients(upstream, wanted);
    while (rc == EDS_OK && upstream->sender_count < wanted) {
        config.client_id = upstream->clients[upstream->sender_count];
        rc = eds_sender_open(&upstream->senders[upstream->sender_count], &config, err);
        upstream->sender_count += rc == EDS_OK;
    }
    return rc;
}

int32_t eds_upstream_open(struct eds_upstream *upstream, const struct eds_args *args,
                          struct eds_error *err)
{
    int32_t rc = read_route(&upstream->route, args, err);

    return rc == EDS_OK ? open_senders(upstream, args, err) : rc;
}

int32_t eds_upstream_start(struct eds_upstream *upstream, struct eds_buffer *buffer,
                           const struct eds_args *args, struct eds_error *err)
{
    struct eds_forwarder_config config = {.buffer = buffer,
                                          .senders = upstream->senders,
                                          .sender_count = upstream->sender_count,
                                          .replied = replied,
                                          .context = upstream};
    int32_t rc = EDS_OK;

    upstream->buffer = buffer;
    eds_log_throttle_init(&upstream->refused, LINES_PER_SECOND);
    eds_log_throttle_init(&upstream->held, LINES_PER_SECOND);
    upstream->has_throttles = true;
    if (eds_args_flag(args, "retry-dead"))
        rc = eds_buffer_arg_revive(buffer, err);
    return rc == EDS_OK ? eds_forwarder_start(&upstream->forwarder, &config, err) : rc;
}

static void write_buffer(const struct eds_upstream *upstream, struct eds_metrics *page)
{
    static const char oldest[] = "edgesentry_buffer_oldest_timestamp_seconds";
    struct eds_buffer_counts counts;

    eds_buffer_counts(upstream->buffer, &counts);
    eds_metrics_gauge(page, "edgesentry_buffer_records", "Records that wait to be sent on.",
                      counts.waiting);
    eds_metrics_gauge(page, "edgesentry_buffer_dead_letters",
                      "Records that the server refused, kept with the reason.", counts.dead);
    eds_metrics_gauge(page, "edgesentry_buffer_bytes", "Bytes of both.", counts.size);
    eds_metrics_gauge(page, "edgesentry_buffer_devices", "Devices whose records came here.",
                      counts.device_count);
    eds_metrics_family(page, oldest, "gauge",
                       "Unix time of the record that waits longest; 0 if none waits.");
    eds_metrics_seconds(page, oldest, counts.oldest_ms * NS_PER_MS);
}

void eds_upstream_metrics(const struct eds_upstream *upstream, struct eds_metrics *page)
{
    static const char forwarded[] = "edgesentry_forwarded_total";
    struct eds_forwarder_counts counts;

    eds_forwarder_counts(upstream->forwarder, &counts);
    write_buffer(upstream, page);
    eds_metrics_family(page, forwarded, "counter", "Answers of the server, by what they mean.");
    eds_metrics_value(page, forwarded, "outcome", "accepted", counts.accepted);
    eds_metrics_value(page, forwarded, "outcome", "duplicate", counts.duplicates);
    eds_metrics_value(page, forwarded, "outcome", "refused", counts.buried);
    eds_metrics_value(page, forwarded, "outcome", "held", counts.held);
    eds_metrics_value(page, forwarded, "outcome", "away", counts.away);
    eds_metrics_gauge(page, "edgesentry_upstream_away",
                      "1 while the server cannot be reached or takes nothing.",
                      counts.server_away ? 1 : 0);
}

void eds_upstream_stop(struct eds_upstream *upstream)
{
    if (upstream->forwarder != NULL)
        eds_forwarder_counts(upstream->forwarder, &upstream->counts);
    eds_forwarder_stop(upstream->forwarder);
    upstream->forwarder = NULL;
    for (size_t i = 0; i < upstream->sender_count; i++)
        eds_sender_close(upstream->senders[i]);
    upstream->sender_count = 0;
    if (upstream->has_throttles) {
        eds_log_throttle_destroy(&upstream->refused);
        eds_log_throttle_destroy(&upstream->held);
    }
    upstream->has_throttles = false;
}
