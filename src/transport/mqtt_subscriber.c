/* mqtt_subscriber.c - see mqtt_subscriber.h.  Start, stop, and the thread that
 * connects again and again. */
#include "transport/mqtt_subscriber.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/backoff.h"
#include "base/log.h"
#include "base/wipe.h"
#include "transport/mqtt_guard.h"
#include "transport/mqtt_link.h"

#define MESSAGE_SIZE_MAX  2097152u
#define INFLIGHT_MAX      1024u
#define INFLIGHT_LIMIT    4096u       /* as many as ingest's queue holds */
#define ROUND_SIZE_MAX    (64u << 20) /* bytes of messages */
#define PATIENCE_MS       20000u      /* well below the keepalive: meanwhile nothing is sent */
#define GAP_MS            1000u
#define BACKOFF_FIRST_MS  100u
#define BACKOFF_MOST_MS   10000u
#define STEADY_MS         1000u  /* a connection that lasted so long was a good one */
#define LINES_PER_SECOND  20u    /* of log, for what messages cause */
#define INTERRUPTION      SIGURG /* ends a blocking connect; ignored where it is not expected */
#define INTERRUPT_EACH_NS 20000000

static void interrupted(int number)
{
    (void)number;
}

/* Waits until it is time for another attempt, or to stop. */
static void pause_before_retry(struct eds_mqtt_subscriber *subscriber, unsigned pause_ms)
{
    uint64_t end_ms = mqtt_now_ms() + pause_ms, now_ms;

    while (!atomic_load(&subscriber->stopping) && (now_ms = mqtt_now_ms()) < end_ms) {
        struct pollfd wake = {.fd = subscriber->wake_fd, .events = POLLIN};
        uint64_t count;

        if (poll(&wake, 1, (int)(end_ms - now_ms)) == 1 && read(wake.fd, &count, sizeof count) < 0)
            count = 0; /* whatever it was, the time decides */
    }
}

static void *subscriber_main(void *context)
{
    struct eds_mqtt_subscriber *subscriber = context;
    unsigned most_ms = subscriber->config.retry_ms_max;
    unsigned pause_ms = BACKOFF_FIRST_MS;
    sigset_t interruption;

    sigemptyset(&interruption);
    sigaddset(&interruption, INTERRUPTION);
    pthread_sigmask(SIG_UNBLOCK, &interruption, NULL);
    while (!atomic_load(&subscriber->stopping)) {
        struct mqtt_link *link = &subscriber->link;

        if (mqtt_link_renew(subscriber))
            mqtt_link_run(subscriber);
        if (link->is_subscribed)
            mqtt_set(&subscriber->counters.away_since_ms, mqtt_now_ms());
        if (atomic_load(&subscriber->stopping))
            break;
        if (link->is_subscribed && mqtt_now_ms() - link->subscribed_ms >= STEADY_MS)
            pause_ms = BACKOFF_FIRST_MS;
        pause_ms = eds_backoff_next_ms(BACKOFF_FIRST_MS, most_ms, pause_ms);
        EDS_LOG(EDS_LOG_WARN, link->is_subscribed ? "mqtt_connection_lost" : "mqtt_connect_failed",
                EDS_LOG_STRING("broker", subscriber->config.broker.host),
                EDS_LOG_NUMBER("port", subscriber->config.broker.port),
                EDS_LOG_STRING("reason", link->reason.text[0] != '\0' ? link->reason.text
                                                                      : "the connection ended"),
                EDS_LOG_NUMBER("retry_ms", pause_ms));
        pause_before_retry(subscriber, pause_ms);
    }
    atomic_store(&subscriber->ended, true);
    return NULL;
}

int32_t eds_mqtt_check_topic(const char *text, struct eds_error *err)
{
    struct eds_mqtt_filter filter;

    return eds_mqtt_filter_parse(&filter, text, err);
}

/* Fills in what was left open. */
static int32_t check_config(struct eds_mqtt_subscriber *subscriber, struct eds_error *err)
{
    struct eds_mqtt_config *config = &subscriber->config;
    const char *client_id = config->broker.client_id;
    int32_t rc;

    if (config->message_size_max == 0)
        config->message_size_max = MESSAGE_SIZE_MAX;
    if (config->inflight_max == 0)
        config->inflight_max = INFLIGHT_MAX;
    if (config->retry_ms_max == 0)
        config->retry_ms_max = BACKOFF_MOST_MS;
    if (config->patience_ms == 0)
        config->patience_ms = PATIENCE_MS;
    if (config->inflight_max > INFLIGHT_LIMIT)
        return eds_error_set(err, EDS_ERR_USAGE, "at most %u messages in flight, not %u",
                             INFLIGHT_LIMIT, config->inflight_max);
    if (config->message_size_max > (256u << 20) - 1)
        return eds_error_set(err, EDS_ERR_USAGE, "no MQTT message has %zu bytes",
                             config->message_size_max);
    if (client_id[0] == '\0' || strlen(client_id) > UINT16_MAX ||
        mosquitto_validate_utf8(client_id, (int)strlen(client_id)) != 0)
        return eds_error_set(err, EDS_ERR_USAGE, "the client id is not 1 to 65535 bytes of UTF-8");
    rc = mqtt_broker_check(&config->broker, err);
    return rc == EDS_OK ? eds_mqtt_filter_parse(&subscriber->filter, config->topic, err) : rc;
}

static int32_t make_round(struct eds_mqtt_subscriber *subscriber, struct eds_error *err)
{
    /* Half of what the broker may send at once: while one half is decided, the
     * other can be on its way. */
    struct mqtt_round_config round = {
        .ingest = subscriber->config.ingest,
        .slot_max = (subscriber->config.inflight_max + 1) / 2,
        .size_max = ROUND_SIZE_MAX,
        .patience_ms = subscriber->config.patience_ms,
        .gap_ms = subscriber->filter.is_shared ? GAP_MS : 0,
        .wake_fd = subscriber->wake_fd,
        .stopping = &subscriber->stopping,
    };

    if (mqtt_round_init(&subscriber->round, &round) == EDS_OK)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for messages");
}

static int32_t keep_password(struct eds_mqtt_subscriber *subscriber, struct eds_error *err)
{
    const char **password = &subscriber->config.broker.password;

    if (*password == NULL)
        return EDS_OK;
    *password = subscriber->password = strdup(*password); /* the caller wipes his */
    if (*password == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    return EDS_OK;
}

static int32_t start_thread(struct eds_mqtt_subscriber *subscriber, struct eds_error *err)
{
    struct sigaction action = {.sa_handler = interrupted}; /* no SA_RESTART: that is its use */
    sigset_t all, before;
    int rc;

    sigaction(INTERRUPTION, &action, NULL);
    sigfillset(&all); /* signals are for the program's own threads */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = pthread_create(&subscriber->thread, NULL, subscriber_main, subscriber);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != 0)
        return eds_error_set(err, EDS_ERR_IO, "no thread for the MQTT client: %s", strerror(rc));
    return EDS_OK;
}

static void destroy(struct eds_mqtt_subscriber *subscriber)
{
    mqtt_link_close(subscriber);
    mqtt_questions_free(&subscriber->questions);
    if (subscriber->password != NULL)
        eds_wipe(subscriber->password, strlen(subscriber->password));
    free(subscriber->password);
    mqtt_guard_end();
    mqtt_round_free(&subscriber->round);
    eds_verdict_log_destroy(&subscriber->verdict_log);
    eds_log_throttle_destroy(&subscriber->dropped_log);
    eds_log_throttle_destroy(&subscriber->answer_log);
    if (subscriber->wake_fd >= 0)
        close(subscriber->wake_fd);
    free(subscriber);
    mosquitto_lib_cleanup();
}

int32_t eds_mqtt_subscriber_start(struct eds_mqtt_subscriber **out,
                                  const struct eds_mqtt_config *config, struct eds_error *err)
{
    struct eds_mqtt_subscriber *subscriber = calloc(1, sizeof *subscriber);
    int32_t rc;

    if (subscriber == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for the MQTT client");
    mosquitto_lib_init();
    mqtt_guard_begin();
    subscriber->config = *config;
    mqtt_set(&subscriber->counters.away_since_ms, mqtt_now_ms());
    eds_verdict_log_init(&subscriber->verdict_log, LINES_PER_SECOND);
    eds_log_throttle_init(&subscriber->dropped_log, LINES_PER_SECOND);
    eds_log_throttle_init(&subscriber->answer_log, LINES_PER_SECOND);
    subscriber->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    mqtt_questions_init(&subscriber->questions, config->desk, subscriber->wake_fd);
    rc = subscriber->wake_fd >= 0
             ? check_config(subscriber, err)
             : eds_error_set(err, EDS_ERR_IO, "no eventfd: %s", strerror(errno));
    if (rc == EDS_OK)
        rc = make_round(subscriber, err);
    if (rc == EDS_OK)
        rc = keep_password(subscriber, err);
    if (rc == EDS_OK)
        rc = mqtt_link_open(subscriber, err);
    if (rc == EDS_OK)
        rc = start_thread(subscriber, err);
    if (rc != EDS_OK)
        destroy(subscriber);
    else
        *out = subscriber;
    return rc;
}

void eds_mqtt_subscriber_counts(const struct eds_mqtt_subscriber *subscriber,
                                struct eds_mqtt_counts *out)
{
    mqtt_counters_read(&subscriber->counters, out);
}

void eds_mqtt_subscriber_stop(struct eds_mqtt_subscriber *subscriber,
                              struct eds_mqtt_counts *counts)
{
    struct eds_mqtt_counts done;
    struct timespec moment = {.tv_nsec = INTERRUPT_EACH_NS};
    uint64_t one = 1;

    atomic_store(&subscriber->stopping, true);
    if (write(subscriber->wake_fd, &one, sizeof one) < 0)
        one = 0; /* the counter is full: it wakes as it is */
    /* It may be connecting, or about to, and that takes as long as the system's
     * patience with a host that does not answer. */
    while (!atomic_load(&subscriber->ended)) {
        pthread_kill(subscriber->thread, INTERRUPTION);
        nanosleep(&moment, NULL);
    }
    pthread_join(subscriber->thread, NULL);
    eds_mqtt_subscriber_counts(subscriber, &done);
    if (counts != NULL)
        *counts = done;
    EDS_LOG(EDS_LOG_INFO, "stopped", EDS_LOG_NUMBER("answered", done.answers),
            EDS_LOG_NUMBER("dropped", done.dropped));
    destroy(subscriber);
}
