/* config_show.c - see config_show.h. */
#include "cli/config_show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/url_secret.h"

#define VALUE_SIZE 4096u /* bytes of a value that are shown */

static void show_option(const struct eds_config *config, const struct eds_command *command,
                        const struct eds_option *option)
{
    const char *from_environment = option->environment != NULL ? getenv(option->environment) : NULL;
    const struct eds_setting *setting = eds_config_at(config, command->name, option, 0);
    char value[VALUE_SIZE];

    if (from_environment != NULL && *from_environment != '\0') {
        printf("# environment %s\n%s = %s\n", option->environment, option->name,
               eds_url_shown(value, sizeof value, from_environment));
        return;
    }
    for (size_t i = 0; setting != NULL; setting = eds_config_at(config, command->name, option, ++i))
        printf("# %s:%u\n%s = %s\n", setting->file, setting->line, option->name,
               eds_url_shown(value, sizeof value, setting->value));
    if (eds_config_count(config, command->name, option) > 0)
        return;
    if (option->fallback != NULL)
        printf("# default\n%s = %s\n", option->name, option->fallback);
    else
        printf("# not set%s\n# %s =\n", option->required ? ", but required" : "", option->name);
}

struct showing {
    const struct eds_config *config;
    const char *only; /* NULL: all */
    unsigned count;
};

static bool show_command(void *context, const struct eds_command *command)
{
    struct showing *showing = context;

    if (showing->only != NULL && strcmp(showing->only, command->name) != 0)
        return true;
    printf("%s[%s]\n", showing->count++ > 0 ? "\n" : "", command->name);
    for (const struct eds_option *option = command->options; option->name != NULL; option++)
        if (eds_config_is_key(option))
            show_option(showing->config, command, option);
    return true;
}

unsigned eds_config_show(const struct eds_config *config, const char *only)
{
    struct showing showing = {.config = config, .only = only};

    eds_config_walk(show_command, &showing);
    return showing.count;
}
