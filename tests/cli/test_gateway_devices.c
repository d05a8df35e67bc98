/* test_gateway_devices.c - the devices that a gateway verifies: read, read again, and
 * left as they are when the file is not good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/gateway_devices.h"
#include "support/alloc.h"
#include "support/temp_dir.h"

#define HEAD  "device_id,public_key,attest\n"
#define KEY_A "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
#define KEY_B "ca93ac1705187071d67b83c7ff0efe8108e8ec4530575d7726879333dbdabe7c"
#define KEY_C "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
#define A     "crane-a," KEY_A ",optional\n"
#define B     "crane-b," KEY_B ",required\n"

struct lab {
    char folder[EDS_TEMP_DIR_SIZE], path[EDS_TEMP_DIR_SIZE + 16];
    struct eds_registry *registry;
    struct eds_gateway_devices devices;
};

/* Puts another file in the place of the last one, with a time of its own. */
static void write_file(struct lab *lab, const char *text)
{
    static int64_t second = 1000000000;
    struct timespec times[2] = {{.tv_sec = second}, {.tv_sec = second}};
    FILE *file = fopen(lab->path, "w");

    second++;
    assert_non_null(file);
    assert_int_equal(fputs(text, file) >= 0, 1);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(utimensat(AT_FDCWD, lab->path, times, 0), 0);
}

static int32_t open_with(struct lab *lab, const char *text, struct eds_error *err)
{
    *lab = (struct lab){.registry = eds_registry_create()};
    temp_dir_make(lab->folder);
    snprintf(lab->path, sizeof lab->path, "%s/fleet.csv", lab->folder);
    write_file(lab, text);
    return eds_gateway_devices_open(&lab->devices, lab->path, lab->registry, err);
}

static void close_lab(struct lab *lab)
{
    eds_gateway_devices_close(&lab->devices);
    eds_registry_destroy(lab->registry);
    temp_dir_remove(lab->folder);
}

/* The state of a device; -1: it is not known. */
static int state_of(const struct lab *lab, const char *id)
{
    struct eds_device device;

    return eds_registry_find(lab->registry, id, &device) == EDS_OK ? (int)device.state : -1;
}

static void devices_are_read(void **state)
{
    struct eds_device device;
    struct eds_error err;
    struct lab lab;

    (void)state;
    assert_int_equal(open_with(&lab, HEAD A B, &err), EDS_OK);
    assert_int_equal(eds_registry_count(lab.registry), 2);
    assert_int_equal(eds_registry_find(lab.registry, "crane-b", &device), EDS_OK);
    assert_true(device.attest_required);
    assert_int_equal(device.key_count, 1);
    close_lab(&lab);
}

static void another_file_takes_its_place(void **state)
{
    struct eds_error err;
    struct lab lab;

    (void)state;
    assert_int_equal(open_with(&lab, HEAD A, &err), EDS_OK);
    write_file(&lab, HEAD B);
    eds_gateway_devices_reload(&lab.devices, false);
    assert_int_equal(state_of(&lab, "crane-a"), EDS_DEVICE_RETIRED);
    assert_int_equal(state_of(&lab, "crane-b"), EDS_DEVICE_ACTIVE);
    write_file(&lab, HEAD A B); /* it is back */
    eds_gateway_devices_reload(&lab.devices, false);
    assert_int_equal(state_of(&lab, "crane-a"), EDS_DEVICE_ACTIVE);
    close_lab(&lab);
}

/* One edit away from a good file that would retire crane-a. */
static void a_bad_file_changes_nothing(void **state)
{
    static const char *const bad[] = {
        "",
        HEAD,
        HEAD "crane-b,beef,required\n",
        HEAD B "crane-c," KEY_C ",perhaps\n",
        HEAD "," KEY_B ",required\n",
        "device_id,attest\ncrane-b,required\n",
        "[{\"device_id\":\"crane-b\",\"keys\":",
    };
    struct eds_error err;
    struct lab lab;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(open_with(&lab, HEAD A, &err), EDS_OK);
        write_file(&lab, bad[i]);
        eds_gateway_devices_reload(&lab.devices, false);
        if (state_of(&lab, "crane-a") != EDS_DEVICE_ACTIVE || state_of(&lab, "crane-b") != -1)
            fail_msg("file %zu was taken", i);
        close_lab(&lab);
        assert_int_not_equal(open_with(&lab, bad[i], &err), EDS_OK);
        assert_non_null(strstr(err.text, "fleet.csv: "));
        close_lab(&lab);
    }
}

static void only_what_has_changed_is_read(void **state)
{
    struct timespec same[2] = {{.tv_sec = 900000000}, {.tv_sec = 900000000}};
    struct eds_error err;
    struct lab lab;

    (void)state;
    assert_int_equal(open_with(&lab, HEAD A, &err), EDS_OK);
    write_file(&lab, HEAD A);
    assert_int_equal(utimensat(AT_FDCWD, lab.path, same, 0), 0);
    eds_gateway_devices_reload(&lab.devices, false);
    write_file(&lab, HEAD B);
    assert_int_equal(utimensat(AT_FDCWD, lab.path, same, 0), 0);
    eds_gateway_devices_reload(&lab.devices, false); /* looks the same */
    assert_int_equal(state_of(&lab, "crane-b"), -1);
    eds_gateway_devices_reload(&lab.devices, true); /* asked for */
    assert_int_equal(state_of(&lab, "crane-b"), EDS_DEVICE_ACTIVE);
    assert_int_equal(unlink(lab.path), 0);
    eds_gateway_devices_reload(&lab.devices, false);
    assert_int_equal(state_of(&lab, "crane-b"), EDS_DEVICE_ACTIVE);
    close_lab(&lab);
}

/* Whichever allocation fails: the devices before are there, and the next try does it. */
static void no_memory_is_told(void **state)
{
    struct eds_error err;
    int32_t rc = EDS_ERR_NO_MEMORY;
    struct lab lab;

    (void)state;
    assert_int_equal(open_with(&lab, HEAD A, &err), EDS_OK);
    for (uint64_t n = 1; rc != EDS_OK; n++) {
        struct eds_gateway_devices again;

        assert_true(n < 100);
        alloc_fail_at(n);
        rc = eds_gateway_devices_open(&again, lab.path, lab.registry, &err);
        alloc_fail_at(0);
        eds_gateway_devices_close(&again);
        assert_int_equal(state_of(&lab, "crane-a"), EDS_DEVICE_ACTIVE);
    }
    close_lab(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_are_read),
        cmocka_unit_test(another_file_takes_its_place),
        cmocka_unit_test(a_bad_file_changes_nothing),
        cmocka_unit_test(only_what_has_changed_is_read),
        cmocka_unit_test(no_memory_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
