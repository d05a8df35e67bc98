/* say.c - see say.h. */
#include "cli/say.h"

#include <stdarg.h>
#include <stdio.h>

static void say(const char *before, const char *format, va_list arguments)
{
    fputs(before, stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int eds_say_error(const struct eds_args *args, const struct eds_error *err)
{
    (void)args;
    fprintf(stderr, "error: %s\n", err->text);
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
