/* test_check.c - checking many together gives what checking each alone gives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ingest/check.h"
#include "ingest/world.h"

#define DEVICE_COUNT 6u
#define PARCEL_COUNT 600u
#define BIG_SIZE     (EDS_CHECK_SMALL_MAX + 1u)
#define NOW_MS       1000000u

struct scene {
    struct eds_registry *registry;
    struct eds_checks checks;
    struct eds_check_desk *desk;
    struct device devices[DEVICE_COUNT], second; /* second: another key of devices[1] */
    struct parcel parcels[PARCEL_COUNT];
    uint8_t big[BIG_SIZE];
    uint32_t random;
};

static uint32_t random_below(struct scene *scene, uint32_t limit)
{
    scene->random = scene->random * 1664525u + 1013904223u;
    return (scene->random >> 8) % limit;
}

/* A good record, by either key, attested or not, and then one edit or none. */
static void fill(struct scene *scene, struct parcel *parcel)
{
    struct device *device = &scene->devices[random_below(scene, DEVICE_COUNT)];
    bool by_second = device == &scene->devices[1] && random_below(scene, 2) == 0;
    const uint8_t *seed = by_second ? scene->second.seed : device->seed;
    struct eds_entry *entry = &parcel->entry;

    parcel_fill(parcel, device->id, 1 + random_below(scene, 3), NULL, NULL, seed);
    if (random_below(scene, 40) == 0) {
        parcel->submission.request.payload = scene->big;
        parcel->submission.request.payload_size = BIG_SIZE;
        assert_int_equal(eds_record_sign(&entry->record, device->id, 1, 1, scene->big, BIG_SIZE,
                                         NULL, "test://big", seed, NULL),
                         EDS_OK);
    }
    parcel->submission.request.now_ms = NOW_MS;
    if (random_below(scene, 2) == 0)
        parcel_attest(parcel, seed);
    switch (random_below(scene, 16)) {
    case 0:
        entry->record.signature[random_below(scene, 64)] ^= 1;
        break;
    case 1:
        entry->record.payload_hash[random_below(scene, 32)] ^= 1;
        break;
    case 2:
        parcel->submission.request.payload_size--;
        break;
    case 3:
        entry->attestation.signature[random_below(scene, 64)] ^= 1;
        break;
    case 4:
        entry->attestation.key_id[0] ^= 1;
        break;
    case 5:
        entry->record.sequence++; /* breaks an attestation, and nothing else */
        break;
    case 6:
        parcel->submission.request.route_identity = "another";
        break;
    case 7: /* an attestation by another key of the device than the signature */
        parcel_attest(parcel, by_second ? device->seed : scene->second.seed);
        break;
    default:
        break;
    }
}

/* A device whose first key has ended; its second is valid now. */
static void enrol_with_ended_key(struct scene *scene, const struct device *device)
{
    struct eds_enrolment enrolment = {.state = EDS_DEVICE_ACTIVE, .key_count = 2};
    struct device next;

    device_make(&next, device->id, 100);
    strcpy(enrolment.id, device->id);
    device_key(device, enrolment.keys[0].public_key);
    device_key(&next, enrolment.keys[1].public_key);
    enrolment.keys[0].not_after_ms = NOW_MS;
    enrolment.keys[1].not_after_ms = EDS_KEY_NO_END;
    enrolment.keys[0].not_after_sequence = enrolment.keys[1].not_after_sequence = EDS_KEY_NO_END;
    assert_int_equal(eds_registry_put(scene->registry, &enrolment, NULL), EDS_OK);
}

static int set_scene(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->random = 12345;
    scene->registry = eds_registry_create();
    scene->checks = (struct eds_checks){scene->registry, eds_key_tables_create(8)};
    scene->desk = eds_check_desk_create();
    for (unsigned i = 0; i < DEVICE_COUNT; i++) {
        char id[16];

        snprintf(id, sizeof id, "lift-%u", i);
        device_make(&scene->devices[i], id, i);
        if (i > 0 && i != 4) /* the first one is unknown */
            device_register(&scene->devices[i], scene->registry, i == 2);
    }
    device_make(&scene->second, "lift-1", 99);
    device_register(&scene->second, scene->registry, false);
    enrol_with_ended_key(scene, &scene->devices[4]);
    assert_int_equal(eds_registry_set_state(scene->registry, "lift-3", EDS_DEVICE_REVOKED), EDS_OK);
    for (unsigned i = 0; i < PARCEL_COUNT; i++)
        fill(scene, &scene->parcels[i]);
    *state = scene;
    return 0;
}

static int end_scene(void **state)
{
    struct scene *scene = *state;

    eds_check_desk_destroy(scene->desk);
    eds_key_tables_destroy(scene->checks.key_tables);
    eds_registry_destroy(scene->registry);
    free(scene);
    return 0;
}

/* What the gate says of a parcel by itself, with nothing found before. */
static enum eds_verdict check_alone(const struct scene *scene, const struct parcel *parcel,
                                    uint8_t hash[EDS_HASH_SIZE], char message[EDS_ERROR_TEXT_SIZE])
{
    struct eds_request request = parcel->submission.request;
    struct eds_device device;
    bool known = eds_registry_find(scene->registry, (const char *)parcel->entry.record.device_id,
                                   &device) == EDS_OK;

    request.key_tables = NULL;
    assert_null(request.findings);
    return eds_gate_check_request(&request, known ? &device : NULL, hash, message);
}

static void compare(const struct scene *scene, const struct parcel *parcel)
{
    const struct eds_submission *submission = &parcel->submission;
    uint8_t hash[EDS_HASH_SIZE];
    char message[EDS_ERROR_TEXT_SIZE];
    enum eds_verdict verdict = check_alone(scene, parcel, hash, message);

    assert_string_equal(eds_verdict_name(submission->verdict), eds_verdict_name(verdict));
    assert_string_equal(submission->message, message);
    assert_int_equal(submission->attest_required,
                     strcmp((const char *)parcel->entry.record.device_id, "lift-2") == 0);
    if (verdict == EDS_VERDICT_ACCEPTED)
        assert_memory_equal(submission->record_hash, hash, sizeof hash);
}

static void test_together_as_alone(void **state)
{
    struct scene *scene = *state;
    unsigned seen[EDS_VERDICT_OVERLOADED + 1] = {0};

    for (unsigned at = 0; at < PARCEL_COUNT;) {
        struct eds_submission *submissions[EDS_CHECK_MAX];
        unsigned left = PARCEL_COUNT - at, count = 1 + random_below(scene, EDS_CHECK_MAX);

        if (random_below(scene, 2) == 0)
            count = 1 + random_below(scene, 4);
        if (count > left)
            count = left;
        for (unsigned i = 0; i < count; i++) {
            submissions[i] = &scene->parcels[at + i].submission;
            eds_check_begin(submissions[i]);
        }
        eds_check_run(&scene->checks, scene->desk, submissions, count);
        for (unsigned i = 0; i < count; i++) {
            compare(scene, &scene->parcels[at + i]);
            seen[submissions[i]->verdict]++;
        }
        at += count;
    }
    for (unsigned verdict = 0; verdict < EDS_VERDICT_ATTESTATION_ABSENT; verdict++)
        assert_true(seen[verdict] > 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_together_as_alone, set_scene, end_scene),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
