/* test_objects_directory.c - payloads as files: the promises of every store,
 * and what is special about files. */
#include "store/objects_conformance.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hex.h"
#include "support/temp_dir.h"

#define PATH_SIZE (EDS_TEMP_DIR_SIZE + 128u)

static char root[EDS_TEMP_DIR_SIZE];

static struct eds_objects *open_as(bool read_only)
{
    struct eds_objects *objects = NULL;
    struct eds_error err;
    char url[PATH_SIZE];

    if (root[0] == '\0')
        temp_dir_make(root);
    snprintf(url, sizeof url, "file:%s/deep/payloads", root);
    if (eds_objects_open(&objects, url, read_only, &err) != EDS_OK)
        fprintf(stderr, "%s\n", err.text);
    return objects;
}

static struct eds_objects *open_directory(void)
{
    return open_as(false);
}

static void clean(void)
{
    temp_dir_remove(root);
    root[0] = '\0';
}

static void path_of(char out[PATH_SIZE], const struct eds_object_name *name)
{
    char digits[2 * EDS_HASH_SIZE + 1];

    eds_hex_encode(digits, name->payload_hash, EDS_HASH_SIZE);
    snprintf(out, PATH_SIZE, "%s/deep/payloads/%.2s/%s", root, digits, digits + 2);
}

static void write_file(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");

    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}

static void spoil(const struct eds_object_name *name, const void *bytes, size_t size)
{
    char path[PATH_SIZE];

    path_of(path, name);
    *strrchr(path, '/') = '\0';
    mkdir(path, 0700);
    path_of(path, name);
    write_file(path, bytes, size);
}

static unsigned incoming_count(void)
{
    char path[PATH_SIZE];
    unsigned count = 0;
    struct dirent *entry;
    DIR *dir;

    snprintf(path, sizeof path, "%s/deep/payloads/incoming", root);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir)) != NULL)
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

static void test_private(void **state)
{
    struct eds_objects *objects = open_directory();
    struct eds_object_name name = objects_name("x", "secret", 6);
    char path[PATH_SIZE];
    struct eds_error err;
    struct stat status;
    mode_t before = umask(0);

    (void)state;
    assert_non_null(objects);
    assert_int_equal(objects_put(objects, "x", "secret", 6, &err), EDS_OK);
    umask(before);
    path_of(path, &name);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    *strrchr(path, '/') = '\0';
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    assert_int_equal(incoming_count(), 0);
    objects->ops->close(objects);
    clean();
}

/* A full disk, played by a limit on the size of files: nothing is left, what
 * was there stays, and afterwards the same payload is stored. */
static void test_disk_full(void **state)
{
    struct eds_objects *objects = open_directory();
    uint8_t *payload = calloc(1, 100000);
    struct rlimit usual, small;
    struct eds_error err = {.text = ""};

    (void)state;
    assert_non_null(payload);
    assert_int_equal(objects_put(objects, "small", "x", 1, &err), EDS_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &usual), 0);
    small = usual;
    small.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    assert_int_equal(objects_put(objects, "large", payload, 100000, &err), EDS_ERR_IO);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &usual), 0);
    assert_non_null(strstr(err.text, "incoming"));
    assert_int_equal(incoming_count(), 0);
    objects_expect(objects, "small", "x", 1);
    assert_int_equal(objects_put(objects, "large", payload, 100000, &err), EDS_OK);
    objects_expect(objects, "large", payload, 100000);
    objects->ops->close(objects);
    free(payload);
    clean();
}

/* What stands in the way under a payload's name is never followed or waited for. */
static void test_no_file(void **state)
{
    struct eds_objects *objects = open_directory();
    struct eds_object_name name = objects_name("x", "payload", 7);
    char path[PATH_SIZE], target[PATH_SIZE];
    struct eds_error err;
    size_t size;
    void *bytes;

    (void)state;
    spoil(&name, "", 0); /* makes its directory */
    path_of(path, &name);
    snprintf(target, sizeof target, "%s/target", root);
    write_file(target, "payload", 7);

    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_int_equal(objects_put(objects, "x", "payload", 7, &err), EDS_ERR_IO);
    assert_int_equal(objects->ops->get(objects, &name, &bytes, &size, &err), EDS_ERR_IO);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_not_equal(objects_put(objects, "x", "payload", 7, &err), EDS_OK);
    assert_int_equal(objects->ops->get(objects, &name, &bytes, &size, &err), EDS_ERR_IO);
    assert_int_equal(unlink(path), 0);

    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(objects_put(objects, "x", "payload", 7, &err), EDS_ERR_IO);
    assert_int_equal(objects->ops->get(objects, &name, &bytes, &size, &err), EDS_ERR_IO);
    objects->ops->close(objects);
    clean();
}

static void test_too_large(void **state)
{
    struct eds_objects *objects = open_directory();
    struct eds_object_name name = objects_name("x", "x", 1);
    char path[PATH_SIZE];
    struct eds_error err;
    size_t size;
    void *bytes;

    (void)state;
    spoil(&name, "x", 1);
    path_of(path, &name);
    assert_int_equal(truncate(path, (off_t)EDS_OBJECT_SIZE_MAX + 1), 0);
    assert_int_equal(objects->ops->get(objects, &name, &bytes, &size, &err), EDS_ERR_TOO_LARGE);
    objects->ops->close(objects);
    clean();
}

/* What a crash left behind long ago goes at the next start; what may be another
 * server's, being written just now, stays. */
static void test_tidies(void **state)
{
    const struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    struct eds_objects *objects = open_directory();
    char path[PATH_SIZE];

    (void)state;
    objects->ops->close(objects);
    snprintf(path, sizeof path, "%s/deep/payloads/incoming/new", root);
    write_file(path, "x", 1);
    snprintf(path, sizeof path, "%s/deep/payloads/incoming/old", root);
    write_file(path, "x", 1);
    assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
    objects = open_directory();
    assert_int_equal(incoming_count(), 1);
    assert_int_equal(access(path, F_OK), -1);
    objects->ops->close(objects);
    clean();
}

static void test_read_only(void **state)
{
    struct eds_objects *objects;
    struct eds_error err;
    char url[PATH_SIZE];

    (void)state;
    temp_dir_make(root);
    snprintf(url, sizeof url, "file:%s/deep/payloads", root);
    assert_int_equal(eds_objects_open(&objects, url, true, &err), EDS_ERR_NOT_FOUND);
    snprintf(url, sizeof url, "%s/deep", root);
    assert_int_equal(access(url, F_OK), -1); /* it made nothing */
    objects = open_directory();
    assert_int_equal(objects_put(objects, "x", "payload", 7, &err), EDS_OK);
    objects->ops->close(objects);
    objects = open_as(true);
    assert_non_null(objects);
    objects_expect(objects, "x", "payload", 7);
    objects->ops->close(objects);
    clean();
}

static void test_urls(void **state)
{
    static const struct {
        const char *url, *says;
    } bad[] = {
        {"file:", "names no directory"},
        {"", "unknown store of payloads"},
        {"/var/payloads", "unknown store of payloads"},
        {"sqlite:payloads", "unknown store of payloads"},
        {"s3:bucket", "unknown store of payloads"},
    };
    struct eds_objects *objects;
    struct eds_error err;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(eds_objects_open(&objects, bad[i].url, false, &err), EDS_ERR_USAGE);
        assert_non_null(strstr(err.text, bad[i].says));
        assert_null(objects);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_private), cmocka_unit_test(test_disk_full),
        cmocka_unit_test(test_no_file), cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_tidies),  cmocka_unit_test(test_read_only),
        cmocka_unit_test(test_urls),
    };
    const struct objects_place place = {"file", open_directory, clean, spoil};
    int failed = objects_conformance_run(&place);

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
