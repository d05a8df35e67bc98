/* agent_settings.h - what commands have changed of an agent, in a file beside its
 * buffer: FILE.settings, lines of KEY=VALUE in the order of their keys.
 *
 * What stands there goes before the command line.  Whoever deletes the file goes back
 * to that. */
#ifndef EDS_CLI_AGENT_SETTINGS_H
#define EDS_CLI_AGENT_SETTINGS_H

#include <limits.h>

#include "edgesentry/command.h"

enum eds_agent_setting {
    EDS_SETTING_BUFFER_AGE_MAX,  /* seconds; 0: no limit */
    EDS_SETTING_BUFFER_SIZE_MAX, /* bytes; 0: no limit */
    EDS_SETTING_COMMAND,         /* counter of the command that was applied last; no command's */
    EDS_SETTING_COMMAND_POLL,    /* seconds */
    EDS_SETTING_COUNT
};

struct eds_agent_settings {
    char path[PATH_MAX];
    struct {
        bool is_set;
        uint64_t value;
    } of[EDS_SETTING_COUNT];
};

/* eds_agent_settings_beside writes the path of a file beside the buffer of that URL, FILE and
 * the suffix.  EDS_OK or EDS_ERR_USAGE (it is too long). */
int32_t eds_agent_settings_beside(char out[PATH_MAX], const char *buffer_url, const char *suffix,
                                  struct eds_error *err);

/* eds_agent_settings_load finds the file by the buffer's URL, and reads it if it is
 * there.  EDS_OK, EDS_ERR_USAGE (the path is too long), EDS_ERR_MALFORMED, EDS_ERR_IO. */
int32_t eds_agent_settings_load(struct eds_agent_settings *settings, const char *buffer_url,
                                struct eds_error *err);

/* eds_agent_settings_take reads the settings of a config order into a copy of what there
 * is: all of them, or none.
 *
 *   retries_dead  out: retry-dead=now is among them, which is done and not kept
 *
 * EDS_OK; EDS_ERR_REFUSED with *err saying which is not known, or out of bounds. */
int32_t eds_agent_settings_take(struct eds_agent_settings *settings, const struct eds_order *order,
                                bool *retries_dead, struct eds_error *err);

/* eds_agent_settings_save makes them durable, with the counter of the command. */
int32_t eds_agent_settings_save(struct eds_agent_settings *settings, uint64_t counter,
                                struct eds_error *err);

/* eds_agent_settings_get gives what is set, or else the fallback. */
uint64_t eds_agent_settings_get(const struct eds_agent_settings *settings,
                                enum eds_agent_setting which, uint64_t fallback);

#endif
