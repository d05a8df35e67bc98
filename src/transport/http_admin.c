/* http_admin.c - see http_admin.h. */
#include "transport/http_admin.h"

#include <microhttpd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "transport/http_server.h"
#include "transport/socket_address.h"

#define CONNECTION_MAX 32u
#define TIMEOUT_S      10u

struct eds_http_admin {
    struct eds_http_admin_config config;
    struct MHD_Daemon *daemon;
    struct eds_socket_address address;
};

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

static enum MHD_Result handle(void *context, struct MHD_Connection *mhd, const char *url,
                              const char *method, const char *version, const char *data,
                              size_t *data_size, void **request)
{
    static char begun;
    struct eds_http_admin *admin = context;

    (void)version;
    (void)data;
    if (*request == NULL) { /* the answer to a request waits for its end */
        *request = &begun;
        return MHD_YES;
    }
    if (*data_size > 0)
        return MHD_NO; /* nothing here takes a body */
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return answer_line(mhd, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD");
    if (strcmp(url, "/metrics") == 0)
        return answer_metrics(admin, mhd);
    if (strcmp(url, "/livez") == 0)
        return answer_line(mhd, MHD_HTTP_OK, "alive");
    if (strcmp(url, "/readyz") == 0)
        return answer_ready(admin, mhd);
    return answer_line(mhd, MHD_HTTP_NOT_FOUND, "there are /metrics, /livez and /readyz");
}

static int32_t start(struct eds_http_admin *admin, const char *address, struct eds_error *err)
{
    struct eds_error why;
    int fd;
    int32_t rc = eds_http_listen(&fd, address, &why);

    if (rc != EDS_OK)
        return eds_error_set(err, rc, "admin listener at %s: %s", address, why.text);
    admin->address.size = sizeof admin->address.storage;
    (void)getsockname(fd, (struct sockaddr *)&admin->address.storage, &admin->address.size);
    admin->daemon = MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD, 0, NULL, NULL, handle, admin,
                                     MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                                     MHD_OPTION_CONNECTION_LIMIT, CONNECTION_MAX,
                                     MHD_OPTION_CONNECTION_TIMEOUT, TIMEOUT_S, MHD_OPTION_END);
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
