/* test_import_limits.c - imports without memory, of a file that ends in a failure, and
 * of too many devices: nothing is half done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/features.h"
#include "fleet/import_sample.h"
#include "support/alloc.h"
#include "support/temp_dir.h"

/* One import with the n-th allocation failing; false when there are fewer. */
static bool import_without_memory(const char *url, const char *text, uint64_t n)
{
    struct eds_ledger *ledger = open_ledger(url);
    struct said said;
    bool did_fail;

    alloc_fail_at(n);
    said = import_text(ledger, text, EDS_FLEET_REFUSE);
    did_fail = alloc_count() >= n;
    alloc_fail_at(0);
    if (said.read_rc != EDS_OK || said.write_rc != EDS_OK) {
        assert_int_equal(said.read_rc != EDS_OK ? said.read_rc : said.write_rc, EDS_ERR_NO_MEMORY);
        assert_int_equal(version_of(ledger), 0);
        must_import(ledger, text);
    }
    assert_int_equal(version_of(ledger), 1);
    (void)find(ledger, "lift-0000");
    (void)find(ledger, "lift-0299");
    ledger->ops->close(ledger);
    return did_fail;
}

/* 300 devices: more than a batch. */
static char *make_rows(void)
{
    char *text = malloc(300 * 100 + 100);
    size_t size;

    assert_non_null(text);
    size = (size_t)sprintf(text, "device_id,public_key\n");
    for (uint32_t i = 0; i < 300; i++) {
        uint8_t key[EDS_PUBLIC_KEY_SIZE];

        sample_public_key(key, i);
        size += (size_t)sprintf(text + size, "lift-%04u,", i);
        for (size_t k = 0; k < sizeof key; k++)
            size += (size_t)sprintf(text + size, "%02x", key[k]);
        size += (size_t)sprintf(text + size, "\n");
    }
    return text;
}

static void test_no_memory(void **state)
{
    char directory[EDS_TEMP_DIR_SIZE], url[EDS_TEMP_DIR_SIZE + 32];
    char *text = make_rows();
    bool did_fail = true;
    uint64_t n;

    (void)state;
    /* The memory ledger has an allocation or more for each device: every 13th does. */
    for (n = 1; import_without_memory("memory:", text, n); n += n < 40 ? 1 : 13)
        ;
    assert_true(n > 100);
    did_fail = EDS_STORE_SQLITE;
    for (n = 1; did_fail; n++) {
        temp_dir_make(directory);
        snprintf(url, sizeof url, "sqlite:%s/ledger.db", directory);
        did_fail = import_without_memory(url, text, n);
        temp_dir_remove(directory);
    }
    assert_true(n > 10 || !EDS_STORE_SQLITE);
    free(text);
}

static void test_failed_read(void **state)
{
    struct eds_ledger *ledger = open_ledger("memory:");
    char *text = make_rows();
    struct text_file file = {
        .text = text, .size = strlen(text), .piece = 1000, .fail_at = strlen(text) - 500};
    struct eds_fleet_options options = {.now_ms = NOW_MS, .who = "alice", .why = ""};
    struct eds_fleet_import *import = eds_fleet_import_create(ledger, &options);
    struct eds_error err;

    (void)state;
    assert_non_null(import);
    assert_int_equal(eds_fleet_import_read(import, EDS_FLEET_GUESS, text_file_read, &file, &err),
                     EDS_ERR_IO);
    assert_int_equal(version_of(ledger), 0);
    eds_fleet_import_destroy(import);
    ledger->ops->close(ledger);
    free(text);
}

/* 300 devices where so many are allowed. */
static void test_too_many(void **state)
{
    char *text = make_rows();

    (void)state;
    for (uint64_t device_max = 299; device_max <= 300; device_max++) {
        struct eds_ledger *ledger = open_ledger("memory:");
        struct text_file file = {.text = text, .size = strlen(text), .piece = 1000};
        struct eds_fleet_options options = {
            .now_ms = NOW_MS, .who = "alice", .why = "", .device_max = device_max};
        struct eds_fleet_import *import = eds_fleet_import_create(ledger, &options);
        struct eds_error err = {EDS_OK, ""};

        assert_non_null(import);
        assert_int_equal(
            eds_fleet_import_read(import, EDS_FLEET_GUESS, text_file_read, &file, &err),
            device_max < 300 ? EDS_ERR_TOO_LARGE : EDS_OK);
        assert_int_equal(strncmp(err.text, "more than 299 devices", 21) == 0, device_max < 300);
        eds_fleet_import_destroy(import);
        ledger->ops->close(ledger);
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_failed_read),
        cmocka_unit_test(test_too_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
