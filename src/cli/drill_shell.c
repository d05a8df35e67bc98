/* drill_shell.c - see drill_shell.h. */
#include "cli/drill_shell.h"

#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t caught;

int32_t eds_drill_shell_run(const char *command, struct eds_error *err)
{
    char name[] = "sh", option[] = "-c", text[4096];
    char *const words[] = {name, option, text, NULL};
    posix_spawn_file_actions_t actions;
    int status = 0, failure;
    pid_t pid;

    if (strlen(command) >= sizeof text)
        return eds_error_set(err, EDS_ERR_IO, "the command is too long");
    strcpy(text, command);
    fflush(NULL);
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    failure = posix_spawn(&pid, "/bin/sh", &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (failure != 0)
        return eds_error_set(err, EDS_ERR_IO, "cannot start /bin/sh: %s", strerror(failure));
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return eds_error_set(err, EDS_ERR_IO, "cannot wait for /bin/sh: %s", strerror(errno));
    if (WIFSIGNALED(status))
        return eds_error_set(err, EDS_ERR_REFUSED, "signal %d ended it: %s", WTERMSIG(status),
                             command);
    if (WEXITSTATUS(status) != 0)
        return eds_error_set(err, EDS_ERR_REFUSED, "exit code %d: %s", WEXITSTATUS(status),
                             command);
    return EDS_OK;
}

int32_t eds_drill_shell_ask(const char *request, struct eds_error *err)
{
    char line[256];

    fprintf(stderr, "%s, and press Enter: ", request);
    fflush(stderr);
    do {
        if (fgets(line, sizeof line, stdin) == NULL)
            return eds_error_set(err, EDS_ERR_REFUSED, "nobody pressed Enter");
    } while (strchr(line, '\n') == NULL);
    return EDS_OK;
}

static void note_signal(int number)
{
    (void)number;
    caught = 1;
}

void eds_drill_shell_catch(void)
{
    struct sigaction action = {.sa_handler = note_signal}; /* no SA_RESTART: pauses end */

    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool eds_drill_shell_caught(void)
{
    return caught != 0;
}
