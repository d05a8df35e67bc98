/* agent_settings.c - see agent_settings.h.
 *
 * The file has the form of an order's body, so that one reader checks both. */
#include "cli/agent_settings.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/args.h"
#include "cli/file.h"
#include "cli/output.h"

/* In the order of their names.  What a command may set is bounded, so that no command
 * can keep a device from recording, or from asking for the next one. */
static const struct {
    const char *name;
    uint64_t min, max; /* or 0, where that means no limit */
    bool may_be_zero;
} known[EDS_SETTING_COUNT] = {
    [EDS_SETTING_BUFFER_AGE_MAX] = {"buffer-age-max", 60, 10 * 366 * 86400u, true},
    [EDS_SETTING_BUFFER_SIZE_MAX] = {"buffer-size-max", 65536, UINT64_C(1) << 50, true},
    [EDS_SETTING_COMMAND] = {"command", 1, UINT64_MAX, false},
    [EDS_SETTING_COMMAND_POLL] = {"command-poll", 1, 86400, false},
};

int32_t eds_agent_settings_beside(char out[PATH_MAX], const char *buffer_url, const char *suffix,
                                  struct eds_error *err)
{
    const char *path = buffer_url;
    size_t size;

    if (strncmp(path, "sqlite:", 7) == 0)
        path += 7;
    else if (strncmp(path, "log:", 4) == 0)
        path += 4;
    size = path != buffer_url && buffer_url[0] == 'l' ? strcspn(path, "?") : strlen(path);
    if (size + strlen(suffix) >= PATH_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "--buffer is too long");
    snprintf(out, PATH_MAX, "%.*s%s", (int)size, path, suffix);
    return EDS_OK;
}

/* One setting; *which is EDS_SETTING_COUNT for a name that is none. */
static int32_t take_one(struct eds_agent_settings *settings, const char *name, const char *value,
                        struct eds_error *err)
{
    struct eds_error fault;
    uint64_t number;

    for (size_t i = 0; i < EDS_SETTING_COUNT; i++) {
        if (strcmp(known[i].name, name) != 0)
            continue;
        if (eds_check_u64(value, &fault) != EDS_OK)
            return eds_error_set(err, EDS_ERR_REFUSED, "%s is not a number", name);
        number = strtoull(value, NULL, 10);
        if ((number < known[i].min && (number != 0 || !known[i].may_be_zero)) ||
            number > known[i].max)
            return eds_error_set(err, EDS_ERR_REFUSED,
                                 "%s: %s%" PRIu64 " to %" PRIu64 " are possible", name,
                                 known[i].may_be_zero ? "0 or " : "", known[i].min, known[i].max);
        settings->of[i].is_set = true;
        settings->of[i].value = number;
        return EDS_OK;
    }
    return eds_error_set(err, EDS_ERR_REFUSED, "%s is not a setting of this agent", name);
}

int32_t eds_agent_settings_take(struct eds_agent_settings *settings, const struct eds_order *order,
                                bool *retries_dead, struct eds_error *err)
{
    struct eds_agent_settings taken = *settings;
    char name[EDS_SETTING_KEY_SIZE], value[EDS_SETTING_TEXT_SIZE];
    int32_t rc = EDS_OK;
    size_t at = 0;

    *retries_dead = false;
    while (rc == EDS_OK && eds_order_next_setting(order, &at, name, value)) {
        if (strcmp(name, "retry-dead") == 0 && strcmp(value, "now") == 0)
            *retries_dead = true;
        else if (strcmp(name, known[EDS_SETTING_COMMAND].name) == 0)
            rc = eds_error_set(err, EDS_ERR_REFUSED, "%s is not a setting of this agent", name);
        else
            rc = take_one(&taken, name, value, err);
    }
    if (rc == EDS_OK)
        *settings = taken;
    return rc;
}

int32_t eds_agent_settings_load(struct eds_agent_settings *settings, const char *buffer_url,
                                struct eds_error *err)
{
    struct eds_order order = {.device_id = "x", /* to be one: what counts is the body */
                              .counter = 1,
                              .kind = EDS_ORDER_CONFIG,
                              .not_after_ms = 1,
                              .operator_name = "x"};
    char name[EDS_SETTING_KEY_SIZE], value[EDS_SETTING_TEXT_SIZE];
    struct eds_error fault;
    size_t size = 0, at = 0;
    int32_t rc;

    memset(settings, 0, sizeof *settings);
    rc = eds_agent_settings_beside(settings->path, buffer_url, ".settings", err);
    if (rc != EDS_OK || (access(settings->path, F_OK) != 0 && errno == ENOENT))
        return rc;
    rc = eds_file_read_fixed(settings->path, order.body, sizeof order.body - 1, &size, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_order_check(&order, &fault);
    while (rc == EDS_OK && eds_order_next_setting(&order, &at, name, value))
        rc = take_one(settings, name, value, &fault);
    if (rc == EDS_OK)
        return EDS_OK;
    memset(settings->of, 0, sizeof settings->of);
    return eds_error_set(err, EDS_ERR_MALFORMED, "%s: %s", settings->path, fault.text);
}

int32_t eds_agent_settings_save(struct eds_agent_settings *settings, uint64_t counter,
                                struct eds_error *err)
{
    char text[EDS_ORDER_BODY_SIZE];
    int size = 0;

    settings->of[EDS_SETTING_COMMAND].is_set = true;
    settings->of[EDS_SETTING_COMMAND].value = counter;
    for (size_t i = 0; i < EDS_SETTING_COUNT; i++)
        if (settings->of[i].is_set)
            size += snprintf(text + size, sizeof text - (size_t)size, "%s=%" PRIu64 "\n",
                             known[i].name, settings->of[i].value);
    return eds_output_file(settings->path, EDS_OUTPUT_SECRET_REPLACE, text, (size_t)size, err);
}

uint64_t eds_agent_settings_get(const struct eds_agent_settings *settings,
                                enum eds_agent_setting which, uint64_t fallback)
{
    return settings->of[which].is_set ? settings->of[which].value : fallback;
}
