/* scene.c - see scene.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "ingest/scene.h"

int scene_set(void **state)
{
    struct scene *scene = calloc(1, sizeof *scene);

    assert_non_null(scene);
    scene->registry = eds_registry_create();
    assert_non_null(scene->registry);
    scene->inner = open_ledger("memory:");
    faulty_make(&scene->ledger, scene->inner);
    device_make(&scene->a, "lift-a", 1);
    device_make(&scene->b, "lift-b", 2);
    device_make(&scene->plug, "plug", 3);
    device_register(&scene->a, scene->registry, false);
    device_register(&scene->b, scene->registry, false);
    device_register(&scene->plug, scene->registry, false);
    scene->config =
        (struct eds_ingest_config){.ledger = &scene->ledger.base, .registry = scene->registry};
    scene->ingest = start(&scene->config);
    tally_make(&scene->tally);
    *state = scene;
    return 0;
}

int scene_end(void **state)
{
    struct scene *scene = *state;

    eds_ingest_stop(scene->ingest);
    faulty_free(&scene->ledger);
    scene->inner->ops->close(scene->inner);
    eds_registry_destroy(scene->registry);
    tally_free(&scene->tally);
    free(scene);
    return 0;
}

void scene_restart(struct scene *scene)
{
    eds_ingest_stop(scene->ingest);
    scene->ingest = start(&scene->config);
}

void batch_begin(struct scene *scene)
{
    faulty_hold(&scene->ledger);
    device_next(&scene->plug, &scene->plug_parcel);
    tally_submit(&scene->tally, scene->ingest, &scene->plug_parcel);
    faulty_await(&scene->ledger);
}

void batch_add(struct scene *scene, struct parcel *parcel)
{
    tally_submit(&scene->tally, scene->ingest, parcel);
}

void batch_end(struct scene *scene)
{
    faulty_release(&scene->ledger);
    tally_wait(&scene->tally);
}

void answered(const struct parcel *parcel, enum eds_verdict verdict)
{
    if (parcel->submission.verdict != verdict)
        fail_msg("%s instead of %s: %s", eds_verdict_name(parcel->submission.verdict),
                 eds_verdict_name(verdict), parcel->submission.message);
    assert_int_equal(strlen(parcel->submission.message) == 0, verdict == EDS_VERDICT_ACCEPTED);
}

void scene_stored(struct scene *scene, const char *device_id, uint64_t count)
{
    assert_int_equal(stored_count(scene->inner, device_id), count);
}

struct eds_ledger_counts scene_counts(struct scene *scene)
{
    struct eds_ledger_counts counts;

    assert_int_equal(scene->inner->ops->counts(scene->inner, &counts, NULL), EDS_OK);
    return counts;
}
