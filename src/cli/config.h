/* config.h - the configuration file of the servers.
 *
 * Every option of a server is a key of the same name.  Keys before the first
 * section are for every server that has such an option; [serve-tls] is for that
 * one.  A flag is "true" or "false".  What may be repeated on the command line is
 * repeated here as well.
 *
 * The file is /etc/edgesentry/eds.conf unless --config or EDS_CONFIG names another
 * one, and the files conf.d/NAME.conf beside it follow in the order of their names;
 * a later value takes the place of an earlier one, a later one of what is
 * repeatable is added.  The command line goes before the environment, that before a
 * section, and that before what is for all. */
#ifndef EDS_CLI_CONFIG_H
#define EDS_CLI_CONFIG_H

#include "cli/command.h"

#define EDS_CONFIG_PATH "/etc/edgesentry/eds.conf"
#define EDS_CONFIG_OFF  "off"

#define EDS_OPTION_CONFIG                                                                          \
    {                                                                                              \
        .name = "config", .value = "FILE", .environment = "EDS_CONFIG",                            \
        .help = "Configuration file, instead of " EDS_CONFIG_PATH " if there is one; off for none" \
    }

/* One line of a file. */
struct eds_setting {
    char *section; /* "": for all; its own memory, and that of the next two */
    const char *key;
    char *value;
    const char *file;
    unsigned line;
};

struct eds_config {
    struct eds_setting *settings; /* in the order of reading */
    size_t count, room;
    char **files; /* their names, likewise */
    size_t file_count, file_room;
};

/* eds_config_load reads the files and holds each value to its option's checks.
 *
 *   path  NULL: the usual place, where nothing need be
 *
 * EDS_OK; EDS_ERR_MALFORMED ("FILE:LINE: ..."), EDS_ERR_IO, EDS_ERR_TOO_LARGE,
 * EDS_ERR_NO_MEMORY; to be freed in any case. */
int32_t eds_config_load(struct eds_config *config, const char *path, struct eds_error *err);
void eds_config_free(struct eds_config *config);

/* eds_config_count tells how many values a command's option has here: at most one
 * if it cannot be repeated.  eds_config_at gives one. */
size_t eds_config_count(const struct eds_config *config, const char *command,
                        const struct eds_option *option);
const struct eds_setting *eds_config_at(const struct eds_config *config, const char *command,
                                        const struct eds_option *option, size_t index);

/* eds_config_is_key says whether an option can stand in a file: all but those that
 * say where the file is. */
bool eds_config_is_key(const struct eds_option *option);

/* eds_config_walk calls visit for every command that reads the file, until it
 * returns false. */
void eds_config_walk(bool (*visit)(void *context, const struct eds_command *command),
                     void *context);

#endif
