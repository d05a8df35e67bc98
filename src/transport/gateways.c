/* gateways.c - see gateways.h. */
#include "transport/gateways.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *left, const void *right)
{
    const struct eds_gateway_pair *a = left, *b = right;
    int order = strcmp(a->gateway, b->gateway);

    return order != 0 ? order : strcmp(a->device_id, b->device_id);
}

static int32_t take_name(char out[EDS_DEVICE_ID_SIZE], const char *name, size_t size,
                         const char *what, struct eds_error *err)
{
    if (size == 0)
        return eds_error_set(err, EDS_ERR_USAGE, "a %s's name is empty: GATEWAY=DEVICE,DEVICE",
                             what);
    if (size >= EDS_DEVICE_ID_SIZE)
        return eds_error_set(err, EDS_ERR_USAGE, "a %s's name is too long: at most %u bytes", what,
                             EDS_DEVICE_ID_SIZE - 1);
    memcpy(out, name, size);
    out[size] = '\0';
    return EDS_OK;
}

static int32_t keep(struct eds_gateways *gateways, const struct eds_gateway_pair *pair,
                    struct eds_error *err)
{
    size_t room = gateways->room > 0 ? gateways->room * 2 : 16;
    struct eds_gateway_pair *pairs = gateways->pairs;

    if (gateways->count == gateways->room) {
        pairs = realloc(pairs, room * sizeof *pairs);
        if (pairs == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for gateways");
        gateways->pairs = pairs;
        gateways->room = room;
    }
    pairs[gateways->count++] = *pair;
    return EDS_OK;
}

/* gateways NULL: only look. */
static int32_t walk(struct eds_gateways *gateways, const char *text, struct eds_error *err)
{
    struct eds_gateway_pair pair;
    const char *at = strchr(text, '=');
    int32_t rc;

    if (at == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "expected GATEWAY=DEVICE,DEVICE");
    rc = take_name(pair.gateway, text, (size_t)(at - text), "gateway", err);
    do {
        size_t size = strcspn(++at, ",");

        if (rc == EDS_OK)
            rc = take_name(pair.device_id, at, size, "device", err);
        if (rc == EDS_OK && gateways != NULL)
            rc = keep(gateways, &pair, err);
        if (rc != EDS_OK)
            return rc;
        at += size;
    } while (*at == ',');
    return EDS_OK;
}

int32_t eds_gateways_check(const char *text, struct eds_error *err)
{
    return walk(NULL, text, err);
}

int32_t eds_gateways_add(struct eds_gateways *gateways, const char *text, struct eds_error *err)
{
    int32_t rc = walk(gateways, text, err);

    if (gateways->count > 0)
        qsort(gateways->pairs, gateways->count, sizeof gateways->pairs[0], compare);
    return rc;
}

/* Compares strings where they are: bsearch would want a whole pair made. */
bool eds_gateways_allow(const struct eds_gateways *gateways, const char *gateway,
                        const char *device_id)
{
    size_t low = 0, high = gateways != NULL ? gateways->count : 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct eds_gateway_pair *pair = &gateways->pairs[middle];
        int order = strcmp(pair->gateway, gateway);

        if (order == 0)
            order = strcmp(pair->device_id, device_id);
        if (order == 0)
            return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

void eds_gateways_free(struct eds_gateways *gateways)
{
    free(gateways->pairs);
    *gateways = (struct eds_gateways){.pairs = NULL};
}
