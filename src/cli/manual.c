/* manual.c - see manual.h. */
#include "cli/manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/args.h"
#include "cli/commands.h"
#include "cli/config.h"
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

static void print_option(const struct eds_option *option, const char *dashes)
{
    char notes[400];
    char name[80];

    puts(".TP");
    snprintf(name, sizeof name, "%s%s", dashes, option->name);
    print_bold(name);
    if (option->value != NULL)
        printf("%s\\fI%s\\fR", *dashes != '\0' ? " " : " = ", option->value);
    putchar('\n');
    eds_help_option_notes(notes, sizeof notes, option);
    print_text(option->help);
    if (notes[0] != '\0')
        print_text(notes + 1);
}

static void print_options(const struct eds_command *command)
{
    for (const struct eds_option *option = command->options; option && option->name; option++)
        print_option(option, "--");
}

static void print_about(const struct eds_command *command)
{
    print_text(command->summary);
    if (command->description != NULL) {
        puts(".PP");
        print_text(command->description);
    }
}

static void print_examples(const struct eds_command *command)
{
    for (const struct eds_example *example = command->examples; example && example->line;
         example++) {
        puts(".PP");
        print_text(example->does);
        puts(".RS 4\n.nf");
        print_text(example->line);
        puts(".fi\n.RE");
    }
}

static void print_exits(const struct eds_command *command)
{
    for (const struct eds_exit_line *exit = command->exits; exit && exit->means; exit++) {
        printf(".TP\n%d\n", exit->code);
        print_text(exit->means);
    }
}

/* A command as a part of its group's page. */
static void print_part(const char *path, const struct eds_command *command)
{
    printf(".SS \"%s\"\n", path);
    print_about(command);
    print_options(command);
    print_examples(command);
    if (command->exits != NULL)
        puts(".PP\nExit codes:");
    print_exits(command);
}

/* Calls visit for every command that can be run, with how it is called. */
static void walk(const char *path, const struct eds_command *group,
                 void (*visit)(const char *path, const struct eds_command *command))
{
    for (const struct eds_command *const *child = group->children; *child; child++) {
        char child_path[EDS_COMMAND_PATH_SIZE];
        struct eds_text text;

        eds_text_begin(&text, child_path, sizeof child_path);
        eds_text_string(&text, path);
        eds_text_char(&text, ' ');
        eds_text_string(&text, (*child)->name);
        if ((*child)->children != NULL)
            walk(child_path, *child, visit);
        else
            visit(child_path, *child);
    }
}

static void print_path(const char *path, const struct eds_command *command)
{
    (void)command;
    puts(path + strlen("eds "));
}

void eds_manual_list(void)
{
    walk("eds", &eds_command_root, print_path);
}

/* The heading: a page is called as its command, with dashes. */
static void print_title(const char *path, const char *summary)
{
    fputs(".TH ", stdout);
    for (const char *at = path; *at != '\0'; at++)
        putchar(*at == ' ' ? '-' : toupper((unsigned char)*at));
    puts(" 1 \"\" \"eds " EDS_VERSION "\" \"EdgeSentry\"\n.ad l\n.nh\n.SH NAME");
    for (const char *at = path; *at != '\0'; at++)
        fputs(*at == ' ' || *at == '-' ? "\\-" : (char[]){*at, '\0'}, stdout);
    fputs(" \\- ", stdout);
    print_text(summary);
}

static void print_synopsis(const struct eds_command *command, const char *path)
{
    puts(".SH SYNOPSIS");
    print_bold(path);
    fputs(command->children != NULL ? " \\fICOMMAND\\fR" : "", stdout);
    puts(" [\\fIOPTIONS\\fR]");
    if (command->positional != NULL) {
        puts(".br");
        print_bold(path);
        printf(" [\\fIOPTIONS\\fR] \\fI%s\\fR\n", command->positional);
    }
    puts(".SH DESCRIPTION");
}

static void print_environment(void)
{
    puts(".SH ENVIRONMENT\n"
         "Options that can be set here say so above.\n"
         ".TP\n\\fBEDS_VERIFY_LEVEL\\fR\n"
         "The fastest way to verify signatures of known keys that may be used: libsodium, "
         "portable, avx2 or ifma. Verdicts are the same. Without it, the fastest that this "
         "processor has and that passes its self-test.\n"
         ".TP\n\\fBEDS_HASH_LEVEL\\fR\n"
         "The same for hashing: portable, sse41, avx2 or avx512.");
}

static void print_group(const struct eds_command *group, const char *path)
{
    print_text(group->description != NULL ? group->description : group->summary);
    puts(".PP");
    print_text("Values follow as --name VALUE or --name=VALUE. \"-\" as a file is standard input "
               "or output. Results go to standard output, everything else to standard error.");
    puts(".SH COMMANDS");
    walk(path, group, print_part);
    print_environment();
    puts(".SH EXIT STATUS\n"
         ".TP\n0\nDone, or checked and valid.\n"
         ".TP\n1\nIt could not be done; standard error says why.\n"
         ".TP\n2\nChecked and not valid, and nothing else.\n"
         ".TP\n64\nThe command line is wrong; nothing was done.");
}

static void print_leaf(const struct eds_command *command)
{
    print_about(command);
    puts(".SH OPTIONS");
    print_options(command);
    if (command->examples != NULL)
        puts(".SH EXAMPLES");
    print_examples(command);
    print_environment();
    if (command->exits != NULL)
        puts(".SH EXIT STATUS");
    print_exits(command);
    puts(".SH SEE ALSO");
    puts(command->reads_config ? ".BR eds (1),\n.BR eds.conf (5)" : ".BR eds (1)");
}

void eds_manual_print(const struct eds_command *command, const char *path)
{
    print_title(path, command->summary);
    print_synopsis(command, path);
    if (command->children != NULL)
        print_group(command, path);
    else
        print_leaf(command);
}

static bool print_keys(void *context, const struct eds_command *command)
{
    (void)context;
    printf(".SS [%s]\n", command->name);
    print_text(command->summary);
    for (const struct eds_option *option = command->options; option->name != NULL; option++)
        if (eds_config_is_key(option))
            print_option(option, "");
    return true;
}

void eds_manual_print_config(void)
{
    puts(".TH EDS.CONF 5 \"\" \"eds " EDS_VERSION "\" \"EdgeSentry\"\n"
         ".ad l\n.nh\n.SH NAME\neds.conf \\- configuration of the EdgeSentry servers\n"
         ".SH SYNOPSIS\n" EDS_CONFIG_PATH "\n.br\n/etc/edgesentry/conf.d/*.conf\n"
         ".SH DESCRIPTION");
    print_text(
        "Lines are KEY = VALUE, [SECTION] or a comment, which begins with # or ; and takes the "
        "whole line. Quotes are part of a value.\n\n"
        "Every option of a server is a key of the same name. Keys before the first section are for "
        "every server that has such an option, those of a section for the server that is called "
        "so. A flag is true or false. What may be repeated on the command line may be repeated "
        "here.\n\n"
        "The files of conf.d are read in the order of their names; a later value takes the place "
        "of an earlier one. The command line goes before the environment, that before a section, "
        "and that before what is for all.\n\n"
        "eds config check reads the files as a server would, eds config show prints what "
        "holds and where it comes from, eds config explain KEY says what a key is.");
    puts(".SH KEYS");
    eds_config_walk(print_keys, NULL);
    puts(".SH SEE ALSO\n.BR eds (1),\n.BR eds-config-check (1)");
}
