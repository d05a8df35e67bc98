/* http_front.c - see http_front.h. */
#include "cli/http_front.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/log.h"
#include "cli/notify.h"
#include "cli/output.h"
#include "transport/socket_address.h"

#define CONNECTIONS_MAX  60000u /* below HTTP_WIRE_FD_MAX, and room for files besides */
#define DESCRIPTORS_KEPT 256u   /* for everything that is no connection */
#define BODY_SIZE_MAX    2097152u

/* Every connection takes a descriptor, and a process starts with the right to few of
 * them.  Returns how many connections it has the right to now, at most wanted. */
static unsigned make_room(unsigned wanted)
{
    struct rlimit limit;
    rlim_t needed = (rlim_t)wanted + DESCRIPTORS_KEPT;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= needed)
        return wanted;
    limit.rlim_cur = limit.rlim_max < needed ? limit.rlim_max : needed;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        (void)getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed)
        return wanted;
    wanted = limit.rlim_cur > 2 * DESCRIPTORS_KEPT ? (unsigned)limit.rlim_cur - DESCRIPTORS_KEPT
                                                   : (unsigned)limit.rlim_cur / 2;
    EDS_LOG(EDS_LOG_WARN, "connections_limited", EDS_LOG_NUMBER("connections", wanted),
            EDS_LOG_STRING("reason", "the limit of open files (RLIMIT_NOFILE)"));
    return wanted;
}

int32_t eds_http_front_check_address(const char *text, struct eds_error *err)
{
    struct eds_socket_address address;

    return eds_socket_address_parse(&address, text, err);
}

const char *const eds_http_front_forwarded_headers[] = {"x-forwarded-for", "forwarded", NULL};

int32_t eds_http_front_check_connections(const char *text, struct eds_error *err)
{
    int32_t rc = eds_check_u64(text, err);

    if (rc == EDS_OK && strtoull(text, NULL, 10) - 1 >= CONNECTIONS_MAX)
        rc = eds_error_set(err, EDS_ERR_USAGE, "1 to %u are possible", CONNECTIONS_MAX);
    return rc;
}

/* What a full bucket does not hold is taken as a full one: a rate that a body gets past. */
int32_t eds_http_front_check_bytes(const char *text, struct eds_error *err)
{
    struct eds_rate rate;
    int32_t rc = eds_rate_parse(&rate, text, err);

    if (rc == EDS_OK && rate.per_second > 0 &&
        (rate.burst > 0 ? rate.burst : rate.per_second) < BODY_SIZE_MAX)
        rc = eds_error_set(err, EDS_ERR_USAGE,
                           "the burst must be as large as a body may be: try %" PRIu64 ":%u",
                           rate.per_second, BODY_SIZE_MAX);
    return rc;
}

int32_t eds_http_front_check_networks(const char *text, struct eds_error *err)
{
    struct eds_netpolicy policy = {.network_count = 0};

    return eds_netpolicy_allow_list(&policy, text, err);
}

/* Reads the two lists; what they have is the caller's only on EDS_OK. */
static int32_t read_policies(struct eds_netpolicy *allowed, struct eds_netpolicy *proxies,
                             const struct eds_args *args, struct eds_error *err)
{
    const char *list = eds_args_text(args, "trusted-proxies");
    int32_t rc;

    allowed->network_count = proxies->network_count = 0;
    rc = eds_netpolicy_allow_list(allowed, eds_args_text(args, "allowed-sources"), err);
    if (rc == EDS_OK && list != NULL)
        rc = eds_netpolicy_allow_list(proxies, list, err);
    return rc;
}

int32_t eds_http_front_read(struct eds_http_front *front, const struct eds_args *args,
                            struct eds_error *err)
{
    return read_policies(&front->netpolicy, &front->trusted_proxies, args, err);
}

int32_t eds_http_front_listen(struct eds_http_front *front, const struct eds_args *args,
                              struct eds_tls *tls, struct eds_error *err)
{
    struct eds_http_config *http = &front->config;
    struct eds_error why;
    int32_t rc;

    *http = (struct eds_http_config){.address = eds_args_text(args, "addr"),
                                     .netpolicy = &front->netpolicy,
                                     .trusted_proxies = &front->trusted_proxies,
                                     .tls = tls};
    http->connection_max =
        make_room((unsigned)strtoull(eds_args_text(args, "connections-max"), NULL, 10));
    if (strcmp(eds_args_text(args, "forwarded-header"), "forwarded") == 0)
        http->forwarded_kind = EDS_FORWARDED_RFC;
    rc = eds_notify_listen_fd(&http->listen_fd, &why);
    if (rc == EDS_OK && http->listen_fd == 0)
        rc = eds_http_listen(&http->listen_fd, http->address, &why);
    if (rc == EDS_OK)
        return EDS_OK;
    http->listen_fd = 0;
    return eds_error_set(err, rc, "%sserver error: %s", tls != NULL ? "TLS " : "", why.text);
}

int32_t eds_http_front_start(struct eds_http_front *front, struct eds_error *err)
{
    int32_t rc = eds_http_server_start(&front->server, &front->config, err);

    front->config.listen_fd = 0; /* the server's, or closed */
    return rc;
}

int32_t eds_http_front_write_port(const struct eds_http_front *front, const struct eds_args *args,
                                  struct eds_error *err)
{
    const char *path = eds_args_text(args, "port-file");
    char text[16];
    int size;

    if (path == NULL)
        return EDS_OK;
    size = snprintf(text, sizeof text, "%u\n", eds_http_server_port(front->server));
    return eds_output_file(path, EDS_OUTPUT_PUBLIC, text, (size_t)size, err);
}

int32_t eds_http_front_apply(struct eds_http_front *front, const struct eds_args *args,
                             uint64_t object_size_max, struct eds_error *err)
{
    struct eds_netpolicy allowed, proxies;
    int32_t rc = read_policies(&allowed, &proxies, args, err);

    if (rc == EDS_OK)
        eds_http_server_set(front->server, &allowed, &proxies, object_size_max);
    return rc;
}

void eds_http_front_stop(struct eds_http_front *front)
{
    if (front->server != NULL)
        eds_http_server_stop(front->server);
    else if (front->config.listen_fd > 0)
        close(front->config.listen_fd);
    front->server = NULL;
    front->config.listen_fd = 0;
}
