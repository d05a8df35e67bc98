/* test_ledger_postgres_objects.c - payloads beside a ledger in PostgreSQL: the promises of
 * every store, and what is special about rows. */
#include "store/objects_conformance.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "support/postgres.h"

#define MIB      1048576u
#define SQL_SIZE 1024u

static struct postgres_server server;
static char url[POSTGRES_URL_SIZE], schema[64];

/* An empty place, unless there is one already. */
static void take_place(void)
{
    const char *path;

    if (url[0] != '\0')
        return;
    postgres_place(&server, server.port, url);
    path = strstr(url, "search_path%3D");
    assert_non_null(path);
    snprintf(schema, sizeof schema, "%.*s", (int)strcspn(path + 14, "&"), path + 14);
}

static struct eds_objects *open_as(bool read_only)
{
    struct eds_objects *objects = NULL;
    struct eds_error err;

    take_place();
    if (eds_objects_open_postgres(&objects, url, read_only, &err) != EDS_OK)
        fprintf(stderr, "%s\n", err.text);
    return objects;
}

static struct eds_objects *open_objects(void)
{
    return open_as(false);
}

static void clean(void)
{
    url[0] = '\0'; /* the next one has a place of its own */
}

static void put_well(struct eds_objects *objects, const void *payload, size_t size)
{
    struct eds_error err = {.text = ""};

    if (objects_put(objects, "x", payload, size, &err) != EDS_OK)
        fail_msg("%zu bytes: %s", size, err.text);
}

static void spoil(const struct eds_object_name *name, const void *bytes, size_t size)
{
    struct eds_objects *objects = open_objects();
    char sql[SQL_SIZE], hash[2 * EDS_HASH_SIZE + 1], digits[2 * 64 + 1];

    put_well(objects, "so that there are tables", 24);
    objects->ops->close(objects);
    assert_true(size <= 64);
    eds_hex_encode(hash, name->payload_hash, EDS_HASH_SIZE);
    eds_hex_encode(digits, bytes, size);
    snprintf(sql, sizeof sql,
             "SET search_path = %s; INSERT INTO payload_objects(payload_hash, size)"
             " VALUES('\\x%s', %zu) ON CONFLICT(payload_hash) DO UPDATE SET size = %zu;"
             "DELETE FROM payload_parts WHERE payload_hash = '\\x%s';"
             "INSERT INTO payload_parts VALUES('\\x%s', 0, '\\x%s')",
             schema, hash, size, size, hash, hash, digits);
    postgres_sql(&server, sql);
}

/* Of each size around a row's: what goes in comes out, also of what was opened anew. */
static void test_sizes(void **state)
{
    static const size_t sizes[] = {0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB, 5 * MIB + 12345};
    struct eds_objects *objects = open_objects();
    uint8_t *payload = malloc(6 * MIB);

    (void)state;
    assert_non_null(payload);
    for (size_t i = 0; i < 6 * MIB; i++)
        payload[i] = (uint8_t)(i * 2654435761u >> 13);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        put_well(objects, payload + i, sizes[i]);
    objects->ops->close(objects);
    objects = open_as(true);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        objects_expect(objects, "x", payload + i, sizes[i]);
    objects->ops->close(objects);
    free(payload);
    clean();
}

/* Before the first one there are no tables: nothing to read, and that is no error. */
static void test_no_tables(void **state)
{
    struct eds_object_name name = objects_name("x", "payload", 7);
    struct eds_objects *objects = open_objects(), *reader = NULL;
    struct eds_object_put look = {.name = name, .only_look = true};
    struct eds_error err;
    size_t size;
    void *bytes;

    (void)state;
    assert_int_equal(eds_objects_put_wait(objects, &look), EDS_ERR_NOT_FOUND);
    assert_int_equal(eds_objects_open_postgres(&reader, url, true, &err), EDS_ERR_NOT_FOUND);
    put_well(objects, "payload", 7);
    assert_int_equal(eds_objects_put_wait(objects, &look), EDS_OK);
    reader = open_as(true);
    name.payload_hash[0] ^= 1;
    assert_int_equal(reader->ops->get(reader, &name, &bytes, &size, &err), EDS_ERR_NOT_FOUND);
    objects_expect(reader, "x", "payload", 7);
    reader->ops->close(reader);
    objects->ops->close(objects);
    clean();
}

/* A row that is missing, or was cut, is damage that is named, and no payload. */
static void test_damage(void **state)
{
    static const char *const edits[] = {
        "DELETE FROM payload_parts WHERE part = 1",
        "UPDATE payload_parts SET bytes = substr(bytes, 2) WHERE part = 1",
        "UPDATE payload_objects SET size = size + 1",
    };
    uint8_t *payload = calloc(3, MIB);
    struct eds_object_name name = objects_name("x", payload, 2 * MIB + 5);
    struct eds_error err;
    char sql[SQL_SIZE];
    size_t size;
    void *bytes;

    (void)state;
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct eds_objects *objects = open_objects();

        put_well(objects, payload, 2 * MIB + 5);
        snprintf(sql, sizeof sql, "SET search_path = %s; %s", schema, edits[i]);
        postgres_sql(&server, sql);
        err.text[0] = '\0';
        assert_int_equal(objects->ops->get(objects, &name, &bytes, &size, &err), EDS_ERR_IO);
        assert_non_null(strstr(err.text, "payload_parts"));
        objects->ops->close(objects);
        clean();
    }
    free(payload);
}

/* A server that went away and came back is found by the connections that were kept. */
static void test_restart(void **state)
{
    struct eds_objects *objects = open_objects();

    (void)state;
    put_well(objects, "before", 6);
    postgres_stop(&server, "immediate");
    postgres_up(&server);
    put_well(objects, "after", 5);
    objects_expect(objects, "x", "before", 6);
    objects_expect(objects, "x", "after", 5);
    objects->ops->close(objects);
    clean();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_no_tables),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_restart),
    };
    const struct objects_place place = {"postgresql", open_objects, clean, spoil};
    int failed;

    if (!postgres_start(&server))
        return 77;
    failed = objects_conformance_run(&place);
    failed += cmocka_run_group_tests(tests, NULL, NULL);
    postgres_remove(&server);
    return failed;
}
