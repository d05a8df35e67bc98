/* completions.c - eds completions: what shells need to complete our commands,
 * written from the same tables as the parser and the help.
 *
 * A script follows the words before the cursor to a command ("at"), and offers
 * what stands there.  "audit" moves nowhere: its commands are found with and
 * without it. */
#include <stdio.h>
#include <string.h>

#include "cli/args.h"
#include "cli/commands.h"

#define AT_SIZE EDS_COMMAND_PATH_SIZE

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const struct eds_option options[] = {
    {.name = "shell",
     .value = "SHELL",
     .help = "For which shell",
     .required = true,
     .choices = shells},
    EDS_OPTIONS_END,
};

static const struct eds_example examples[] = {
    {"For the shell that is running now", "eds completions bash"},
    {NULL, NULL},
};

static const struct eds_exit_line exits[] = {
    {EDS_EXIT_OK, "the script was printed"},
    {0, NULL},
};

/* Called for every command: at is its words ("ledger verify"), "" for the root. */
typedef void visit_function(const char *at, const struct eds_command *command);

static void walk(const char *at, const struct eds_command *group, visit_function *visit)
{
    visit(at, group);
    for (const struct eds_command *const *child = group->children; child && *child; child++) {
        char child_at[AT_SIZE];
        bool is_transparent = strcmp((*child)->name, "audit") == 0;

        snprintf(child_at, sizeof child_at, "%s%s%s", is_transparent ? "" : at,
                 *at != '\0' && !is_transparent ? " " : "", is_transparent ? "" : (*child)->name);
        if (!is_transparent)
            walk(child_at, *child, visit);
        else
            for (const struct eds_command *const *below = (*child)->children; *below; below++)
                walk((*below)->name, *below, visit);
    }
}

/* The names that may follow a group; all of audit's follow the root. */
static void print_children(const struct eds_command *group, const char *separator)
{
    for (const struct eds_command *const *child = group->children; child && *child; child++) {
        printf("%s%s", (*child)->name, separator);
        if (group == &eds_command_root && strcmp((*child)->name, "audit") == 0)
            print_children(*child, separator);
    }
}

/* The part that is the same in bash and zsh: from words to $at. */
static void print_move(const char *at, const struct eds_command *group)
{
    for (const struct eds_command *const *child = group->children; child && *child; child++) {
        if (group == &eds_command_root && strcmp((*child)->name, "audit") == 0) {
            printf("            ' audit') ;;\n");
            print_move(at, *child);
        } else {
            printf("            '%s %s') at='%s%s%s' ;;\n", at, (*child)->name, at,
                   *at != '\0' ? " " : "", (*child)->name);
        }
    }
}

static void print_choices(const struct eds_option *option)
{
    for (const char *const *choice = option->choices; *choice; choice++)
        printf("%s%s", choice == option->choices ? "" : " ", *choice);
}

/* What a bare argument may be, where only some words are. */
static void print_bare_choices(const struct eds_command *command)
{
    for (const struct eds_option *option = command->options; option && option->name; option++)
        if (command->positional != NULL && strcmp(option->name, command->positional) == 0 &&
            option->choices != NULL)
            print_choices(option);
}

static void bash_words(const char *at, const struct eds_command *command)
{
    printf("        '%s') words='", at);
    print_children(command, " ");
    print_bare_choices(command);
    putchar(' ');
    for (const struct eds_option *option = command->options; option && option->name; option++)
        printf("--%s ", option->name);
    printf("--help' ;;\n");
}

static void bash_values(const char *at, const struct eds_command *command)
{
    for (const struct eds_option *option = command->options; option && option->name; option++) {
        if (option->value == NULL)
            continue;
        printf("        '%s --%s') words='", at, option->name);
        if (option->choices != NULL)
            print_choices(option);
        printf("' ;;\n");
    }
}

static void print_bash(void)
{
    puts("# bash completion for eds; made by: eds completions bash\n"
         "_eds() {\n"
         "    local word words='' at='' previous=\"${COMP_WORDS[COMP_CWORD - 1]}\"\n"
         "    for word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
         "        case \"$at $word\" in");
    walk("", &eds_command_root, print_move);
    puts("        esac\n"
         "    done\n"
         "    case \"$at $previous\" in");
    walk("", &eds_command_root, bash_values);
    puts("        *) case \"$at\" in");
    walk("", &eds_command_root, bash_words);
    puts("        esac ;;\n"
         "    esac\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"${COMP_WORDS[COMP_CWORD]}\"))\n"
         "}\n"
         "complete -o default -F _eds eds");
}

/* Text inside single quotes of a shell, with more characters kept from zsh. */
static void print_quoted(const char *text, const char *escaped, const char *quote)
{
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            fputs(quote, stdout);
        else if (strchr(escaped, *text) != NULL)
            printf("\\%c", *text);
        else
            putchar(*text);
    }
}

static void zsh_command(const char *at, const struct eds_command *command)
{
    printf("        '%s')\n            _arguments -A '-*' '(-)--help[Print help]'", at);
    for (const struct eds_option *option = command->options; option && option->name; option++) {
        printf(" \\\n                '%s--%s%s[", option->repeatable ? "*" : "", option->name,
               option->value != NULL ? "=" : "");
        print_quoted(option->help, "[]:\\", "'\\''");
        putchar(']');
        if (option->choices != NULL) {
            printf(":%s:(", option->value);
            print_choices(option);
            putchar(')');
        } else if (option->value != NULL) {
            printf(":%s:_files", option->value);
        }
        putchar('\'');
    }
    if (command->children != NULL || command == &eds_command_completions) {
        fputs(" \\\n                '1:command:(", stdout);
        print_children(command, " ");
        print_bare_choices(command);
        fputs(")'", stdout);
    } else {
        fputs(" \\\n                '*:file:_files'", stdout);
    }
    puts(" ;;");
}

static void print_zsh(void)
{
    puts("#compdef eds\n"
         "# zsh completion for eds; made by: eds completions zsh\n"
         "_eds() {\n"
         "    local word at='' used=1 index=1\n"
         "    for word in \"${(@)words[2,CURRENT-1]}\"; do\n"
         "        (( index++ ))\n"
         "        case \"$at $word\" in");
    walk("", &eds_command_root, print_move);
    puts("            *) continue ;;\n"
         "        esac\n"
         "        used=$index\n"
         "    done\n"
         "    words=(eds \"${(@)words[used+1,-1]}\")\n"
         "    (( CURRENT -= used - 1 ))\n"
         "    case \"$at\" in");
    walk("", &eds_command_root, zsh_command);
    puts("    esac\n"
         "}\n"
         "compdef _eds eds");
}

static void fish_command(const char *at, const struct eds_command *command)
{
    if (command->children != NULL || command == &eds_command_completions) {
        printf("complete -c eds -f -n '__eds_at \"%s\"' -a '", at);
        print_children(command, " ");
        print_bare_choices(command);
        puts("'");
    }
    for (const struct eds_option *option = command->options; option && option->name; option++) {
        printf("complete -c eds -n '__eds_at \"%s\"' -l %s", at, option->name);
        if (option->choices != NULL) {
            fputs(" -x -a '", stdout);
            print_choices(option);
            putchar('\'');
        } else if (option->value != NULL) {
            fputs(" -r", stdout);
        }
        fputs(" -d '", stdout);
        print_quoted(option->help, "\\", "\\'");
        puts("'");
    }
}

static void fish_move(const char *at, const struct eds_command *group)
{
    for (const struct eds_command *const *child = group->children; child && *child; child++) {
        if (group == &eds_command_root && strcmp((*child)->name, "audit") == 0)
            fish_move(at, *child);
        else
            printf("            case '%s %s'\n                set at '%s%s%s'\n", at,
                   (*child)->name, at, *at != '\0' ? " " : "", (*child)->name);
    }
}

static void print_fish(void)
{
    puts("# fish completion for eds; made by: eds completions fish\n"
         "function __eds_at\n"
         "    set -l at ''\n"
         "    for word in (commandline -opc)[2..-1]\n"
         "        switch \"$at $word\"");
    walk("", &eds_command_root, fish_move);
    puts("        end\n"
         "    end\n"
         "    test \"$at\" = \"$argv[1]\"\n"
         "end\n"
         "complete -c eds -l help -s h -d 'Print help'");
    walk("", &eds_command_root, fish_command);
}

static int run(const struct eds_args *args)
{
    const char *shell = eds_args_text(args, "shell");

    if (strcmp(shell, "bash") == 0)
        print_bash();
    else if (strcmp(shell, "zsh") == 0)
        print_zsh();
    else
        print_fish();
    return EDS_EXIT_OK;
}

const struct eds_command eds_command_completions = {
    .name = "completions",
    .summary = "Print a script that completes commands in a shell",
    .description = "bash: eds completions bash > /etc/bash_completion.d/eds\n"
                   "zsh:  eds completions zsh > a file _eds in a directory of $fpath\n"
                   "fish: eds completions fish > ~/.config/fish/completions/eds.fish",
    .options = options,
    .positional = "shell",
    .examples = examples,
    .exits = exits,
    .run = run,
};
