/* passphrase.c - see passphrase.h. */
#include "cli/passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "base/wipe.h"
#include "cli/file.h"
#include "cli/say.h"

/* Signals that would end or stop us while the terminal does not echo. */
static const int caught_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP};
#define CAUGHT_COUNT (sizeof caught_signals / sizeof caught_signals[0])

static volatile sig_atomic_t caught;

static void note_signal(int number)
{
    caught = number;
}

/* Reads one line, the newline left out.  False at the end, on an error, a
 * signal or too long a line.  Signals are let in only while we wait: one that
 * came just before a read would else be noticed only after it. */
static bool read_line(int fd, const sigset_t *while_waiting, char *out, size_t out_size,
                      size_t *size)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char byte;

    for (*size = 0; *size < out_size; out[(*size)++] = byte) {
        if (ppoll(&ready, 1, NULL, while_waiting) != 1 || read(fd, &byte, 1) != 1)
            return false;
        if (byte == '\n') {
            out[*size] = '\0';
            return true;
        }
    }
    return false;
}

/* Asks once.  Whatever happens, the terminal is as before when this returns,
 * and a signal that came meanwhile is delivered then. */
static bool ask(int tty, const char *prompt, char out[EDS_PASSPHRASE_SIZE], size_t *size)
{
    struct sigaction action = {.sa_handler = note_signal}, before[CAUGHT_COUNT];
    struct termios shown, hidden;
    sigset_t held, while_waiting;
    bool ok = false;

    caught = 0;
    if (tcgetattr(tty, &shown) != 0)
        return false;
    hidden = shown;
    hidden.c_lflag = (hidden.c_lflag & ~(tcflag_t)ECHO) | ECHONL;
    sigemptyset(&held);
    for (size_t i = 0; i < CAUGHT_COUNT; i++)
        sigaddset(&held, caught_signals[i]);
    sigprocmask(SIG_BLOCK, &held, &while_waiting);
    for (size_t i = 0; i < CAUGHT_COUNT; i++)
        sigaction(caught_signals[i], &action, &before[i]);
    if (tcsetattr(tty, TCSAFLUSH, &hidden) == 0) {
        ok = write(tty, prompt, strlen(prompt)) >= 0 &&
             read_line(tty, &while_waiting, out, EDS_PASSPHRASE_SIZE, size);
        tcsetattr(tty, TCSAFLUSH, &shown);
    }
    for (size_t i = 0; i < CAUGHT_COUNT; i++)
        sigaction(caught_signals[i], &before[i], NULL);
    sigprocmask(SIG_SETMASK, &while_waiting, NULL);
    if (caught != 0)
        raise(caught);
    return ok;
}

static int32_t from_terminal(char out[EDS_PASSPHRASE_SIZE], size_t *size, bool is_new,
                             struct eds_error *err)
{
    char again[EDS_PASSPHRASE_SIZE] = "";
    size_t again_size = 0;
    int tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
    int32_t rc = EDS_OK;

    if (tty < 0)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "a passphrase is needed and there is no terminal to ask at: use "
                             "--passphrase-file or EDS_PASSPHRASE");
    if (!ask(tty, is_new ? "New passphrase: " : "Passphrase: ", out, size) ||
        (is_new && !ask(tty, "The same again: ", again, &again_size)))
        rc = eds_error_set(err, EDS_ERR_IO, "no passphrase came from the terminal");
    else if (is_new && (again_size != *size || memcmp(again, out, *size) != 0))
        rc = eds_error_set(err, EDS_ERR_MALFORMED, "the two passphrases differ");
    eds_wipe(again, sizeof again);
    close(tty);
    return rc;
}

static int32_t from_file(char out[EDS_PASSPHRASE_SIZE], size_t *size, const char *path,
                         struct eds_error *err)
{
    int32_t rc;

    eds_warn_if_readable(path);
    rc = eds_file_read_fixed(path, out, EDS_PASSPHRASE_SIZE - 1, size, err);
    if (rc != EDS_OK)
        return rc;
    out[*size] = '\0';
    *size = strcspn(out, "\n");
    if (*size > 0 && out[*size - 1] == '\r')
        --*size;
    out[*size] = '\0'; /* a token's PIN goes by it, too */
    return EDS_OK;
}

static int32_t from_environment(char out[EDS_PASSPHRASE_SIZE], size_t *size, const char *value,
                                struct eds_error *err)
{
    *size = strlen(value);
    if (*size >= EDS_PASSPHRASE_SIZE)
        return eds_error_set(err, EDS_ERR_TOO_LARGE, "EDS_PASSPHRASE has more than %u bytes",
                             EDS_PASSPHRASE_SIZE - 1);
    memcpy(out, value, *size + 1);
    return EDS_OK;
}

int32_t eds_passphrase_get(char out[EDS_PASSPHRASE_SIZE], size_t *size, const struct eds_args *args,
                           bool is_new, struct eds_error *err)
{
    const char *path = eds_args_text(args, "passphrase-file");
    const char *value = getenv("EDS_PASSPHRASE");
    int32_t rc;

    if (path != NULL)
        rc = from_file(out, size, path, err);
    else if (value != NULL)
        rc = from_environment(out, size, value, err);
    else
        rc = from_terminal(out, size, is_new, err);
    if (rc == EDS_OK && is_new && *size == 0)
        rc = eds_error_set(err, EDS_ERR_MALFORMED, "an empty passphrase protects nothing");
    if (rc != EDS_OK)
        eds_wipe(out, EDS_PASSPHRASE_SIZE);
    return rc;
}
