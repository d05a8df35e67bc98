/* url_secret.c - see url_secret.h. */
#include "cli/url_secret.h"

#include <string.h>

#include "base/text.h"

static const char *const secret_parameters[] = {"password=", "sslpassword="};

/* Finds the next password from at on: where it begins, and its size. */
static const char *next_password(const char *url, const char *at, size_t *size)
{
    const char *authority = strstr(url, "://");
    const char *end = authority != NULL ? authority + 3 + strcspn(authority + 3, "?#") : NULL;

    if (authority != NULL && at <= authority) {
        /* The last @ ends it: a password may have others. */
        const char *host = memrchr(authority + 3, '@', (size_t)(end - authority - 3));
        const char *colon =
            host != NULL ? memchr(authority + 3, ':', (size_t)(host - authority - 3)) : NULL;

        if (colon != NULL) {
            *size = (size_t)(host - colon - 1);
            return colon + 1;
        }
    }
    for (at += strcspn(at, "?&"); *at != '\0'; at += strcspn(at, "?&")) {
        at++;
        for (size_t i = 0; i < sizeof secret_parameters / sizeof secret_parameters[0]; i++) {
            size_t name_size = strlen(secret_parameters[i]);

            if (strncmp(at, secret_parameters[i], name_size) == 0) {
                *size = strcspn(at + name_size, "&");
                return at + name_size;
            }
        }
    }
    return NULL;
}

bool eds_url_has_password(const char *url)
{
    size_t size;

    return next_password(url, url, &size) != NULL;
}

const char *eds_url_shown(char *out, size_t out_size, const char *url)
{
    const char *at = url, *password;
    struct eds_text text;
    size_t size;

    eds_text_begin(&text, out, out_size);
    while ((password = next_password(url, at, &size)) != NULL) {
        eds_text_bytes(&text, at, (size_t)(password - at));
        eds_text_string(&text, "***");
        at = password + size;
    }
    eds_text_string(&text, at);
    return out;
}
