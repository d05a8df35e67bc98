/* help.c - see help.h. */
#include "cli/help.h"

#include <string.h>

#include "cli/args.h"

#define LINE_WIDTH 80u /* columns */

/* Writes text word by word with line breaks before LINE_WIDTH, each further
 * line after indent spaces; a newline in text is kept. */
static void print_wrapped(FILE *file, const char *text, unsigned indent)
{
    unsigned column = indent;

    while (*text != '\0') {
        size_t size = strcspn(text, " \n");

        if (column > indent && column + 1 + size > LINE_WIDTH) {
            fprintf(file, "\n%*s", (int)indent, "");
            column = indent;
        } else if (column > indent) {
            fputc(' ', file);
            column++;
        }
        fwrite(text, 1, size, file);
        column += (unsigned)size;
        text += size;
        if (*text == '\n') {
            fprintf(file, "\n%*s", text[1] != '\n' ? (int)indent : 0, "");
            column = indent;
        }
        if (*text != '\0')
            text++;
    }
    fputc('\n', file);
}

void eds_help_usage(FILE *file, const struct eds_command *command, const char *path)
{
    bool optional = false;

    fprintf(file, "Usage: %s", path);
    if (command->children != NULL) {
        fputs(" <COMMAND>\n", file);
        return;
    }
    for (const struct eds_option *option = command->options; option && option->name; option++)
        optional = optional || !option->required;
    if (optional)
        fputs(" [OPTIONS]", file);
    for (const struct eds_option *option = command->options; option && option->name; option++)
        if (option->required)
            fprintf(file, " --%s <%s>", option->name, option->value);
    fputc('\n', file);
}

void eds_help_option_notes(char *out, size_t out_size, const struct eds_option *option)
{
    size_t used = 0;

#define NOTE(...)                                                                                  \
    do {                                                                                           \
        if (used < out_size)                                                                       \
            used += (size_t)snprintf(out + used, out_size - used, __VA_ARGS__);                    \
    } while (0)
    out[0] = '\0';
    if (option->required)
        NOTE(" [required]");
    if (option->repeatable)
        NOTE(" [may be repeated]");
    if (option->choices != NULL) {
        NOTE(" [possible values:");
        for (const char *const *choice = option->choices; *choice; choice++)
            NOTE("%s%s", choice == option->choices ? " " : ", ", *choice);
        NOTE("]");
    }
    if (option->environment != NULL)
        NOTE(" [env: %s]", option->environment);
    if (option->fallback != NULL)
        NOTE(" [default: %s]", option->fallback);
#undef NOTE
}

static void print_options(FILE *file, const struct eds_command *command)
{
    char notes[400];

    fputs("\nOptions:\n", file);
    for (const struct eds_option *option = command->options; option && option->name; option++) {
        fprintf(file, "      --%s%s%s%s\n          ", option->name, option->value ? " <" : "",
                option->value ? option->value : "", option->value ? ">" : "");
        eds_help_option_notes(notes, sizeof notes, option);
        print_wrapped(file, option->help, 10);
        if (notes[0] != '\0') {
            fputs("          ", file);
            print_wrapped(file, notes + 1, 10);
        }
    }
    fputs("  -h, --help\n          Print help\n", file);
}

static void print_children(FILE *file, const struct eds_command *command)
{
    size_t widest = strlen("help");

    fputs("\nCommands:\n", file);
    for (const struct eds_command *const *child = command->children; *child; child++)
        widest = strlen((*child)->name) > widest ? strlen((*child)->name) : widest;
    for (const struct eds_command *const *child = command->children; *child; child++) {
        fprintf(file, "  %-*s  ", (int)widest, (*child)->name);
        print_wrapped(file, (*child)->summary, (unsigned)widest + 4);
    }
    fprintf(file, "  %-*s  ", (int)widest, "help");
    print_wrapped(file, "Explain this or the given command, as --help does", (unsigned)widest + 4);
}

static const char *positional_value(const struct eds_command *command)
{
    const struct eds_option *option = command->options;

    while (strcmp(option->name, command->positional) != 0)
        option++;
    return option->value;
}

void eds_help_print(FILE *file, const struct eds_command *command, const char *path)
{
    print_wrapped(file, command->summary, 0);
    fputc('\n', file);
    eds_help_usage(file, command, path);
    if (command->positional != NULL)
        fprintf(file, "       %s [OPTIONS] <%s>\n", path, positional_value(command));
    if (command->description != NULL) {
        fputc('\n', file);
        print_wrapped(file, command->description, 0);
    }
    if (command->children != NULL)
        print_children(file, command);
    print_options(file, command);
    if (command->examples != NULL)
        fputs("\nExamples:\n", file);
    for (const struct eds_example *example = command->examples; example && example->line; example++)
        fprintf(file, "  # %s\n  $ %s\n", example->does, example->line);
    if (command->exits != NULL)
        fputs("\nExit codes:\n", file);
    for (const struct eds_exit_line *exit = command->exits; exit && exit->means; exit++)
        fprintf(file, "  %-3d %s\n", exit->code, exit->means);
    if (command->exits != NULL)
        fprintf(file, "  %-3d %s\n", EDS_EXIT_USAGE, "the command line is wrong; nothing was done");
}
