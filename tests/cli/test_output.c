/* Files are there whole or not at all, with the right mode, and nothing is left
 * beside them. */
#include "cli/output.h"

#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/file.h"
#include "support/temp_dir.h"

static char directory[EDS_TEMP_DIR_SIZE];
static char path[EDS_TEMP_DIR_SIZE + 32];

static int begin(void **state)
{
    (void)state;
    umask(022);
    temp_dir_make(directory);
    snprintf(path, sizeof path, "%s/file", directory);
    return 0;
}

static int end(void **state)
{
    (void)state;
    temp_dir_remove(directory);
    return 0;
}

static void assert_content(const char *name, const char *content)
{
    char *text = NULL;
    size_t size = 0;

    assert_int_equal(eds_file_read(name, 1 << 20, &text, &size, NULL), EDS_OK);
    assert_string_equal(text, content);
    free(text);
}

static void assert_mode(const char *name, mode_t mode)
{
    struct stat file;

    assert_int_equal(lstat(name, &file), 0);
    assert_int_equal(file.st_mode & 0777, mode);
}

static void assert_file_count(int wanted)
{
    DIR *opened = opendir(directory);
    int count = -2; /* . and .. */

    assert_non_null(opened);
    while (readdir(opened) != NULL)
        count++;
    closedir(opened);
    assert_int_equal(count, wanted);
}

static int32_t put(const char *name, enum eds_output_kind kind, const char *text)
{
    return eds_output_file(name, kind, text, strlen(text), NULL);
}

static void test_modes(void **state)
{
    (void)state;
    assert_int_equal(put(path, EDS_OUTPUT_PUBLIC, "one"), EDS_OK);
    assert_mode(path, 0644);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(put(path, EDS_OUTPUT_PUBLIC, "two"), EDS_OK);
    assert_mode(path, 0640); /* replacing a file opens it to nobody */
    assert_content(path, "two");
    assert_int_equal(put(path, EDS_OUTPUT_SECRET_REPLACE, "three"), EDS_OK);
    assert_mode(path, 0600);
    assert_int_equal(unlink(path), 0);
    umask(0);
    assert_int_equal(put(path, EDS_OUTPUT_SECRET, "four"), EDS_OK);
    assert_mode(path, 0600);
    assert_file_count(1);
}

static void test_never_replaced(void **state)
{
    struct eds_output output;
    struct eds_error err;

    (void)state;
    assert_int_equal(put(path, EDS_OUTPUT_SECRET, "old"), EDS_OK);
    assert_int_equal(eds_output_file(path, EDS_OUTPUT_SECRET, "new", 3, &err), EDS_ERR_EXISTS);
    assert_content(path, "old");
    assert_int_equal(unlink(path), 0);
    /* The name is taken while we write: whoever came first keeps it. */
    assert_int_equal(eds_output_open(&output, path, EDS_OUTPUT_SECRET, &err), EDS_OK);
    assert_int_equal(eds_output_write(&output, "new", 3, &err), EDS_OK);
    assert_int_equal(put(path, EDS_OUTPUT_SECRET, "first"), EDS_OK);
    assert_int_equal(eds_output_commit(&output, &err), EDS_ERR_EXISTS);
    assert_content(path, "first");
    assert_file_count(1);
}

static void test_discard(void **state)
{
    struct eds_output output = {.fd = -1};

    (void)state;
    eds_output_discard(&output); /* not opened: nothing happens */
    assert_int_equal(put(path, EDS_OUTPUT_PUBLIC, "old"), EDS_OK);
    assert_int_equal(eds_output_open(&output, path, EDS_OUTPUT_PUBLIC, NULL), EDS_OK);
    assert_int_equal(eds_output_write(&output, "new", 3, NULL), EDS_OK);
    assert_file_count(2);
    eds_output_discard(&output);
    eds_output_discard(&output);
    assert_content(path, "old");
    assert_file_count(1);
}

/* Longer than the buffer, in pieces of all sizes around it. */
static void test_long(void **state)
{
    static char text[300000];
    struct eds_output output;
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i + 1 < sizeof text; i++)
        text[i] = (char)('a' + i % 23);
    assert_int_equal(eds_output_open(&output, path, EDS_OUTPUT_PUBLIC, NULL), EDS_OK);
    for (size_t piece = 1; at < sizeof text - 1; piece = piece * 3 / 2 + 1) {
        size_t left = sizeof text - 1 - at;

        piece = piece < left ? piece : left;
        assert_int_equal(eds_output_write(&output, text + at, piece, NULL), EDS_OK);
        at += piece;
    }
    assert_int_equal(eds_output_commit(&output, NULL), EDS_OK);
    assert_content(path, text);
}

/* A file that can't be written to its end leaves the old one as it was. */
static void test_full(void **state)
{
    static char text[100000];
    struct rlimit before, small = {40000, RLIM_INFINITY};
    struct eds_error err;

    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(put(path, EDS_OUTPUT_PUBLIC, "old"), EDS_OK);
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(eds_output_file(path, EDS_OUTPUT_PUBLIC, text, sizeof text, &err), EDS_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_non_null(strstr(err.text, "File too large (os error 27): "));
    assert_content(path, "old");
    assert_file_count(1);
}

static void test_links(void **state)
{
    char link_path[sizeof path + 8];

    (void)state;
    snprintf(link_path, sizeof link_path, "%s.link", path);
    assert_int_equal(put(path, EDS_OUTPUT_PUBLIC, "old"), EDS_OK);
    assert_int_equal(symlink("file", link_path), 0);
    assert_int_equal(put(link_path, EDS_OUTPUT_PUBLIC, "new"), EDS_OK);
    assert_content(path, "new");
    assert_int_equal(put(link_path, EDS_OUTPUT_SECRET, "key"), EDS_ERR_EXISTS);
    assert_int_equal(unlink(path), 0); /* now it leads nowhere */
    assert_int_equal(put(link_path, EDS_OUTPUT_SECRET, "key"), EDS_ERR_EXISTS);
    assert_file_count(1);
}

/* What is no regular file is written, not replaced. */
static void test_pipe(void **state)
{
    char got[8] = "";
    struct stat file;
    int fd;

    (void)state;
    assert_int_equal(mkfifo(path, 0600), 0);
    fd = open(path, O_RDWR | O_NONBLOCK);
    assert_true(fd >= 0);
    assert_int_equal(put(path, EDS_OUTPUT_SECRET, "key"), EDS_OK);
    assert_int_equal(read(fd, got, sizeof got - 1), 3);
    assert_string_equal(got, "key");
    close(fd);
    assert_int_equal(stat(path, &file), 0);
    assert_true(S_ISFIFO(file.st_mode));
    assert_int_equal(put("/dev/null", EDS_OUTPUT_SECRET, "key"), EDS_OK);
    assert_int_equal(stat("/dev/null", &file), 0);
    assert_true(S_ISCHR(file.st_mode));
    assert_file_count(1);
}

static void test_errors(void **state)
{
    char missing[sizeof path + 8];
    struct eds_error err;

    (void)state;
    snprintf(missing, sizeof missing, "%s/no/file", directory);
    assert_int_equal(eds_output_file(missing, EDS_OUTPUT_PUBLIC, "", 0, &err), EDS_ERR_IO);
    assert_non_null(strstr(err.text, "No such file or directory (os error 2): "));
    assert_int_equal(eds_output_file(directory, EDS_OUTPUT_PUBLIC, "", 0, &err), EDS_ERR_IO);
    assert_non_null(strstr(err.text, "Is a directory (os error 21): "));
    assert_int_equal(eds_output_file("", EDS_OUTPUT_PUBLIC, "", 0, &err), EDS_ERR_IO);
    assert_file_count(0);
}

/* The buffer held a key: it does not stay in memory. */
static void test_wiped(void **state)
{
    static struct eds_output output;

    (void)state;
    assert_int_equal(eds_output_open(&output, path, EDS_OUTPUT_SECRET, NULL), EDS_OK);
    assert_int_equal(eds_output_write(&output, "secret", 6, NULL), EDS_OK);
    assert_int_equal(eds_output_commit(&output, NULL), EDS_OK);
    assert_null(memmem(output.buf, sizeof output.buf, "secret", 6));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_modes, begin, end),
        cmocka_unit_test_setup_teardown(test_never_replaced, begin, end),
        cmocka_unit_test_setup_teardown(test_discard, begin, end),
        cmocka_unit_test_setup_teardown(test_long, begin, end),
        cmocka_unit_test_setup_teardown(test_full, begin, end),
        cmocka_unit_test_setup_teardown(test_links, begin, end),
        cmocka_unit_test_setup_teardown(test_pipe, begin, end),
        cmocka_unit_test_setup_teardown(test_errors, begin, end),
        cmocka_unit_test_setup_teardown(test_wiped, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
