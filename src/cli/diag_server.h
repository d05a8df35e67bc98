/* diag_server.h - what a running server says of itself on its admin listener. */
#ifndef EDS_CLI_DIAG_SERVER_H
#define EDS_CLI_DIAG_SERVER_H

/* eds_diag_server_print writes a section of its own for /readyz and one for
 * /metrics; or why there is none, which is no failure: it need not run. */
void eds_diag_server_print(const char *address);

#endif
