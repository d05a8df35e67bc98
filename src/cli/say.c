/* say.c - see say.h. */
#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/json_out.h"

static void say(const char *before, const char *format, va_list arguments)
{
    fputs(before, stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

/* Not every command has --json. */
static bool wants_json(const struct eds_args *args)
{
    for (const struct eds_option *option = args->command->options; option && option->name; option++)
        if (strcmp(option->name, "json") == 0)
            return eds_args_flag(args, "json");
    return false;
}

int eds_say_error(const struct eds_args *args, const char *before, const struct eds_error *err)
{
    if (err->code == EDS_ERR_USAGE)
        return eds_args_usage(args, "%s", err->text);
    fprintf(stderr, "error: %s%s\n", before, err->text);
    if (wants_json(args)) {
        struct eds_json_out json;

        eds_out_begin(&json);
        eds_out_string(&json, "error", err->text);
        eds_out_string(&json, "code", eds_error_name(err->code));
        eds_out_end(&json);
    }
    return EDS_EXIT_FAILED;
}

#define SAY(name, before)                                                                          \
    void name(const char *format, ...)                                                             \
    {                                                                                              \
        va_list arguments;                                                                         \
                                                                                                   \
        va_start(arguments, format);                                                               \
        say(before, format, arguments);                                                            \
        va_end(arguments);                                                                         \
    }

SAY(eds_say_hint, "  hint: ")
SAY(eds_say_warning, "warning: ")
SAY(eds_say_note, "note: ")

void eds_warn_if_readable(const char *path)
{
    struct stat file;

    if (stat(path, &file) == 0 && S_ISREG(file.st_mode) && (file.st_mode & 077) != 0)
        eds_say_warning("%s is open to others (mode %04o): chmod 600 %s", path,
                        (unsigned)file.st_mode & 0777, path);
}
