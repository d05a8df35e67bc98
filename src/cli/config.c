/* config.c - see config.h. */
#include "cli/config.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ini.h"
#include "base/wipe.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/file.h"
#include "cli/say.h"
#include "cli/url_secret.h"
#include "cli/suggest.h"

#define FILE_SIZE_MAX (1u << 20) /* bytes */

bool eds_config_is_key(const struct eds_option *option)
{
    return strcmp(option->name, "config") != 0;
}

static bool walk(const struct eds_command *group,
                 bool (*visit)(void *context, const struct eds_command *command), void *context)
{
    if (group->reads_config && !visit(context, group))
        return false;
    for (const struct eds_command *const *child = group->children; child && *child; child++)
        if (!walk(*child, visit, context))
            return false;
    return true;
}

void eds_config_walk(bool (*visit)(void *context, const struct eds_command *command), void *context)
{
    (void)walk(&eds_command_root, visit, context);
}

/* What a line is held against. */
struct search {
    const struct eds_setting *setting;
    bool has_section;                /* a command of that name reads the file */
    bool has_key;                    /* and has such an option */
    const struct eds_option *option; /* one of them */
    struct eds_suggestion near_key, near_section;
    int32_t rc; /* of the option's checks */
    struct eds_error why;
};

static int32_t check_value(const struct eds_option *option, const char *value,
                           struct eds_error *err)
{
    if (!eds_option_is_flag(option))
        return eds_option_check(option, value, err);
    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        return EDS_OK;
    return eds_error_set(err, EDS_ERR_USAGE, "possible values: true, false");
}

static bool hold_against(void *context, const struct eds_command *command)
{
    struct search *search = context;
    const struct eds_setting *setting = search->setting;

    eds_suggest_try(&search->near_section, command->name);
    if (*setting->section != '\0' && strcmp(setting->section, command->name) != 0)
        return true;
    search->has_section = true;
    for (const struct eds_option *option = command->options; option->name != NULL; option++) {
        if (!eds_config_is_key(option))
            continue;
        eds_suggest_try(&search->near_key, option->name);
        if (strcmp(option->name, setting->key) != 0)
            continue;
        search->has_key = true;
        search->option = option;
        if (search->rc == EDS_OK)
            search->rc = check_value(option, setting->value, &search->why);
    }
    return true;
}

/* The line before with the same key, where there can be only one. */
static const struct eds_setting *find_same(const struct eds_config *config,
                                           const struct eds_setting *setting)
{
    for (size_t i = 0; i < config->count; i++) {
        const struct eds_setting *other = &config->settings[i];

        if (other != setting && other->file == setting->file &&
            strcmp(other->section, setting->section) == 0 && strcmp(other->key, setting->key) == 0)
            return other;
    }
    return NULL;
}

static int32_t say_unknown(const struct eds_setting *setting, const char *what, const char *word,
                           const char *near, struct eds_error *err)
{
    return eds_error_set(err, EDS_ERR_MALFORMED, "%s:%u: unknown %s '%s'%s%s%s", setting->file,
                         setting->line, what, word, near != NULL ? "; a similar one exists: '" : "",
                         near != NULL ? near : "", near != NULL ? "'" : "");
}

static int32_t check_setting(const struct eds_config *config, const struct eds_setting *setting,
                             struct eds_error *err)
{
    struct search search = {
        .setting = setting,
        .near_key = eds_suggest_begin(setting->key, strlen(setting->key)),
        .near_section = eds_suggest_begin(setting->section, strlen(setting->section)),
    };
    const struct eds_setting *same;

    eds_config_walk(hold_against, &search);
    if (!search.has_section)
        return say_unknown(setting, "section", setting->section, search.near_section.word, err);
    if (!search.has_key)
        return say_unknown(setting, "key", setting->key, search.near_key.word, err);
    if (search.rc != EDS_OK)
        return eds_error_set(err, EDS_ERR_MALFORMED, "%s:%u: invalid value '%s' for '%s': %s",
                             setting->file, setting->line, setting->value, setting->key,
                             search.why.text);
    same = search.option->repeatable ? NULL : find_same(config, setting);
    if (same != NULL)
        return eds_error_set(err, EDS_ERR_MALFORMED, "%s:%u: '%s' stands in line %u already",
                             setting->file, setting->line, setting->key, same->line);
    return EDS_OK;
}

/* A section must be a server's, whether it has keys or not. */
static int32_t check_section(const char *file, const struct eds_ini *ini, struct eds_error *err)
{
    char name[64];
    /* No option has an empty name: one may be called as its command is. */
    struct eds_setting setting = {.section = name, .key = "", .file = file, .line = ini->line};
    struct search search = {.setting = &setting};

    snprintf(name, sizeof name, "%.*s", (int)ini->section.size, ini->section.bytes);
    search.near_key = search.near_section = eds_suggest_begin(name, strlen(name));
    eds_config_walk(hold_against, &search);
    if (search.has_section)
        return EDS_OK;
    return say_unknown(&setting, "section", name, search.near_section.word, err);
}

/* One more of an array that doubles. */
static bool grow(void **array, size_t count, size_t *room, size_t item_size)
{
    size_t more = *room > 0 ? *room * 2 : 16;
    void *grown;

    if (count < *room)
        return true;
    grown = realloc(*array, more * item_size);
    if (grown == NULL)
        return false;
    *array = grown;
    *room = more;
    return true;
}

static char *copy(char *out, struct eds_ini_slice slice)
{
    memcpy(out, slice.bytes, slice.size);
    out[slice.size] = '\0';
    return out + slice.size + 1;
}

static int32_t add_setting(struct eds_config *config, const struct eds_ini *ini, const char *file,
                           struct eds_error *err)
{
    char *text = malloc(ini->section.size + ini->key.size + ini->value.size + 3);
    struct eds_setting setting = {.section = text, .file = file, .line = ini->line};
    char *key;

    if (text == NULL ||
        !grow((void **)&config->settings, config->count, &config->room, sizeof setting)) {
        free(text);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for %s", file);
    }
    key = copy(text, ini->section);
    setting.key = key;
    setting.value = copy(key, ini->key);
    (void)copy(setting.value, ini->value);
    config->settings[config->count++] = setting;
    return check_setting(config, &config->settings[config->count - 1], err);
}

/* Anybody who may write to the file may start a server of his own making. */
static int32_t check_mode(const char *path, struct eds_error *err)
{
    struct stat status;

    if (stat(path, &status) == 0 && (status.st_mode & S_IWOTH) != 0 && S_ISREG(status.st_mode))
        return eds_error_set(err, EDS_ERR_MALFORMED,
                             "%s can be written by everybody (mode %04o): chmod o-w", path,
                             (unsigned)status.st_mode & 07777);
    return EDS_OK;
}

static int32_t read_text(struct eds_config *config, const char *file, const char *text, size_t size,
                         struct eds_error *err)
{
    enum eds_ini_kind kind;
    bool has_password = false;
    struct eds_ini ini;
    int32_t rc = EDS_OK;

    eds_ini_begin(&ini, text, size);
    while (rc == EDS_OK && (kind = eds_ini_next(&ini)) != EDS_INI_END) {
        if (kind != EDS_INI_ITEM && kind != EDS_INI_SECTION)
            return eds_error_set(err, EDS_ERR_MALFORMED, "%s:%u: %s", file, ini.line,
                                 eds_ini_fault(kind));
        rc = kind == EDS_INI_SECTION ? check_section(file, &ini, err)
                                     : add_setting(config, &ini, file, err);
        if (rc == EDS_OK && kind == EDS_INI_ITEM)
            has_password |= eds_url_has_password(config->settings[config->count - 1].value);
    }
    if (has_password)
        eds_warn_if_readable(file);
    return rc;
}

static int32_t read_file(struct eds_config *config, const char *path, struct eds_error *err)
{
    char *text = NULL, *name = strdup(path);
    size_t size = 0;
    int32_t rc;

    if (name == NULL || !grow((void **)&config->files, config->file_count, &config->file_room,
                              sizeof *config->files)) {
        free(name);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for %s", path);
    }
    config->files[config->file_count++] = name;
    rc = check_mode(path, err);
    if (rc == EDS_OK)
        rc = eds_file_read(path, FILE_SIZE_MAX, &text, &size, err);
    if (rc == EDS_OK)
        rc = read_text(config, name, text, size, err);
    if (text != NULL)
        eds_wipe(text, size); /* it may hold a password */
    free(text);
    return rc;
}

static int is_part(const struct dirent *entry)
{
    size_t size = strlen(entry->d_name);

    return entry->d_name[0] != '.' && size > 5 && strcmp(entry->d_name + size - 5, ".conf") == 0;
}

static int32_t read_parts(struct eds_config *config, const char *path, struct eds_error *err)
{
    const char *slash = strrchr(path, '/');
    struct dirent **entries = NULL;
    char folder[PATH_MAX], part[PATH_MAX + NAME_MAX + 2];
    int count, size = snprintf(folder, sizeof folder, "%.*sconf.d",
                               slash != NULL ? (int)(slash - path) + 1 : 0, path);
    int32_t rc = EDS_OK;

    if (size < 0 || (size_t)size >= sizeof folder)
        return eds_error_set(err, EDS_ERR_USAGE, "--config: the path is too long");
    count = scandir(folder, &entries, is_part, alphasort);
    if (count < 0 && errno != ENOENT && errno != ENOTDIR)
        return eds_os_error(err, errno, folder);
    for (int i = 0; i < count; i++) {
        snprintf(part, sizeof part, "%s/%s", folder, entries[i]->d_name);
        if (rc == EDS_OK)
            rc = read_file(config, part, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int32_t eds_config_load(struct eds_config *config, const char *path, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    *config = (struct eds_config){.settings = NULL};
    if (path != NULL && strcmp(path, EDS_CONFIG_OFF) == 0)
        return EDS_OK;
    if (path != NULL || access(EDS_CONFIG_PATH, F_OK) == 0)
        rc = read_file(config, path != NULL ? path : EDS_CONFIG_PATH, err);
    if (rc == EDS_OK)
        rc = read_parts(config, path != NULL ? path : EDS_CONFIG_PATH, err);
    return rc;
}

void eds_config_free(struct eds_config *config)
{
    for (size_t i = 0; i < config->count; i++) {
        eds_wipe(config->settings[i].value, strlen(config->settings[i].value));
        free(config->settings[i].section);
    }
    for (size_t i = 0; i < config->file_count; i++)
        free(config->files[i]);
    free(config->settings);
    free(config->files);
    *config = (struct eds_config){.settings = NULL};
}

static bool is_for(const struct eds_setting *setting, const char *section,
                   const struct eds_option *option)
{
    return strcmp(setting->section, section) == 0 && strcmp(setting->key, option->name) == 0;
}

/* The last one of a section. */
static const struct eds_setting *last_of(const struct eds_config *config, const char *section,
                                         const struct eds_option *option)
{
    for (size_t i = config->count; i > 0; i--)
        if (is_for(&config->settings[i - 1], section, option))
            return &config->settings[i - 1];
    return NULL;
}

const struct eds_setting *eds_config_at(const struct eds_config *config, const char *command,
                                        const struct eds_option *option, size_t index)
{
    const struct eds_setting *own = last_of(config, command, option);

    if (!eds_config_is_key(option) || (!option->repeatable && index > 0))
        return NULL;
    if (!option->repeatable)
        return own != NULL ? own : last_of(config, "", option);
    for (size_t i = 0; i < config->count; i++) {
        const struct eds_setting *setting = &config->settings[i];

        if ((is_for(setting, "", option) || is_for(setting, command, option)) && index-- == 0)
            return setting;
    }
    return NULL;
}

size_t eds_config_count(const struct eds_config *config, const char *command,
                        const struct eds_option *option)
{
    size_t count = 0;

    while (eds_config_at(config, command, option, count) != NULL)
        count++;
    return count;
}
