/* bench_mqtt.c - durable records a second through a broker, all on the same cores.
 *
 * The server is the real command, SQLite with synchronous=FULL behind it; the
 * broker is mosquitto.  In the same run a bare libmosquitto subscriber answers the
 * same messages on the same broker and keeps nothing.  The client has so many
 * records on their way at once, publishes another with each answer, and takes the
 * time from publication to answer: answers come in the order of the messages. */
#include <arpa/inet.h>
#include <errno.h>
#include <mosquitto.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "edgesentry/json.h"

#define TOPIC        "bench/ingest"
#define DEVICE_COUNT 64u
#define BUFFER_SIZE  (1u << 20)
#define PATIENCE_MS  60000u

static char folder[BENCH_PATH_SIZE], broker_log[BENCH_PATH_SIZE + 16];
static unsigned broker_port;

static void die(const char *what)
{
    perror(what);
    exit(1);
}

/* Messages, each a complete PUBLISH packet with QoS 1. */
struct messages {
    char *bytes;
    size_t *ends;
    size_t count;
};

struct outcome {
    double rate; /* answers a second */
    double p50_us, p99_us;
    double cpu_us; /* of the subscriber, a message */
};

static void seed_of(uint8_t seed[32], size_t device)
{
    memset(seed, 0, 32);
    memcpy(seed, &device, sizeof device);
    seed[31] = 9;
}

static size_t put_packet(char *out, unsigned id, const char *body, size_t body_size)
{
    size_t topic_size = strlen(TOPIC), length = 2 + topic_size + 2 + body_size, used = 0;

    out[used++] = 0x32;
    for (size_t left = length; used < 2 || left > 0; left >>= 7)
        out[used++] = (char)((left & 127) | (left > 127 ? 128 : 0));
    out[used++] = 0;
    out[used++] = (char)topic_size;
    memcpy(out + used, TOPIC, topic_size);
    used += topic_size;
    out[used++] = (char)(id >> 8);
    out[used++] = (char)id;
    memcpy(out + used, body, body_size);
    return used + body_size;
}

/* Signs count records of all devices in turn, from the given sequence on. */
static void make_messages(struct messages *out, size_t count)
{
    static uint8_t hashes[DEVICE_COUNT][EDS_HASH_SIZE];
    size_t used = 0;

    *out = (struct messages){
        .bytes = malloc(count * 2048), .ends = calloc(count, sizeof *out->ends), .count = count};
    if (out->bytes == NULL || out->ends == NULL)
        die("malloc");
    for (size_t i = 0; i < count; i++) {
        size_t device = i % DEVICE_COUNT, sequence = i / DEVICE_COUNT + 1;
        struct eds_entry entry = {.attestation = {.present = false}};
        char device_id[32], object_ref[64], body[2048];
        uint8_t seed[32], payload[93];

        seed_of(seed, device);
        memset(payload, (int)(i & 0xff), sizeof payload);
        snprintf(device_id, sizeof device_id, "bench-%zu", device);
        snprintf(object_ref, sizeof object_ref, "bench://%zu/%zu", device, sequence);
        if (eds_record_sign(&entry.record, device_id, sequence, 1700000000000 + i, payload,
                            sizeof payload, sequence > 1 ? hashes[device] : NULL, object_ref, seed,
                            NULL) != EDS_OK ||
            eds_record_digest(hashes[device], &entry.record) != EDS_OK)
            die("sign");
        used += put_packet(
            out->bytes + used, (unsigned)(i % 65535 + 1), body,
            eds_json_envelope_encode(body, sizeof body, &entry, payload, sizeof payload));
        out->ends[i] = used;
    }
}

static int connect_to_broker(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)broker_port),
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;

    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static void send_all(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;

    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);

        if (sent < 0)
            die("send");
        at += sent;
        size -= (size_t)sent;
    }
}

/* Counts the publications in a piece of the stream; state is kept in between. */
struct scanner {
    unsigned state, shift;
    size_t left;
    unsigned type;
};

static size_t scan(struct scanner *s, const unsigned char *bytes, size_t size)
{
    size_t found = 0;

    for (size_t i = 0; i < size;) {
        if (s->state == 0) {
            s->type = bytes[i++] >> 4;
            s->left = s->shift = 0;
            s->state = 1;
        } else if (s->state == 1) {
            s->left |= (size_t)(bytes[i] & 127) << s->shift;
            s->shift += 7;
            s->state = bytes[i++] > 127 ? 1 : 2;
        } else {
            size_t step = s->left < size - i ? s->left : size - i;

            s->left -= step;
            i += step;
        }
        if (s->state == 2 && s->left == 0) {
            found += s->type == 3;
            s->state = 0;
        }
    }
    return found;
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Publishes all messages, window at once, and waits for all answers. */
static struct outcome publish_all(const struct messages *messages, size_t window)
{
    static const char hello[] = "\x10\x11\0\4MQTT\4\2\0\x3c\0\5bench"
                                "\x82\x1a\0\1\0\x15" TOPIC "/response\0";
    static unsigned char buffer[BUFFER_SIZE];
    uint64_t *times = calloc(messages->count, sizeof *times), start;
    size_t sent = 0, answered = 0;
    struct scanner scanner = {.state = 0};
    struct outcome out;
    int fd = connect_to_broker();

    if (fd < 0 || times == NULL)
        die("client");
    send_all(fd, hello, sizeof hello - 1);
    usleep(100000); /* the subscription is there */
    start = bench_now_ns();
    while (answered < messages->count) {
        size_t begin = sent > 0 ? messages->ends[sent - 1] : 0, until = answered + window;
        struct pollfd readable = {.fd = fd, .events = POLLIN};
        ssize_t size;

        for (; sent < messages->count && sent < until; sent++)
            times[sent] = bench_now_ns();
        if (sent > 0 && messages->ends[sent - 1] > begin)
            send_all(fd, messages->bytes + begin, messages->ends[sent - 1] - begin);
        if (poll(&readable, 1, (int)PATIENCE_MS) != 1) {
            fprintf(stderr, "only %zu of %zu answers came\n", answered, messages->count);
            exit(1);
        }
        size = recv(fd, buffer, sizeof buffer, 0);
        if (size <= 0)
            die("recv");
        for (size_t found = scan(&scanner, buffer, (size_t)size); found > 0; found--, answered++)
            times[answered] = bench_now_ns() - times[answered];
    }
    out.rate = (double)answered * 1e9 / (double)(bench_now_ns() - start);
    close(fd);
    qsort(times, answered, sizeof *times, compare);
    out.p50_us = (double)bench_percentile(times, answered, 0.5) / 1e3;
    out.p99_us = (double)bench_percentile(times, answered, 0.99) / 1e3;
    free(times);
    return out;
}

static void start_child(pid_t *pid)
{
    *pid = fork();
    if (*pid < 0)
        die("fork");
    if (*pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void stop_child(pid_t pid)
{
    kill(pid, SIGTERM);
    if (waitpid(pid, NULL, 0) < 0)
        die("waitpid");
}

/* A port that was free just now, for a broker that cannot tell which one it took. */
static unsigned free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&address, size) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0)
        die("bind");
    close(fd);
    return ntohs(address.sin_port);
}

/* How many subscribers of the topic the broker has told of. */
static unsigned subscriber_count(void)
{
    char line[1024];
    unsigned count = 0;
    FILE *file = fopen(broker_log, "r");

    if (file == NULL)
        die(broker_log);
    while (fgets(line, sizeof line, file) != NULL)
        count += strstr(line, " " TOPIC "\n") != NULL;
    fclose(file);
    return count;
}

static bool start_broker(pid_t *pid)
{
    static const char *const places[] = {"/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto"};
    char path[BENCH_PATH_SIZE + 16];
    const char *program = NULL;
    FILE *file;
    int fd = -1;

    for (size_t i = 0; i < 2 && program == NULL; i++)
        if (access(places[i], X_OK) == 0)
            program = places[i];
    if (program == NULL)
        return false;
    broker_port = free_port();
    snprintf(path, sizeof path, "%s/broker.conf", folder);
    snprintf(broker_log, sizeof broker_log, "%s/broker.log", folder);
    file = fopen(path, "w");
    if (file == NULL)
        die(path);
    fprintf(file,
            "listener %u 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\n"
            "max_inflight_messages 0\nset_tcp_nodelay true\nlog_dest stderr\n"
            "log_type subscribe\nconnection_messages false\n",
            broker_port);
    fclose(file);
    start_child(pid);
    if (*pid == 0) {
        if (freopen(broker_log, "w", stderr) == NULL)
            die(broker_log);
        execl(program, program, "-c", path, (char *)NULL);
        die(program);
    }
    for (unsigned i = 0; i < PATIENCE_MS / 10 && fd < 0; i++) {
        usleep(10000);
        fd = connect_to_broker();
    }
    if (fd < 0)
        die("the broker");
    close(fd);
    return true;
}

/* The reference: answers every message with the same words, and keeps none. */
static void answer_message(struct mosquitto *mosquitto, void *context,
                           const struct mosquitto_message *message)
{
    static const char text[] =
        "{\"device_id\":\"bench-00\",\"sequence\":1000,\"status\":\"accepted\"}";

    (void)context, (void)message;
    mosquitto_publish(mosquitto, NULL, TOPIC "/response", sizeof text - 1, text, 1, false);
}

static void run_bare(void)
{
    struct mosquitto *mosquitto;

    mosquitto_lib_init();
    mosquitto = mosquitto_new("bare", true, NULL);
    mosquitto_int_option(mosquitto, MOSQ_OPT_PROTOCOL_VERSION, 5);
    mosquitto_int_option(mosquitto, MOSQ_OPT_TCP_NODELAY, 1);
    mosquitto_int_option(mosquitto, MOSQ_OPT_RECEIVE_MAXIMUM, 1024);
    mosquitto_int_option(mosquitto, MOSQ_OPT_SEND_MAXIMUM, 65535);
    mosquitto_message_callback_set(mosquitto, answer_message);
    if (mosquitto_connect(mosquitto, "127.0.0.1", (int)broker_port, 60) != 0)
        die("bare");
    mosquitto_subscribe(mosquitto, NULL, TOPIC, 1);
    mosquitto_loop_forever(mosquitto, -1, 1);
    exit(1);
}

static void run_eds(unsigned round)
{
    char *arguments[2 * DEVICE_COUNT + 24], *data, *port;
    size_t used = 0;

    if (asprintf(&data, "%s/data-%u", folder, round) < 0 || asprintf(&port, "%u", broker_port) < 0)
        die("asprintf");
    for (const char *const *word =
             (const char *const[]){getenv("EDS"), "audit", "serve-mqtt", "--broker", "127.0.0.1",
                                   "--port", port, "--topic", TOPIC, "--session-expiry", "0",
                                   "--rate-per-device", "0", "--data-dir", data, "--log-level",
                                   "error", NULL};
         *word != NULL; word++)
        arguments[used++] = strdup(*word);
    for (size_t i = 0; i < DEVICE_COUNT; i++) {
        uint8_t seed[32], public_key[32];
        char hex[65];

        seed_of(seed, i);
        eds_ed25519_public_key(public_key, seed);
        sodium_bin2hex(hex, sizeof hex, public_key, 32);
        arguments[used++] = strdup("--device");
        if (asprintf(&arguments[used++], "bench-%zu=%s", i, hex) < 0)
            die("asprintf");
    }
    arguments[used] = NULL;
    if (freopen("/dev/null", "w", stdout) == NULL)
        die("/dev/null");
    execv(arguments[0], arguments);
    die(arguments[0]);
}

static struct outcome measure(bool ours, const struct messages *messages, size_t window)
{
    static unsigned round, subscribed;
    struct outcome out;
    double cpu_ns;
    pid_t pid;

    round++;
    start_child(&pid);
    if (pid == 0) {
        if (ours)
            run_eds(round);
        run_bare();
    }
    for (unsigned i = 0; subscriber_count() != subscribed + 1; i++) {
        if (i == PATIENCE_MS / 10) {
            fprintf(stderr, "the subscriber did not subscribe\n");
            exit(1);
        }
        usleep(10000);
    }
    subscribed++;
    cpu_ns = bench_process_cpu_ns(pid);
    out = publish_all(messages, window);
    out.cpu_us = (bench_process_cpu_ns(pid) - cpu_ns) / 1e3 / (double)messages->count;
    stop_child(pid);
    return out;
}

static void bench_window(size_t window, size_t count)
{
    struct messages messages;
    double ratios[3], ours[3], bare[3], p50[3], p99[3], cpu[3];
    double bare_p50[3], bare_p99[3], bare_cpu[3];
    char name[64];

    make_messages(&messages, count);
    for (size_t i = 0; i < 3; i++) {
        struct outcome b = measure(false, &messages, window);
        struct outcome o = measure(true, &messages, window);

        ours[i] = o.rate;
        bare[i] = b.rate;
        ratios[i] = o.rate / b.rate;
        p50[i] = o.p50_us;
        p99[i] = o.p99_us;
        cpu[i] = o.cpu_us;
        bare_p50[i] = b.p50_us;
        bare_p99[i] = b.p99_us;
        bare_cpu[i] = b.cpu_us;
    }
    double ratio = bench_median(ratios, 3), rate = bench_median(ours, 3);
    snprintf(name, sizeof name, "mqtt_sqlite_%zu", window);
    bench_report(name, rate, "records/s", "bare libmosquitto answering, no store", rate / ratio,
                 true);
    snprintf(name, sizeof name, "mqtt_bare_%zu", window);
    bench_report(name, bench_median(bare, 3), "messages/s", NULL, 0, true);
    snprintf(name, sizeof name, "mqtt_sqlite_%zu_p50", window);
    bench_report(name, bench_median(p50, 3), "us", "the same", bench_median(bare_p50, 3), false);
    snprintf(name, sizeof name, "mqtt_sqlite_%zu_p99", window);
    bench_report(name, bench_median(p99, 3), "us", "the same", bench_median(bare_p99, 3), false);
    snprintf(name, sizeof name, "mqtt_sqlite_%zu_cpu", window);
    bench_report(name, bench_median(cpu, 3), "us/record", "the same", bench_median(bare_cpu, 3),
                 false);
    free(messages.bytes);
    free(messages.ends);
}

/* The arguments, if any, are WINDOW COUNT: so many messages on their way, of so many. */
int main(int argc, char **argv)
{
    pid_t broker;

    if (getenv("EDS") == NULL) {
        fprintf(stderr, "EDS must name the eds command\n");
        return 64;
    }
    bench_temporary(folder);
    bench_begin("MQTT, one mosquitto, QoS 1");
    if (start_broker(&broker)) {
        if (argc == 3) {
            bench_window(strtoul(argv[1], NULL, 10), strtoul(argv[2], NULL, 10));
        } else {
            bench_window(1, 1000);
            bench_window(512, 30000);
        }
        stop_child(broker);
    } else {
        printf("  skipped: mosquitto is not installed\n");
    }
    bench_remove(folder);
    return 0;
}
