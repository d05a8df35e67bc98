/* route.c - see route.h. */
#include "transport/route.h"

#include <string.h>

#define NAME_CHARS  "abcdefghijklmnopqrstuvwxyz0123456789._-"
#define UPPER_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define KEY_MAX     32u  /* bytes */
#define VALUE_MAX   128u /* bytes */

int32_t eds_route_check_gateway(const char *text, struct eds_error *err)
{
    size_t size = strlen(text);

    if (size == 0 || size >= EDS_ROUTE_GATEWAY_SIZE || strspn(text, NAME_CHARS UPPER_CHARS) != size)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "a gateway's name has 1 to %u of A-Z a-z 0-9 . _ -",
                             EDS_ROUTE_GATEWAY_SIZE - 1);
    return EDS_OK;
}

/* Whether a key of that size stands in text before at. */
static bool is_taken(const char *text, const char *at, size_t key_size)
{
    while (text < at) {
        if (strncmp(text, at, key_size + 1) == 0) /* with its '=' */
            return true;
        text += strcspn(text, ",") + 1;
    }
    return false;
}

int32_t eds_route_check_tags(const char *text, struct eds_error *err)
{
    const char *at = text;
    unsigned count = 0;

    if (strlen(text) >= EDS_ROUTE_TAGS_SIZE)
        return eds_error_set(err, EDS_ERR_USAGE, "tags have at most %u bytes",
                             EDS_ROUTE_TAGS_SIZE - 1);
    for (;;) {
        size_t key_size = strspn(at, NAME_CHARS), value_size;

        if (key_size == 0 || key_size > KEY_MAX || at[key_size] != '=')
            return eds_error_set(err, EDS_ERR_USAGE,
                                 "a tag is KEY=VALUE, its key 1 to %u of a-z 0-9 . _ -", KEY_MAX);
        if (is_taken(text, at, key_size))
            return eds_error_set(err, EDS_ERR_USAGE, "the tag %.*s is there twice", (int)key_size,
                                 at);
        value_size = strspn(at + key_size + 1, NAME_CHARS UPPER_CHARS ":/@+");
        if (value_size == 0 || value_size > VALUE_MAX)
            return eds_error_set(err, EDS_ERR_USAGE,
                                 "the value of a tag has 1 to %u of A-Z a-z 0-9 . _ - : / @ +",
                                 VALUE_MAX);
        at += key_size + 1 + value_size;
        if (++count > EDS_ROUTE_TAGS_MAX)
            return eds_error_set(err, EDS_ERR_USAGE, "at most %u tags are possible",
                                 EDS_ROUTE_TAGS_MAX);
        if (*at == '\0')
            return EDS_OK;
        if (*at++ != ',')
            return eds_error_set(err, EDS_ERR_USAGE,
                                 "the value of a tag has 1 to %u of A-Z a-z 0-9 . _ - : / @ +",
                                 VALUE_MAX);
    }
}

int32_t eds_route_add_tags(struct eds_route *route, const char *tags, struct eds_error *err)
{
    size_t size = strlen(route->tags), more = strlen(tags);
    char all[2 * EDS_ROUTE_TAGS_SIZE];
    int32_t rc;

    if (more >= EDS_ROUTE_TAGS_SIZE)
        return eds_route_check_tags(tags, err);
    memcpy(all, route->tags, size);
    if (size > 0)
        all[size++] = ',';
    memcpy(all + size, tags, more + 1);
    rc = eds_route_check_tags(all, err);
    if (rc == EDS_OK)
        memcpy(route->tags, all, size + more + 1);
    return rc;
}

void eds_route_take(struct eds_route *route, const char *gateway, const char *tags)
{
    route->gateway[0] = route->tags[0] = '\0';
    if (gateway != NULL && eds_route_check_gateway(gateway, NULL) == EDS_OK)
        strcpy(route->gateway, gateway);
    if (tags != NULL && eds_route_check_tags(tags, NULL) == EDS_OK)
        strcpy(route->tags, tags);
}
