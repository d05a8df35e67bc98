/* url_secret.h - passwords in the URLs of stores: seen, and kept from being shown. */
#ifndef EDS_CLI_URL_SECRET_H
#define EDS_CLI_URL_SECRET_H

#include <stdbool.h>
#include <stddef.h>

/* eds_url_has_password says whether a URL has a password in it: as in
 * scheme://user:password@host, or as libpq's parameters password and sslpassword. */
bool eds_url_has_password(const char *url);

/* eds_url_shown writes url with *** for each password, and NUL; what does not fit is
 * left out.  Any text may be given.  Returns out. */
const char *eds_url_shown(char *out, size_t out_size, const char *url);

#endif
