/* agent_door.c - payloads as lines: from standard input, or from clients of a
 * Unix socket, who get an answer to each. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/agent_burst.h"
#include "cli/agent_class.h"
#include "cli/agent_job.h"
#include "cli/file.h"

#define CLIENTS_MAX   64u
#define ANSWER_SIZE   (EDS_ERROR_TEXT_SIZE + 32u)
#define OK_SIZE       48u  /* of an answer to a line that is kept, the longest one */
#define RETRY_MS      1000 /* where a record can't be kept now */
#define LINE_ROOM_MIN 16384u

/* A line that is coming in. */
struct inlet {
    int fd;
    char *bytes;
    size_t used, room;
    bool too_long; /* what is left of it is thrown away */
};

static void inlet_close(struct inlet *inlet)
{
    if (inlet->fd > 0)
        close(inlet->fd);
    free(inlet->bytes);
    *inlet = (struct inlet){.fd = -1};
}

/* Reads what is there.  1, 0 at the end, or -1. */
static int inlet_read(struct inlet *inlet)
{
    ssize_t got;

    if (inlet->room - inlet->used < LINE_ROOM_MIN) {
        size_t room = inlet->room > 0 ? 2 * inlet->room : 2 * LINE_ROOM_MIN;
        char *bytes = realloc(inlet->bytes, room);

        if (bytes == NULL)
            return -1;
        inlet->bytes = bytes;
        inlet->room = room;
    }
    got = read(inlet->fd, inlet->bytes + inlet->used, inlet->room - inlet->used);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? 1 : -1;
    inlet->used += (size_t)got;
    return got > 0 ? 1 : 0;
}

static int32_t record_line(struct eds_agent_job *job, const char *line, size_t size,
                           uint64_t *sequence, struct eds_error *err)
{
    enum eds_priority priority = job->priority;
    int32_t rc = EDS_OK;

    if (job->line_has_class)
        rc = eds_agent_class_take(&priority, &line, &size, err);
    return rc == EDS_OK ? eds_agent_job_record(job, line, size, NULL, priority, sequence, err) : rc;
}

/* Tells who gave us lines what became of them, and may forget them now. */
static bool answer(struct inlet *inlet, const char *text, size_t size, bool is_client)
{
    if (is_client)
        return send(inlet->fd, text, size, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)size;
    fwrite(text, 1, size, stdout);
    fflush(stdout);
    return true;
}

static size_t format_kept(char *out, size_t size, uint64_t sequence, bool is_client)
{
    return (size_t)snprintf(out, size, "%s%" PRIu64 "\n",
                            is_client ? "OK " : "RECORDED: sequence=", sequence);
}

/* Answers a line.  At standard input it is tried until it is kept; a client is
 * told, and may try again. */
static bool take_line(struct eds_agent_job *job, struct inlet *inlet, const char *line, size_t size,
                      bool is_client)
{
    char text[ANSWER_SIZE];
    struct eds_error err;
    uint64_t sequence = 0;
    size_t text_size;
    int32_t rc;

    for (;;) {
        rc = size <= EDS_AGENT_PAYLOAD_MAX && !inlet->too_long
                 ? record_line(job, line, size, &sequence, &err)
                 : eds_error_set(&err, EDS_ERR_TOO_LARGE, "a line has over %u bytes",
                                 EDS_AGENT_PAYLOAD_MAX);
        if (is_client || (rc != EDS_ERR_BUSY && rc != EDS_ERR_IO && rc != EDS_ERR_NO_MEMORY))
            break;
        eds_agent_job_trouble(job, "%s; trying again", err.text);
        if (eds_agent_job_pause(job, RETRY_MS))
            return false;
    }
    if (!is_client)
        (void)eds_repeat_end(&job->trouble);
    if (rc == EDS_OK)
        text_size = format_kept(text, sizeof text, sequence, is_client);
    else
        text_size = (size_t)snprintf(text, sizeof text, "%s%s\n",
                                     is_client ? "ERROR " : "REFUSED: reason=", err.text);
    return answer(inlet, text, text_size, is_client);
}

/* Takes whole lines from start on that can be kept with one write; *taken bytes of them,
 * 0 if the next line has to go by itself. */
static bool take_burst(struct eds_agent_job *job, struct inlet *inlet, size_t start, bool is_client,
                       size_t *taken)
{
    char text[EDS_EVENTS_MAX * OK_SIZE];
    struct eds_agent_burst burst;
    struct eds_error err;
    size_t text_size = 0;
    int32_t rc;

    *taken = 0;
    if (inlet->too_long || job->alone_count > 0)
        return true;
    rc = eds_agent_burst_record(job, inlet->bytes + start, inlet->used - start, &burst, &err);
    if (rc != EDS_OK) { /* one by one each gets its own answer */
        job->alone_count = burst.count;
        return true;
    }
    for (size_t i = 0; i < burst.count; i++)
        text_size += format_kept(text + text_size, sizeof text - text_size,
                                 burst.first_sequence + i, is_client);
    *taken = burst.size;
    return answer(inlet, text, text_size, is_client);
}

/* Takes the whole lines that are there; at the end also the last one without its
 * newline. */
static bool take_lines(struct eds_agent_job *job, struct inlet *inlet, bool at_end, bool is_client)
{
    size_t start = 0;
    bool going = true;

    while (going) {
        char *newline;
        size_t size, taken;

        going = take_burst(job, inlet, start, is_client, &taken);
        start += taken;
        if (taken > 0)
            continue;
        newline =
            start < inlet->used ? memchr(inlet->bytes + start, '\n', inlet->used - start) : NULL;
        size = newline != NULL ? (size_t)(newline - (inlet->bytes + start)) : inlet->used - start;

        if (newline == NULL && !(at_end && (size > 0 || inlet->too_long)))
            break;
        if (size > 0 || inlet->too_long) /* an empty line is none */
            going = take_line(job, inlet, inlet->bytes + start, size, is_client);
        job->alone_count -= job->alone_count > 0 ? 1 : 0;
        inlet->too_long = false;
        start += newline != NULL ? size + 1 : size;
    }
    inlet->used -= start;
    if (inlet->used > 0 && start > 0)
        memmove(inlet->bytes, inlet->bytes + start, inlet->used);
    if (inlet->used > EDS_AGENT_PAYLOAD_MAX) {
        inlet->too_long = true;
        inlet->used = 0;
    }
    return going;
}

int32_t eds_agent_lines(struct eds_agent_job *job, struct eds_error *err)
{
    struct inlet inlet = {.fd = STDIN_FILENO};
    int32_t rc = EDS_OK;
    int got = 1;

    while (got > 0) {
        struct pollfd ready[2] = {{.fd = job->ending_fd, .events = POLLIN},
                                  {.fd = STDIN_FILENO, .events = POLLIN}};

        if (poll(ready, 2, -1) < 0 && errno != EINTR) {
            rc = eds_os_error(err, errno, "standard input");
            break;
        }
        if (ready[0].revents != 0)
            break;
        if (ready[1].revents == 0)
            continue;
        got = inlet_read(&inlet);
        if (got < 0)
            rc = eds_os_error(err, errno, "standard input");
        else if (!take_lines(job, &inlet, got == 0, false))
            break;
    }
    free(inlet.bytes);
    return rc;
}

static int32_t open_socket(int *out, const char *path, struct eds_error *err)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    mode_t mask;
    int fd;

    if (strlen(path) >= sizeof address.sun_path)
        return eds_error_set(err, EDS_ERR_USAGE, "the socket's path has more than %zu bytes",
                             sizeof address.sun_path - 1);
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return eds_os_error(err, errno, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) == 0) {
        close(fd);
        return eds_error_set(err, EDS_ERR_BUSY, "another agent listens at %s", path);
    }
    if (errno == ECONNREFUSED) /* what one that died has left */
        (void)unlink(path);
    mask = umask(0177); /* for its owner alone from the beginning */
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 16) != 0) {
        umask(mask);
        eds_os_error(err, errno, path);
        close(fd);
        return EDS_ERR_IO;
    }
    umask(mask);
    *out = fd;
    return EDS_OK;
}

/* A free place for a client, or NULL. */
static struct inlet *free_inlet(struct inlet clients[CLIENTS_MAX])
{
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (clients[i].fd < 0)
            return &clients[i];
    return NULL;
}

static void serve_clients(struct eds_agent_job *job, struct inlet clients[CLIENTS_MAX],
                          const struct pollfd ready[CLIENTS_MAX])
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        int got;

        if (clients[i].fd < 0 || ready[i].fd != clients[i].fd || ready[i].revents == 0)
            continue;
        got = inlet_read(&clients[i]);
        if (got < 0 || !take_lines(job, &clients[i], got == 0, true) || got == 0)
            inlet_close(&clients[i]);
    }
}

int32_t eds_agent_listen(struct eds_agent_job *job, const char *path, struct eds_error *err)
{
    struct inlet clients[CLIENTS_MAX];
    struct pollfd ready[2 + CLIENTS_MAX];
    int32_t rc;
    int fd = -1;

    rc = open_socket(&fd, path, err);
    if (rc != EDS_OK)
        return rc;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        clients[i] = (struct inlet){.fd = -1};
    for (;;) {
        struct inlet *place = free_inlet(clients);

        ready[0] = (struct pollfd){.fd = job->ending_fd, .events = POLLIN};
        ready[1] = (struct pollfd){.fd = place != NULL ? fd : -1, .events = POLLIN};
        for (size_t i = 0; i < CLIENTS_MAX; i++)
            ready[2 + i] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
        if (poll(ready, 2 + CLIENTS_MAX, -1) < 0 && errno != EINTR) {
            rc = eds_os_error(err, errno, path);
            break;
        }
        if (ready[0].revents != 0)
            break;
        serve_clients(job, clients, ready + 2);
        if (place != NULL && ready[1].revents != 0)
            place->fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    }
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        inlet_close(&clients[i]);
    close(fd);
    (void)unlink(path);
    return rc;
}
