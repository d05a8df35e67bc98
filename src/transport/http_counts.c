/* http_counts.c - what the HTTP server has done, for those who watch it. */
#include "transport/http_connection.h"
#include "base/features.h"
#include "transport/tls.h"

void eds_http_server_counts(const struct eds_http_server *server, struct eds_http_counts *out)
{
    *out = (struct eds_http_counts){
        .answered = atomic_load(&server->answered_count),
        .connections = atomic_load(&server->connection_count),
        .denied = atomic_load(&server->denied_count),
        .connection_max = server->config.connection_max,
        .body_memory = atomic_load(&server->body_memory),
        .body_memory_max = server->config.body_memory_max,
        .objects_stored = atomic_load(&server->objects_stored),
        .objects_stored_bytes = atomic_load(&server->objects_stored_bytes),
        .waiting = atomic_load(&server->pace.waiting_count),
        .waits = atomic_load(&server->pace.wait_count),
    };
#if EDS_TRANSPORT_TLS
    if (server->config.tls != NULL) {
        struct eds_tls_state state;

        eds_tls_state(server->config.tls, &state);
        out->certificate_end_s = state.not_after_s;
        out->certificate_reloads = state.reloads;
        out->certificate_failures = state.failures;
    }
#endif
}
