/* http_policy.c - who may send, and who may say for whom: the two lists of a server,
 * which may be exchanged while it runs. */
#include "transport/http_connection.h"

void eds_http_server_set(struct eds_http_server *server, const struct eds_netpolicy *netpolicy,
                         const struct eds_netpolicy *trusted_proxies, uint64_t object_size_max)
{
    pthread_rwlock_wrlock(&server->policy_lock);
    server->allowed = *netpolicy;
    server->proxies = *trusted_proxies;
    pthread_rwlock_unlock(&server->policy_lock);
    atomic_store(&server->object_size_max, object_size_max);
}

bool http_is_proxy(struct eds_http_server *server, const struct eds_address *address)
{
    bool is_proxy;

    pthread_rwlock_rdlock(&server->policy_lock);
    is_proxy = server->proxies.network_count > 0 &&
               eds_netpolicy_check(&server->proxies, address, NULL) == EDS_OK;
    pthread_rwlock_unlock(&server->policy_lock);
    return is_proxy;
}

int32_t http_check_source(struct eds_http_server *server, const struct eds_address *address,
                          struct eds_error *err)
{
    int32_t rc;

    pthread_rwlock_rdlock(&server->policy_lock);
    rc = eds_netpolicy_check(&server->allowed, address, err);
    pthread_rwlock_unlock(&server->policy_lock);
    return rc;
}

int32_t http_follow_proxies(struct eds_http_server *server, const struct eds_http_head *head,
                            struct eds_address *source, struct eds_error *err)
{
    int32_t rc;

    pthread_rwlock_rdlock(&server->policy_lock);
    rc = eds_forwarded_source(source, &server->proxies, server->config.forwarded_kind,
                              head->forwarded, head->forwarded_count, err);
    pthread_rwlock_unlock(&server->policy_lock);
    return rc;
}
