/* http_load.c - see http_load.h. */
#include "http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/features.h"
#include "bench.h"
#include "codec/batch_reader.h"
#include "edgesentry/json.h"

#if EDS_TRANSPORT_TLS
#include <gnutls/gnutls.h>
#endif

#define ANSWER_SIZE 65536 /* holds that to a batch of 1000 */
#define SILENCE_MS  10000

struct connection {
    int fd;
#if EDS_TRANSPORT_TLS
    gnutls_session_t tls; /* NULL: plain */
#endif
    const struct http_requests *requests;
    size_t next;      /* request to be sent, or being answered */
    size_t sent;      /* bytes of it */
    uint64_t sent_ns; /* when it was begun */
    char answer[ANSWER_SIZE];
    size_t answer_size;
    struct connection *after; /* among those that wait for their turn */
};

/* The pace, and who waits to go on at it. */
#define MAX_LAG_NS 100000000u /* of what was missed no more is made up for */
static uint64_t pace_ns, due_ns;
static struct connection *first_idle, *last_idle;

static bool speaks_tls;

void http_load_tls(bool speak_tls)
{
    speaks_tls = speak_tls;
}

#if EDS_TRANSPORT_TLS
static int shake_hands(struct connection *it)
{
    static gnutls_certificate_credentials_t credentials;
    int rc = GNUTLS_E_AGAIN;

    if (credentials == NULL)
        gnutls_certificate_allocate_credentials(&credentials);
    gnutls_init(&it->tls, GNUTLS_CLIENT);
    gnutls_set_default_priority(it->tls);
    gnutls_credentials_set(it->tls, GNUTLS_CRD_CERTIFICATE, credentials);
    gnutls_transport_set_int(it->tls, it->fd);
    while (rc != 0 && gnutls_error_is_fatal(rc) == 0)
        rc = gnutls_handshake(it->tls);
    if (rc != 0)
        fprintf(stderr, "TLS handshake: %s\n", gnutls_strerror(rc));
    return rc == 0 ? 0 : -1;
}
#endif

static ssize_t send_some(struct connection *it, const char *bytes, size_t size)
{
#if EDS_TRANSPORT_TLS
    if (it->tls != NULL)
        return gnutls_record_send(it->tls, bytes, size);
#endif
    return send(it->fd, bytes, size, MSG_NOSIGNAL);
}

static ssize_t receive_some(struct connection *it, char *bytes, size_t size)
{
#if EDS_TRANSPORT_TLS
    if (it->tls != NULL) {
        ssize_t got;

        do /* a session ticket is no data */
            got = gnutls_record_recv(it->tls, bytes, size);
        while (got == GNUTLS_E_AGAIN || got == GNUTLS_E_INTERRUPTED);
        return got;
    }
#endif
    return recv(it->fd, bytes, size, 0);
}

static void close_connection(struct connection *it)
{
#if EDS_TRANSPORT_TLS
    if (it->tls != NULL)
        gnutls_deinit(it->tls);
#endif
    if (it->fd > 0)
        close(it->fd);
}

static int open_connection(struct connection *it, unsigned port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    it->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (it->fd < 0 || connect(it->fd, (struct sockaddr *)&address, sizeof address) != 0) {
        perror("connect");
        return -1;
    }
    setsockopt(it->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
#if EDS_TRANSPORT_TLS
    if (speaks_tls)
        return shake_hands(it);
#endif
    return 0;
}

/* A request is a kilobyte: it goes into an empty socket buffer in one write. */
static int send_next(struct connection *it)
{
    size_t start = it->next == 0 ? 0 : it->requests->ends[it->next - 1];
    size_t size = it->requests->ends[it->next] - start;

    it->sent_ns = bench_now_ns();
    while (it->sent < size) {
        ssize_t got = send_some(it, it->requests->text + start + it->sent, size - it->sent);

        if (got < 0) {
            perror("send");
            return -1;
        }
        it->sent += (size_t)got;
    }
    it->sent = 0;
    return 0;
}

/* Returns the status of a complete answer, 0 if there is more to come. */
static unsigned complete_status(const struct connection *it)
{
    const char *body = memmem(it->answer, it->answer_size, "\r\n\r\n", 4);
    const char *length;

    if (body == NULL)
        return 0;
    length = strcasestr(it->answer, "content-length:");
    if (length == NULL || length > body)
        return 599;
    if ((size_t)(it->answer + it->answer_size - body - 4) < strtoul(length + 15, NULL, 10))
        return 0;
    return (unsigned)strtoul(it->answer + 9, NULL, 10);
}

/* Takes what came; 1 if this connection has finished, 0 if not, -1 broken. */
static int take_answer(struct connection *it, struct http_load_result *result, unsigned wanted)
{
    ssize_t got = receive_some(it, it->answer + it->answer_size, ANSWER_SIZE - 1 - it->answer_size);
    unsigned status;

    if (got <= 0) {
        fprintf(stderr, "connection lost at request %zu: %s\n", it->next,
                got == 0 ? "closed by the server" : strerror(errno));
        return -1;
    }
    it->answer_size += (size_t)got;
    it->answer[it->answer_size] = '\0';
    status = complete_status(it);
    if (status == 0)
        return 0;
    if (status != wanted && result->refused == 0)
        fprintf(stderr, "unexpected answer: %.300s\n", it->answer);
    result->latency_ns[result->answered + result->refused] = bench_now_ns() - it->sent_ns;
    if (status == wanted)
        result->answered++;
    else
        result->refused++;
    it->answer_size = 0;
    if (++it->next == it->requests->count)
        return 1;
    if (pace_ns == 0)
        return send_next(it);
    it->after = NULL; /* its turn comes */
    if (first_idle == NULL)
        first_idle = it;
    else
        last_idle->after = it;
    last_idle = it;
    return 0;
}

/* Sends for those whose turn has come; returns the ms until the next one's. */
static int send_due(void)
{
    uint64_t now = bench_now_ns();

    while (first_idle != NULL && due_ns <= now) {
        struct connection *it = first_idle;

        first_idle = it->after;
        due_ns = due_ns + pace_ns < now - MAX_LAG_NS ? now : due_ns + pace_ns;
        if (send_next(it) != 0)
            return -1;
    }
    return first_idle != NULL ? (int)((due_ns - now) / 1000000u) + 1 : SILENCE_MS;
}

void http_load_pace(double per_second)
{
    pace_ns = per_second > 0 ? (uint64_t)(1e9 / per_second) : 0;
    due_ns = bench_now_ns();
}

static int compare_u64(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

static int pump(struct http_load_result *result, int poller, unsigned wanted, size_t open_count)
{
    struct epoll_event events[64];

    while (open_count > 0) {
        int wait_ms = send_due(), ready;

        if (wait_ms < 0)
            return -1;
        ready = epoll_wait(poller, events, 64, wait_ms);
        if (ready == 0 && wait_ms >= SILENCE_MS) {
            fprintf(stderr, "no answer for %d ms\n", SILENCE_MS);
            return -1;
        }
        for (int i = 0; i < ready; i++) {
            int outcome = take_answer(events[i].data.ptr, result, wanted);

            if (outcome < 0)
                return -1;
            open_count -= (size_t)outcome;
        }
    }
    return 0;
}

int http_load_run(struct http_load_result *result, unsigned port, unsigned wanted_status,
                  const struct http_requests *connections, size_t connection_count)
{
    struct connection *all = calloc(connection_count, sizeof *all);
    int poller = epoll_create1(EPOLL_CLOEXEC), rc = -1;
    size_t total = 0;
    uint64_t start;

    memset(result, 0, sizeof *result);
    for (size_t i = 0; i < connection_count; i++)
        total += connections[i].count;
    result->latency_ns = calloc(total, sizeof *result->latency_ns);
    if (all == NULL || result->latency_ns == NULL || poller < 0)
        goto out;
    for (size_t i = 0; i < connection_count; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = &all[i]};

        all[i].requests = &connections[i];
        if (open_connection(&all[i], port) != 0 ||
            epoll_ctl(poller, EPOLL_CTL_ADD, all[i].fd, &event) != 0)
            goto out;
    }
    start = bench_now_ns();
    for (size_t i = 0; i < connection_count; i++)
        if (send_next(&all[i]) != 0)
            goto out;
    rc = pump(result, poller, wanted_status, connection_count);
    result->elapsed_ns = bench_now_ns() - start;
    qsort(result->latency_ns, result->answered + result->refused, sizeof *result->latency_ns,
          compare_u64);
out:
    for (size_t i = 0; all != NULL && i < connection_count; i++)
        close_connection(&all[i]);
    close(poller);
    free(all);
    return rc;
}

static const char payload[] = "scenario=lift-inspection,device=bench,check=vibration,status=ok,"
                              "peak_mm_s=3.2,rms_mm_s=1.1";

/* A device's records, one after the other. */
struct chain {
    const char *device_id;
    const uint8_t *seed;
    uint64_t sequence;
    uint8_t previous[EDS_HASH_SIZE];
};

static struct eds_entry next_entry(struct chain *chain)
{
    struct eds_entry entry = {.attestation.present = false};
    char reference[128];

    chain->sequence++;
    snprintf(reference, sizeof reference, "s3://bucket/%s/%llu.bin", chain->device_id,
             (unsigned long long)chain->sequence);
    if (eds_record_sign(&entry.record, chain->device_id, chain->sequence,
                        1700000000000u + chain->sequence, payload, sizeof payload - 1,
                        chain->previous, reference, chain->seed, NULL) != EDS_OK ||
        eds_record_digest(chain->previous, &entry.record) != EDS_OK)
        abort();
    return entry;
}

/* Writes a record as it goes into a body; out has room for any. */
static size_t write_record(char *out, size_t room, const struct eds_entry *entry, bool compact)
{
    size_t size;

    if (!compact)
        return eds_json_envelope_encode(out, room, entry, payload, sizeof payload - 1);
    if (eds_batch_write_bytes((uint8_t *)out, &size, entry, payload, sizeof payload - 1) != EDS_OK)
        abort();
    return size;
}

static void make(struct http_requests *out, struct chain *chain, size_t count, size_t batch_size,
                 const char *path, const char *type, bool compact)
{
    const size_t record_room = eds_json_envelope_size(sizeof payload) + 1;
    const bool is_batch = batch_size > 1;
    char *body = malloc(batch_size * record_room);
    size_t used = 0, room = 0;

    *out = (struct http_requests){.count = count, .ends = malloc(count * sizeof *out->ends)};
    if (body == NULL || out->ends == NULL)
        abort();
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;

        for (size_t k = 0; k < batch_size; k++) {
            struct eds_entry entry = next_entry(chain);

            size += write_record(body + size, record_room, &entry, compact);
            if (is_batch && !compact)
                body[size++] = '\n';
        }
        if (room - used < size + 256) {
            room = 2 * room + size + 256;
            out->text = realloc(out->text, room);
            if (out->text == NULL)
                abort();
        }
        used += (size_t)sprintf(out->text + used,
                                "POST %s HTTP/1.1\r\nHost: localhost\r\n"
                                "Content-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                                path, type, size);
        memcpy(out->text + used, body, size);
        used += size;
        out->ends[i] = used;
    }
    free(body);
}

void http_requests_make(struct http_requests *out, const char *device_id, const uint8_t seed[32],
                        size_t count)
{
    struct chain chain = {.device_id = device_id, .seed = seed};

    make(out, &chain, count, 1, "/api/v1/ingest", "application/json", false);
}

void http_batches_make(struct http_requests *out, const char *device_id, const uint8_t seed[32],
                       size_t batch_count, size_t batch_size, bool compact)
{
    struct chain chain = {.device_id = device_id, .seed = seed};

    make(out, &chain, batch_count, batch_size, "/api/v1/ingest/batch",
         compact ? "application/octet-stream" : "application/x-ndjson", compact);
}

void http_requests_free(struct http_requests *requests)
{
    free(requests->text);
    free(requests->ends);
}
