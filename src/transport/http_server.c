/* http_server.c - see http_server.h.  Start, stop, and what holds the parts of
 * the server together. */
#include "transport/http_server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "transport/http_loop.h"
#include "transport/http_portion.h"

#define LINES_PER_SECOND 20u  /* of log, for what clients cause */
#define ANSWER_MS        500u /* at stop, for the last answers to leave */

static void set_defaults(struct eds_http_config *config)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    if (config->body_size_max == 0)
        config->body_size_max = 2097152;
    if (config->body_memory_max == 0)
        config->body_memory_max = (size_t)256 << 20;
    if (config->thread_count == 0)
        config->thread_count = cores > 0 ? (unsigned)cores : 1;
    if (config->connection_max == 0)
        config->connection_max = 1024;
    if (config->idle_timeout_s == 0)
        config->idle_timeout_s = 30;
    if (config->drain_timeout_s == 0)
        config->drain_timeout_s = 5;
}

static void destroy(struct eds_http_server *server)
{
    http_door_stop(server);
    http_loops_stop(server);
    if (server->wake_fd >= 0) /* their threads wrote to it until now */
        close(server->wake_fd);
    http_answer_destroy(server);
    eds_verdict_log_destroy(&server->verdict_log);
    pthread_mutex_destroy(&server->connections_mutex);
    pthread_rwlock_destroy(&server->policy_lock);
    http_pace_destroy(&server->pace);
    http_linger_destroy(&server->linger);
    http_spares_destroy(&server->texts);
    http_spares_destroy(&server->blocks);
    free(server);
}

int32_t eds_http_server_start(struct eds_http_server **out, const struct eds_http_config *config,
                              struct eds_error *err)
{
    struct eds_http_server *server = calloc(1, sizeof *server);
    char address[EDS_SOCKET_ADDRESS_TEXT_SIZE];
    sigset_t all, before;
    int32_t rc;

    if (server == NULL) {
        if (config->listen_fd > 0)
            close(config->listen_fd);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the HTTP server");
    }
    server->config = *config;
    set_defaults(&server->config);
    server->listen_fd = server->wake_fd = -1;
    pthread_mutex_init(&server->connections_mutex, NULL);
    pthread_rwlock_init(&server->policy_lock, NULL);
    http_spares_init(&server->texts, HTTP_BATCH_ROOM);
    http_spares_init(&server->blocks, http_block_size());
    http_pace_init(&server->pace);
    http_linger_init(&server->linger);
    server->allowed = *config->netpolicy;
    if (config->trusted_proxies != NULL)
        server->proxies = *config->trusted_proxies;
    atomic_store(&server->object_size_max, config->object_size_max);
    eds_verdict_log_init(&server->verdict_log, LINES_PER_SECOND);

    /* Signals are for the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = http_door_bind(server, err);
    if (rc == EDS_OK)
        rc = eds_shares_init(&server->shares, server->config.body_memory_max,
                             server->config.body_size_max, err);
    if (rc == EDS_OK)
        rc = http_wire_check(err);
    if (rc == EDS_OK)
        rc = http_answer_init(server, err);
    if (rc == EDS_OK)
        rc = http_loops_start(server, err);
    if (rc == EDS_OK)
        rc = http_door_start(server, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != EDS_OK) {
        destroy(server);
        return rc;
    }
    eds_socket_address_text(address, &server->address);
    EDS_LOG(EDS_LOG_INFO, "listening", EDS_LOG_STRING("address", address),
            EDS_LOG_STRING("tls", server->config.tls != NULL ? "yes" : "no"),
            EDS_LOG_NUMBER("threads", server->config.thread_count));
    *out = server;
    return EDS_OK;
}

unsigned eds_http_server_port(const struct eds_http_server *server)
{
    return eds_socket_address_port(&server->address);
}

/* Waits until a count is 0, at most so long; dead connections are not waited
 * for. */
static void await_zero(struct eds_http_server *server, const atomic_uint *count, uint64_t most_ms)
{
    uint64_t give_up_ms = http_now_ms() + most_ms;
    struct timespec moment = {.tv_nsec = 2000000};

    while (atomic_load(count) > 0 && http_now_ms() < give_up_ms) {
        http_connection_sweep(server); /* the door has gone */
        nanosleep(&moment, NULL);
    }
}

/* Waits until every request is answered: drain_timeout_s at most for those that
 * are still being sent, and for those that ingest has as long as it takes. */
static void drain(struct eds_http_server *server)
{
    struct timespec moment = {.tv_nsec = 2000000};

    await_zero(server, &server->request_count, (uint64_t)server->config.drain_timeout_s * 1000);
    /* A body that becomes complete from here on is not submitted: submit counts
     * first and looks at this second, we the other way round. */
    atomic_store(&server->ended, true);
    while (atomic_load(&server->submission_count) > 0)
        nanosleep(&moment, NULL);
    await_zero(server, &server->taken_count, ANSWER_MS);
}

void eds_http_server_stop(struct eds_http_server *server)
{
    uint64_t answered;

    http_door_stop(server);
    atomic_store(&server->stopping, true);
    http_pace_end(&server->pace);
    drain(server);
    http_loops_stop(server);
    answered = atomic_load(&server->answered_count);
    destroy(server);
    EDS_LOG(EDS_LOG_INFO, "stopped", EDS_LOG_NUMBER("answered", answered));
}
