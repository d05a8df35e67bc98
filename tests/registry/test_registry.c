/* test_registry.c - devices, their keys and states. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "registry/registry.h"
#include "support/alloc.h"

/* Whether malloc tells how much is in use. */
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define MALLOC_TELLS 1
#include <malloc.h>
#else
#define MALLOC_TELLS 0
#endif
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#undef MALLOC_TELLS
#define MALLOC_TELLS 0
#endif
#endif

typedef uint8_t public_key[EDS_PUBLIC_KEY_SIZE];

/* The public key of seed number n. */
static void make_key(public_key out, uint32_t n)
{
    uint8_t seed[EDS_SEED_SIZE] = {1};

    memcpy(seed + 1, &n, sizeof n);
    eds_ed25519_public_key(out, seed);
}

static int make_registry(void **state)
{
    *state = eds_registry_create();
    return *state == NULL ? -1 : 0;
}

static int destroy_registry(void **state)
{
    eds_registry_destroy(*state);
    return 0;
}

static void add(struct eds_registry *registry, const char *id, uint32_t key, bool attest_required)
{
    public_key bytes;
    struct eds_error err;

    make_key(bytes, key);
    if (eds_registry_add_key(registry, id, bytes, attest_required, &err) != EDS_OK)
        fail_msg("%s", err.text);
}

static void expect_refusal(struct eds_registry *registry, const char *id, const public_key key,
                           int32_t code, const char *text)
{
    struct eds_error err;
    size_t count = eds_registry_count(registry);

    assert_int_equal(eds_registry_add_key(registry, id, key, true, &err), code);
    assert_int_equal(err.code, code);
    assert_string_equal(err.text, text);
    assert_int_equal(eds_registry_count(registry), count);
}

static void test_find_what_was_added(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_device device;
    public_key key;

    assert_int_equal(eds_registry_find(registry, "lift-01", &device), EDS_ERR_NOT_FOUND);
    add(registry, "lift-01", 1, false);
    add(registry, "lift-02", 2, true);
    assert_int_equal(eds_registry_count(registry), 2);
    assert_int_equal(eds_registry_find(registry, "lift-01", &device), EDS_OK);
    make_key(key, 1);
    assert_string_equal(device.device_id, "lift-01");
    assert_int_equal(device.state, EDS_DEVICE_ACTIVE);
    assert_false(device.attest_required);
    assert_int_equal(device.key_count, 1);
    assert_memory_equal(device.keys[0].public_key, key, sizeof key);
    assert_int_equal(eds_registry_find(registry, "lift-02", &device), EDS_OK);
    assert_true(device.attest_required);
    for (size_t i = 0; i < 4; i++) {
        static const char *const others[] = {"LIFT-01", "lift-01 ", "lift-0", ""};

        assert_int_equal(eds_registry_find(registry, others[i], &device), EDS_ERR_NOT_FOUND);
    }
}

static void test_same_key_again_is_fine_and_keeps_the_stricter(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_device device;

    add(registry, "lift-01", 1, false);
    add(registry, "lift-01", 1, true);
    add(registry, "lift-01", 1, false);
    assert_int_equal(eds_registry_find(registry, "lift-01", &device), EDS_OK);
    assert_int_equal(device.key_count, 1);
    assert_true(device.attest_required);
    assert_int_equal(eds_registry_count(registry), 1);
}

static void test_several_keys(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_device device;
    public_key key;

    for (uint32_t i = 0; i < EDS_DEVICE_KEYS_MAX; i++)
        add(registry, "lift-01", i, i == 3);
    make_key(key, 99);
    expect_refusal(registry, "lift-01", key, EDS_ERR_TOO_LARGE,
                   "device lift-01 has 8 public keys: no more fit");
    add(registry, "lift-01", 4, false); /* one that it has is still fine */
    assert_int_equal(eds_registry_find(registry, "lift-01", &device), EDS_OK);
    assert_int_equal(device.key_count, EDS_DEVICE_KEYS_MAX);
    assert_true(device.attest_required);
    for (uint32_t i = 0; i < EDS_DEVICE_KEYS_MAX; i++) {
        char text[128];

        make_key(key, i);
        assert_memory_equal(device.keys[i].public_key, key, sizeof key);
        snprintf(text, sizeof text,
                 "public key for lift-02 belongs to lift-01: a key serves one device");
        expect_refusal(registry, "lift-02", key, EDS_ERR_EXISTS, text);
    }
}

static void test_a_key_serves_one_device(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_device device;
    public_key key;

    add(registry, "a", 1, false);
    add(registry, "b", 2, false);
    make_key(key, 1);
    expect_refusal(registry, "b", key, EDS_ERR_EXISTS,
                   "public key for b belongs to a: a key serves one device");
    expect_refusal(registry, "c", key, EDS_ERR_EXISTS,
                   "public key for c belongs to a: a key serves one device");
    assert_int_equal(eds_registry_find(registry, "b", &device), EDS_OK);
    assert_false(device.attest_required); /* the refused call asked for it */
    assert_int_equal(device.key_count, 1);
    assert_int_equal(eds_registry_find(registry, "c", &device), EDS_ERR_NOT_FOUND);
}

static void test_states(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_device device;

    add(registry, "lift-01", 1, false);
    for (unsigned i = 0; i < 4; i++) {
        static const enum eds_device_state states[] = {EDS_DEVICE_QUARANTINED, EDS_DEVICE_REVOKED,
                                                       EDS_DEVICE_RETIRED, EDS_DEVICE_ACTIVE};

        assert_int_equal(eds_registry_set_state(registry, "lift-01", states[i]), EDS_OK);
        assert_int_equal(eds_registry_find(registry, "lift-01", &device), EDS_OK);
        assert_int_equal(device.state, states[i]);
    }
    assert_int_equal(eds_registry_set_state(registry, "lift-02", EDS_DEVICE_REVOKED),
                     EDS_ERR_NOT_FOUND);
    /* A state outlives a new key, which moves the device in memory. */
    assert_int_equal(eds_registry_set_state(registry, "lift-01", EDS_DEVICE_REVOKED), EDS_OK);
    add(registry, "lift-01", 2, false);
    assert_int_equal(eds_registry_find(registry, "lift-01", &device), EDS_OK);
    assert_int_equal(device.state, EDS_DEVICE_REVOKED);
}

static void test_bad_ids(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_device device;
    char id[300];
    public_key key;

    make_key(key, 1);
    memset(id, 'x', sizeof id);
    id[256] = '\0';
    expect_refusal(registry, id, key, EDS_ERR_STRING_TOO_LONG,
                   "device id of 256 bytes is too long: at most 255 bytes");
    id[255] = '\0';
    assert_int_equal(eds_registry_add_key(registry, id, key, false, NULL), EDS_OK);
    assert_int_equal(eds_registry_find(registry, id, &device), EDS_OK);
    assert_string_equal(device.device_id, id);
    make_key(key, 2);
    expect_refusal(registry, "", key, EDS_ERR_USAGE, "a device id must not be empty");
    expect_refusal(registry, "lift-\xff", key, EDS_ERR_INVALID_UTF8,
                   "device id is not valid UTF-8 at byte 5");
    memset(id, 'y', sizeof id);
    id[299] = '\0';
    assert_int_equal(eds_registry_find(registry, id, &device), EDS_ERR_NOT_FOUND);
}

static void test_bad_keys(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_error err;
    static const struct {
        public_key key;
        enum eds_key_fault fault;
    } rows[] = {
        {{1}, EDS_KEY_SMALL_ORDER}, /* the neutral element */
        {{2}, EDS_KEY_NOT_ON_CURVE},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[160];

        snprintf(text, sizeof text, "invalid public key for lift-01: %s",
                 eds_key_fault_text(rows[i].fault));
        assert_int_equal(eds_registry_add_key(registry, "lift-01", rows[i].key, false, &err),
                         EDS_ERR_INVALID_KEY);
        assert_string_equal(err.text, text);
    }
    assert_int_equal(eds_registry_count(registry), 0);
}

/* Every allocation of a registry's life fails once; then the same call works
 * and nothing was lost. */
static void test_no_memory(void **state)
{
    (void)state;
    for (uint64_t n = 1;; n++) {
        struct eds_registry *registry;
        struct eds_device device;
        unsigned failures = 0;
        public_key key;

        alloc_fail_at(n);
        registry = eds_registry_create();
        if (registry == NULL) {
            failures++;
            registry = eds_registry_create();
            assert_non_null(registry);
        }
        for (uint32_t i = 0; i < 40; i++) {
            char id[16];
            int32_t rc;

            snprintf(id, sizeof id, "lift-%u", i / 2); /* two keys each */
            make_key(key, i);
            rc = eds_registry_add_key(registry, id, key, false, NULL);
            if (rc != EDS_OK) {
                assert_int_equal(rc, EDS_ERR_NO_MEMORY);
                failures++;
                add(registry, id, i, false);
            }
        }
        assert_true(failures <= 1);
        assert_int_equal(eds_registry_count(registry), 20);
        for (uint32_t i = 0; i < 20; i++) {
            char id[16];

            snprintf(id, sizeof id, "lift-%u", i);
            assert_int_equal(eds_registry_find(registry, id, &device), EDS_OK);
            assert_int_equal(device.key_count, 2);
        }
        alloc_fail_at(0);
        eds_registry_destroy(registry);
        if (failures == 0) {
            assert_true(n > 40); /* each block was tried */
            return;
        }
    }
}

struct sharing {
    struct eds_registry *registry;
    atomic_uint added;
    atomic_bool finished;
};

#define SHARED_COUNT 400u

static struct eds_enrolment enrolment_of(const char *id, uint32_t first_key, uint32_t key_count)
{
    struct eds_enrolment it = {.state = EDS_DEVICE_ACTIVE, .key_count = key_count};

    snprintf(it.id, sizeof it.id, "%s", id);
    for (uint32_t i = 0; i < key_count; i++) {
        make_key(it.keys[i].public_key, first_key + i);
        it.keys[i].not_before_ms = first_key + i;
        it.keys[i].not_after_ms = 1000 + i;
        it.keys[i].not_after_sequence = EDS_KEY_NO_END;
    }
    return it;
}

/* Puts an enrolment and finds all of it, or its newest keys. */
static void put(struct eds_registry *registry, const struct eds_enrolment *it)
{
    uint64_t generation = eds_registry_generation(registry);
    struct eds_device device;
    struct eds_error err;
    uint32_t skipped =
        it->key_count > EDS_DEVICE_KEYS_MAX ? it->key_count - EDS_DEVICE_KEYS_MAX : 0;

    if (eds_registry_put(registry, it, &err) != EDS_OK)
        fail_msg("%s", err.text);
    assert_true(eds_registry_generation(registry) > generation);
    assert_int_equal(eds_registry_find(registry, it->id, &device), EDS_OK);
    assert_int_equal(device.state, it->state);
    assert_int_equal(device.attest_required, it->attest_required);
    assert_int_equal(device.key_count, it->key_count - skipped);
    assert_memory_equal(device.keys, &it->keys[skipped], device.key_count * sizeof device.keys[0]);
}

static void test_put_replaces(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_enrolment it = enrolment_of("lift-01", 1, 2), other;
    public_key key;

    put(registry, &it);
    it.state = EDS_DEVICE_REVOKED;
    it.attest_required = true;
    it.keys[1].revoked = true;
    put(registry, &it);
    it = enrolment_of("lift-01", 1, EDS_ENROLMENT_KEYS_MAX);
    put(registry, &it);
    it = enrolment_of("lift-01", 3, 1); /* the others are free again */
    put(registry, &it);
    other = enrolment_of("lift-02", 1, 2);
    put(registry, &other);
    assert_int_equal(eds_registry_count(registry), 2);
    make_key(key, 3);
    expect_refusal(registry, "lift-03", key, EDS_ERR_EXISTS,
                   "public key for lift-03 belongs to lift-01: a key serves one device");
}

static void test_put_refuses(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_enrolment it = enrolment_of("lift-01", 1, 2), bad = enrolment_of("lift-02", 2, 2);
    struct eds_device before, after;
    struct eds_error err;

    put(registry, &it);
    assert_int_equal(eds_registry_find(registry, "lift-01", &before), EDS_OK);
    assert_int_equal(eds_registry_put(registry, &bad, &err), EDS_ERR_EXISTS);
    memset(bad.keys[0].public_key, 0, EDS_PUBLIC_KEY_SIZE);
    assert_int_equal(eds_registry_put(registry, &bad, &err), EDS_ERR_INVALID_KEY);
    strcpy(bad.id, "");
    assert_int_equal(eds_registry_put(registry, &bad, &err), EDS_ERR_USAGE);
    assert_int_equal(eds_registry_count(registry), 1);
    it.state = EDS_DEVICE_RETIRED;
    alloc_fail_at(1);
    assert_int_equal(eds_registry_put(registry, &it, &err), EDS_ERR_NO_MEMORY);
    alloc_fail_at(0);
    assert_int_equal(eds_registry_find(registry, "lift-01", &after), EDS_OK);
    assert_memory_equal(&before, &after, sizeof before);
    put(registry, &it);
}

/* What the store says goes before what --device said. */
static void test_put_takes_keys_of_added_ones(void **state)
{
    struct eds_registry *registry = *state;
    struct eds_enrolment it = enrolment_of("stored", 2, 2);
    struct eds_device device;
    public_key key;

    for (uint32_t i = 1; i < 5; i++)
        add(registry, "added", i, false);
    put(registry, &it);
    assert_int_equal(eds_registry_find(registry, "added", &device), EDS_OK);
    assert_string_equal(device.device_id, "added");
    assert_int_equal(device.key_count, 2);
    make_key(key, 1);
    assert_memory_equal(device.keys[0].public_key, key, sizeof key);
    make_key(key, 4);
    assert_memory_equal(device.keys[1].public_key, key, sizeof key);
    strcpy(it.id, "added"); /* now the added one is in the store as well */
    it = enrolment_of("added", 9, 1);
    put(registry, &it);
    add(registry, "another", 4, false); /* its old key is free */
}

/* Many devices come, change and change hands; all that is there is found. */
static void test_put_many_times(void **state)
{
    struct eds_registry *registry = *state;
    uint32_t first_keys[40] = {0}, next_key = 1;

    for (uint32_t step = 0; step < 600; step++) {
        uint32_t which = step * 7 % 40, count = step % 3 + 1;
        struct eds_enrolment it;
        char id[16];

        snprintf(id, sizeof id, "lift-%u", which);
        it = enrolment_of(id, next_key, count);
        first_keys[which] = next_key;
        next_key += count;
        put(registry, &it);
        for (uint32_t i = 0; i < 40; i++) {
            struct eds_device device;
            public_key key;

            snprintf(id, sizeof id, "lift-%u", i);
            if (first_keys[i] == 0 || step % 20 != 0)
                continue;
            assert_int_equal(eds_registry_find(registry, id, &device), EDS_OK);
            make_key(key, first_keys[i]);
            assert_memory_equal(device.keys[0].public_key, key, sizeof key);
        }
    }
}

static void *look_up(void *context)
{
    struct sharing *sharing = context;
    struct eds_device device;
    uintptr_t missing = 0;
    bool last = false;

    while (!last) {
        unsigned added;

        last = atomic_load(&sharing->finished);
        added = atomic_load(&sharing->added);
        for (unsigned i = 0; i < added; i += 7) {
            char id[16];

            snprintf(id, sizeof id, "lift-%u", i);
            if (eds_registry_find(sharing->registry, id, &device) != EDS_OK ||
                strcmp(device.device_id, id) != 0 || device.key_count == 0)
                missing++;
        }
    }
    return (void *)missing;
}

static void test_readers_while_devices_are_added(void **state)
{
    struct sharing sharing = {.registry = *state};
    pthread_t readers[3];

    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, look_up, &sharing), 0);
    for (uint32_t i = 0; i < SHARED_COUNT; i++) {
        char id[16];

        snprintf(id, sizeof id, "lift-%u", i);
        add(sharing.registry, id, i, false);
        if (i % 5 == 0)
            add(sharing.registry, id, i + 10000, false); /* moves the device */
        atomic_store(&sharing.added, i + 1);
    }
    atomic_store(&sharing.finished, true);
    for (size_t i = 0; i < 3; i++) {
        void *missing;

        assert_int_equal(pthread_join(readers[i], &missing), 0);
        assert_null(missing);
    }
}

#if MALLOC_TELLS
static size_t bytes_in_use(void)
{
    struct mallinfo2 info = mallinfo2();

    return info.uordblks + info.hblkhd;
}
#endif

/* 300 bytes are promised; an id of 16 bytes takes about half of that just after
 * the indexes have grown, when they are emptiest. */
static void test_memory_per_device(void **state)
{
#if MALLOC_TELLS
    struct eds_registry *registry = *state;
    size_t bytes = bytes_in_use(), count = 1537; /* the indexes grow at 1536 */

    for (uint32_t i = 0; i < count; i++) {
        char id[32];

        snprintf(id, sizeof id, "lift-%011u", i);
        add(registry, id, i, false);
    }
    bytes = (bytes_in_use() - bytes) / count;
    print_message("%zu bytes per registered device\n", bytes);
    assert_true(bytes > 64 && bytes <= 200);
#else
    (void)state;
    print_message("skipped: this libc or sanitizer does not tell the bytes in use\n");
    skip();
#endif
}

#define REGISTRY_TEST(f) cmocka_unit_test_setup_teardown(f, make_registry, destroy_registry)

int main(void)
{
    const struct CMUnitTest tests[] = {
        REGISTRY_TEST(test_find_what_was_added),
        REGISTRY_TEST(test_same_key_again_is_fine_and_keeps_the_stricter),
        REGISTRY_TEST(test_several_keys),
        REGISTRY_TEST(test_a_key_serves_one_device),
        REGISTRY_TEST(test_states),
        REGISTRY_TEST(test_bad_ids),
        REGISTRY_TEST(test_bad_keys),
        cmocka_unit_test(test_no_memory),
        REGISTRY_TEST(test_readers_while_devices_are_added),
        REGISTRY_TEST(test_put_replaces),
        REGISTRY_TEST(test_put_refuses),
        REGISTRY_TEST(test_put_takes_keys_of_added_ones),
        REGISTRY_TEST(test_put_many_times),
        REGISTRY_TEST(test_memory_per_device),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
