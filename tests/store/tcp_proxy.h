/* tcp_proxy.h - stands between a client and a server on 127.0.0.1 and breaks
 * their connection at a chosen moment. */
#ifndef EDS_TESTS_STORE_TCP_PROXY_H
#define EDS_TESTS_STORE_TCP_PROXY_H

#include <stddef.h>

enum proxy_fault {
    PROXY_NONE,
    PROXY_BEFORE, /* the words that matter never reach the server */
    PROXY_AFTER,  /* they do, and the client is cut off at once */
    PROXY_ANSWER, /* the server has answered, and the client is cut off */
    PROXY_HOLD,   /* as BEFORE, but the server is not told that the client is gone */
    PROXY_BYTES,  /* cut off after a number of bytes, counted both ways */
};
#define PROXY_FAULT_COUNT 6

struct tcp_proxy;

/* tcp_proxy_start listens on a free port, *port, and connects to a server's;
 * a failure ends the program. */
struct tcp_proxy *tcp_proxy_start(int server_port, int *port);

/* tcp_proxy_arm lets the next connection break, or the present one, once: at
 * words that the client sends, or after byte_count bytes. */
void tcp_proxy_arm(struct tcp_proxy *proxy, enum proxy_fault fault, const void *words,
                   size_t words_size, size_t byte_count);

/* tcp_proxy_broken tells how many connections it has broken so far. */
unsigned tcp_proxy_broken(struct tcp_proxy *proxy);

void tcp_proxy_stop(struct tcp_proxy *proxy);

#endif
