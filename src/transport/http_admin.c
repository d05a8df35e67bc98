/* http_admin.c - see http_admin.h.
 *
 * Its requests pass through the same filter as those of senders (http_wire.h): what can
 * be read in two ways is refused and the connection closed. */
#include "transport/http_admin.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "transport/http_head.h"
#include "transport/http_server.h"
#include "transport/http_wire.h"
#include "transport/socket_address.h"

#define CONNECTION_MAX 32u
#define TIMEOUT_S      10u

struct eds_http_admin {
    struct eds_http_admin_config config;
    struct MHD_Daemon *daemon;
    struct eds_socket_address address;
};

/* A connection, from its first byte to its end. */
struct peer {
    struct http_wire wire;
    unsigned request_count;
    bool must_close; /* with the answer */
};

static struct peer *peer_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* Answers and frees text (malloc's; NULL for want of memory). */
static enum MHD_Result answer(struct MHD_Connection *mhd, unsigned status, const char *type,
                              char *text, size_t size)
{
    struct MHD_Response *response =
        text != NULL ? MHD_create_response_from_buffer(size, text, MHD_RESPMEM_MUST_FREE) : NULL;
    enum MHD_Result result = MHD_NO;

    if (response == NULL) {
        free(text);
        return MHD_NO;
    }
    if (MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type) == MHD_YES &&
        MHD_add_response_header(response, "X-Content-Type-Options", "nosniff") == MHD_YES &&
        (!peer_of(mhd)->must_close ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close") == MHD_YES) &&
        MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store") == MHD_YES &&
        (status != MHD_HTTP_METHOD_NOT_ALLOWED ||
         MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD") == MHD_YES))
        result = MHD_queue_response(mhd, status, response);
    MHD_destroy_response(response);
    return result;
}

static enum MHD_Result answer_line(struct MHD_Connection *mhd, unsigned status, const char *line)
{
    size_t size = strlen(line);
    char *text = malloc(size + 2);

    if (text != NULL) {
        memcpy(text, line, size);
        memcpy(text + size, "\n", 2);
    }
    return answer(mhd, status, "text/plain; charset=utf-8", text, size + 1);
}

static enum MHD_Result answer_metrics(struct eds_http_admin *admin, struct MHD_Connection *mhd)
{
    struct eds_metrics page = {.text = NULL};

    admin->config.write_metrics(admin->config.context, &page);
    if (page.failed) {
        eds_metrics_free(&page);
        return answer_line(mhd, MHD_HTTP_SERVICE_UNAVAILABLE, "no memory for the page");
    }
    return answer(mhd, MHD_HTTP_OK, EDS_METRICS_CONTENT_TYPE, page.text, page.size);
}

static enum MHD_Result answer_ready(struct eds_http_admin *admin, struct MHD_Connection *mhd)
{
    struct eds_error err = {.text = ""};

    if (admin->config.check_ready(admin->config.context, &err) == EDS_OK)
        return answer_line(mhd, MHD_HTTP_OK, "ready");
    return answer_line(mhd, MHD_HTTP_SERVICE_UNAVAILABLE, err.text);
}

static enum MHD_Result take_field(void *head, enum MHD_ValueKind kind, const char *name,
                                  const char *value)
{
    (void)kind;
    eds_http_head_take(head, name, value != NULL ? value : "");
    return MHD_YES;
}

/* Refuses what is no request for us, by its head. */
static enum MHD_Result judge(struct MHD_Connection *mhd, const char *method, const char *version)
{
    struct peer *peer = peer_of(mhd);
    const struct http_filter *filter = &peer->wire.filter;
    struct eds_http_head head = {.content_type = NULL};
    const char *fault;

    peer->request_count++;
    MHD_get_connection_values(mhd, MHD_HEADER_KIND, take_field, &head);
    fault = eds_http_head_fault(&head, strcmp(version, MHD_HTTP_VERSION_1_0) == 0);
    peer->must_close = true;
    if (filter->fault_status != 0 && filter->head_count == peer->request_count)
        return answer_line(mhd, filter->fault_status, filter->fault);
    if (fault != NULL)
        return answer_line(mhd, MHD_HTTP_BAD_REQUEST, fault);
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_line(mhd, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    if (head.content_length > 0 || head.transfer_encoding_count > 0)
        return answer_line(mhd, MHD_HTTP_CONTENT_TOO_LARGE, "nothing here takes a body");
    peer->must_close = false;
    return MHD_YES;
}

static enum MHD_Result handle(void *context, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **request)
{
    static char begun;
    struct eds_http_admin *admin = context;

    (void)data;
    if (peer_of(mhd) == NULL || *data_size > 0)
        return MHD_NO;
    if (*request == NULL) { /* a good answer waits for the request's end */
        *request = &begun;
        return judge(mhd, method, version);
    }
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(admin, mhd);
    if (strcmp(url, "/livez") == 0)
        return answer_line(mhd, MHD_HTTP_OK, "alive");
    if (strcmp(url, "/readyz") == 0)
        return answer_ready(admin, mhd);
    return answer_line(mhd, MHD_HTTP_NOT_FOUND, "there are /metrics, /livez and /readyz");
}

/* Puts the filter before a connection, and takes it away. */
static void notify(void *context, struct MHD_Connection *mhd, void **socket_context,
                   enum MHD_ConnectionNotificationCode code)
{
    struct peer *peer = *socket_context;

    (void)context;
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        peer = calloc(1, sizeof *peer);
        if (peer == NULL)
            return; /* handle closes it */
        peer->wire.fd = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        if (http_wire_attach(&peer->wire)) {
            *socket_context = peer;
        } else {
            free(peer);
        }
    } else if (peer != NULL) {
        http_wire_detach(&peer->wire);
        free(peer);
        *socket_context = NULL;
    }
}

/* Paths are compared as they came. */
static size_t keep_escapes(void *context, struct MHD_Connection *mhd, char *text)
{
    (void)context;
    (void)mhd;
    return strlen(text);
}

static int32_t start(struct eds_http_admin *admin, const char *address, struct eds_error *err)
{
    struct eds_error why;
    int fd;
    int32_t rc = http_wire_check(&why);

    if (rc == EDS_OK)
        rc = eds_http_listen(&fd, address, &why);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "admin listener at %s: %s", address, why.text);
    admin->address.size = sizeof admin->address.storage;
    (void)getsockname(fd, (struct sockaddr *)&admin->address.storage, &admin->address.size);
    /* Its own strictness is off, as in http_server.c. */
    admin->daemon = MHD_start_daemon(
        MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, admin, MHD_OPTION_LISTEN_SOCKET, fd,
        MHD_OPTION_STRICT_FOR_CLIENT, 0, MHD_OPTION_NOTIFY_CONNECTION, notify, admin,
        MHD_OPTION_UNESCAPE_CALLBACK, keep_escapes, NULL, MHD_OPTION_CONNECTION_LIMIT,
        CONNECTION_MAX, MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_END);
    if (admin->daemon != NULL)
        return EDS_OK;
    close(fd);
    return eds_error_set(err, EDS_ERR_IO, "admin listener at %s: cannot start the HTTP daemon",
                         address);
}

int32_t eds_http_admin_start(struct eds_http_admin **out, const char *address,
                             const struct eds_http_admin_config *config, struct eds_error *err)
{
    struct eds_http_admin *admin = calloc(1, sizeof *admin);
    char text[EDS_SOCKET_ADDRESS_TEXT_SIZE];
    sigset_t all, before;
    int32_t rc;

    if (admin == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory for the admin listener");
    admin->config = *config;
    /* Signals are for the program's own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    rc = start(admin, address, err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc != EDS_OK) {
        free(admin);
        return rc;
    }
    eds_socket_address_text(text, &admin->address);
    EDS_LOG(EDS_LOG_INFO, "admin_listening", EDS_LOG_STRING("address", text));
    *out = admin;
    return EDS_OK;
}

unsigned eds_http_admin_port(const struct eds_http_admin *admin)
{
    return eds_socket_address_port(&admin->address);
}

void eds_http_admin_stop(struct eds_http_admin *admin)
{
    if (admin == NULL)
        return;
    MHD_stop_daemon(admin->daemon); /* and closes the socket */
    free(admin);
}
