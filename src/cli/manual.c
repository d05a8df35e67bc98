/* manual.c - see manual.h. */
#include "cli/manual.h"

#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"
#include "cli/help.h"

/* A character so that roff takes it literally: a dash is a dash. */
static void print_character(char c)
{
    switch (c) {
    case '-':
        fputs("\\-", stdout);
        break;
    case '\\':
        fputs("\\e", stdout);
        break;
    case '\'':
        fputs("\\(aq", stdout);
        break;
    default:
        putchar(c);
    }
}

/* Text in lines, none of which begins with a control character; an empty one
 * begins a paragraph. */
static void print_text(const char *text)
{
    while (*text != '\0') {
        if (*text == '.')
            fputs("\\&", stdout);
        for (; *text != '\0' && *text != '\n'; text++)
            print_character(*text);
        putchar('\n');
        if (text[0] == '\n' && text[1] == '\n')
            puts(".PP");
        else if (text[0] == '\n')
            puts(".br");
        text += strspn(text, "\n");
    }
}

/* One word or more in bold, as what is typed. */
static void print_bold(const char *text)
{
    fputs("\\fB", stdout);
    for (; *text != '\0'; text++)
        printf("%s%c", *text == '-' ? "\\" : "", *text);
    fputs("\\fR", stdout);
}

static void print_options(const struct eds_command *command)
{
    char notes[400];
    char name[80];

    for (const struct eds_option *option = command->options; option && option->name; option++) {
        puts(".TP");
        snprintf(name, sizeof name, "--%s", option->name);
        print_bold(name);
        if (option->value != NULL)
            printf(" \\fI%s\\fR", option->value);
        putchar('\n');
        eds_help_option_notes(notes, sizeof notes, option);
        print_text(option->help);
        if (notes[0] != '\0')
            print_text(notes + 1);
    }
}

static void print_command(const char *path, const struct eds_command *command)
{
    printf(".SS \"%s\"\n", path);
    print_text(command->summary);
    if (command->description != NULL) {
        puts(".PP");
        print_text(command->description);
    }
    print_options(command);
    for (const struct eds_example *example = command->examples; example && example->line;
         example++) {
        puts(".PP");
        print_text(example->does);
        puts(".RS 4\n.nf");
        print_text(example->line);
        puts(".fi\n.RE");
    }
    if (command->exits != NULL)
        puts(".PP\nExit codes:");
    for (const struct eds_exit_line *exit = command->exits; exit && exit->means; exit++) {
        printf(".TP\n%d\n", exit->code);
        print_text(exit->means);
    }
}

static void print_group(const char *path, const struct eds_command *group)
{
    for (const struct eds_command *const *child = group->children; *child; child++) {
        char child_path[EDS_COMMAND_PATH_SIZE];

        snprintf(child_path, sizeof child_path, "%s %s", path, (*child)->name);
        if ((*child)->children != NULL)
            print_group(child_path, *child);
        else
            print_command(child_path, *child);
    }
}

void eds_manual_print(void)
{
    puts(".TH EDS 1 \"\" \"eds " EDS_VERSION "\" \"EdgeSentry\"\n"
         ".SH NAME\n"
         "eds \\- tamper\\-evident records of what devices saw\n"
         ".SH SYNOPSIS\n"
         ".B eds audit\n"
         ".I COMMAND\n"
         ".RI [ OPTIONS ]\n"
         ".SH DESCRIPTION");
    print_text(eds_command_root.description);
    puts(".PP");
    print_text("Values follow as --name VALUE or --name=VALUE. \"-\" as a file is standard input "
               "or output. Results go to standard output, everything else to standard error.");
    puts(".SH COMMANDS");
    print_group("eds", &eds_command_root);
    puts(".SH ENVIRONMENT\n"
         "Options that can be set here say so above.\n"
         ".TP\n\\fBEDS_VERIFY_LEVEL\\fR\n"
         "The fastest way to verify signatures of known keys that may be used: libsodium, "
         "portable, avx2 or ifma. Verdicts are the same. Without it, the fastest that this "
         "processor has and that passes its self-test.\n"
         ".TP\n\\fBEDS_HASH_LEVEL\\fR\n"
         "The same for hashing: portable, sse41, avx2 or avx512.");
    puts(".SH EXIT STATUS\n"
         ".TP\n0\nDone, or checked and valid.\n"
         ".TP\n1\nIt could not be done; standard error says why.\n"
         ".TP\n2\nChecked and not valid, and nothing else.\n"
         ".TP\n64\nThe command line is wrong; nothing was done.");
}
