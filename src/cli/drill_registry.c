/* drill_registry.c - see drill_registry.h. */
#include "cli/drill_registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct comparison {
    struct eds_drill_registry *out;
    struct eds_ledger *copy;
    struct eds_enrolment in_copy;
    struct eds_error *err;
};

static bool has_same_keys(const struct eds_enrolment *a, const struct eds_enrolment *b)
{
    if (a->key_count != b->key_count)
        return false;
    for (uint32_t i = 0; i < a->key_count; i++)
        if (memcmp(a->keys[i].public_key, b->keys[i].public_key, EDS_PUBLIC_KEY_SIZE) != 0 ||
            a->keys[i].not_before_ms != b->keys[i].not_before_ms ||
            a->keys[i].not_after_ms != b->keys[i].not_after_ms ||
            a->keys[i].not_after_sequence != b->keys[i].not_after_sequence ||
            a->keys[i].revoked != b->keys[i].revoked)
            return false;
    return true;
}

/* Only what decides on records; labels do not. */
static void describe(char *out, size_t out_size, const struct eds_enrolment *now,
                     const struct eds_enrolment *in_copy)
{
    const char *state = eds_device_state_name(now->state);

    *out = '\0';
    if (in_copy == NULL)
        snprintf(out, out_size, "%s, in the copy not registered", state);
    else if (now->state != in_copy->state)
        snprintf(out, out_size, "%s, in the copy %s", state, eds_device_state_name(in_copy->state));
    else if (!has_same_keys(now, in_copy))
        snprintf(out, out_size, "in the copy with its keys of before");
    else if (now->attest_required != in_copy->attest_required)
        snprintf(out, out_size, "in the copy attestations are %s",
                 in_copy->attest_required ? "required" : "optional");
}

static int32_t visit(void *context, const struct eds_enrolment *now)
{
    struct comparison *comparison = context;
    struct eds_drill_registry *out = comparison->out;
    struct eds_drill_change change = {.role = now->role};
    int32_t rc = comparison->copy->roster->find(comparison->copy, now->role, now->id,
                                                &comparison->in_copy, comparison->err);

    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        return rc;
    describe(change.what, sizeof change.what, now, rc == EDS_OK ? &comparison->in_copy : NULL);
    if (change.what[0] == '\0')
        return EDS_OK;
    memcpy(change.id, now->id, sizeof change.id);
    if (out->change_count < EDS_DRILL_CHANGES_MAX)
        out->changes[out->change_count++] = change;
    else
        out->left_count++;
    return EDS_OK;
}

int32_t eds_drill_registry_compare(struct eds_drill_registry *out, struct eds_ledger *copy,
                                   struct eds_ledger *other, struct eds_error *err)
{
    struct comparison *comparison = malloc(sizeof *comparison);
    uint64_t version = 0;
    int32_t rc;

    memset(out, 0, sizeof *out);
    if (comparison == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "out of memory");
    *comparison = (struct comparison){.out = out, .copy = copy, .err = err};
    rc = copy->roster->version(copy, &version, err);
    if (rc == EDS_OK)
        rc = other->roster->changed(other, version, visit, comparison, err);
    free(comparison);
    return rc;
}

void eds_drill_registry_print(const struct eds_drill_registry *found)
{
    for (size_t i = 0; i < found->change_count; i++)
        printf("UNDONE %s=%s: %s\n", eds_role_name(found->changes[i].role), found->changes[i].id,
               found->changes[i].what);
    if (found->left_count > 0)
        printf("UNDONE and %" PRIu64 " more\n", found->left_count);
}

void eds_drill_registry_json(struct eds_json_out *json, const struct eds_drill_registry *found)
{
    eds_out_u64(json, "undone_count", found->change_count + found->left_count);
    eds_out_array_begin(json, "undone");
    for (size_t i = 0; i < found->change_count; i++) {
        eds_out_object_begin(json);
        eds_out_string(json, "role", eds_role_name(found->changes[i].role));
        eds_out_string(json, "id", found->changes[i].id);
        eds_out_string(json, "what", found->changes[i].what);
        eds_out_object_end(json);
    }
    eds_out_array_end(json);
}
