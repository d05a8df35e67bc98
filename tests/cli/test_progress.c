/* The progress line: on a terminal, after a second, and gone at the end; not a
 * byte anywhere else. */
#include "cli/progress.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Runs a walk of so many milliseconds with standard error on fd, and gives
 * what arrived on the other side. */
static void run(int fd, int other_side, uint64_t age_ms, char *got, size_t got_size)
{
    struct eds_progress progress;
    int kept = dup(STDERR_FILENO);
    size_t used = 0;
    ssize_t size;

    fflush(stderr);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    eds_progress_begin(&progress);
    progress.started_ms -= age_ms;
    eds_progress_update(&progress, 5000, 3 << 20);
    eds_progress_update(&progress, 6000, 4 << 20); /* too soon after the first */
    eds_progress_end(&progress);
    fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    close(kept);
    /* A terminal hands on what was written to it a little later, and in parts. */
    for (got[0] = '\0'; used + 1 < got_size; got[used] = '\0') {
        struct pollfd readable = {other_side, POLLIN, 0};

        if (poll(&readable, 1, 200) <= 0)
            break;
        size = read(other_side, got + used, got_size - 1 - used);
        if (size <= 0)
            break;
        used += (size_t)size;
    }
}

static void test_terminal(void **state)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    char got[400];
    int fd;

    (void)state;
    assert_true(terminal >= 0);
    assert_int_equal(grantpt(terminal), 0);
    assert_int_equal(unlockpt(terminal), 0);
    fd = open(ptsname(terminal), O_RDWR | O_NOCTTY);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(terminal, F_SETFL, O_NONBLOCK), 0);
    run(fd, terminal, 0, got, sizeof got);
    assert_string_equal(got, "");
    run(fd, terminal, 2000, got, sizeof got);
    assert_non_null(strstr(got, "\r5000 records, 3 MiB, 2"));
    assert_null(strstr(got, "6000"));
    assert_string_equal(got + strlen(got) - 2, " \r"); /* wiped out at the end */
    close(fd);
    close(terminal);
}

static void test_pipe(void **state)
{
    char got[400];
    int fds[2];

    (void)state;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(fcntl(fds[0], F_SETFL, O_NONBLOCK), 0);
    run(fds[1], fds[0], 2000, got, sizeof got);
    assert_string_equal(got, "");
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terminal),
        cmocka_unit_test(test_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
