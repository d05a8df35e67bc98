/* roster.c - what every store asks of changes to the registry. */
#include "store/roster.h"

#include <string.h>

#include "store/key_table.h"

static bool has_end(const char *text, size_t size)
{
    return memchr(text, '\0', size) != NULL;
}

static int32_t check_change(const struct eds_roster_change *change, struct eds_error *err)
{
    const struct eds_enrolment *it = change->enrolment;

    if (!has_end(it->id, sizeof it->id) || !has_end(it->site, sizeof it->site) ||
        !has_end(it->cohort, sizeof it->cohort) || !has_end(it->firmware, sizeof it->firmware))
        return eds_error_set(err, EDS_ERR_USAGE, "a text of a registry change has no end");
    if (it->id[0] == '\0')
        return eds_error_set(err, EDS_ERR_USAGE, "a registry change without an id");
    if (it->key_count == 0 || it->key_count > EDS_ENROLMENT_KEYS_MAX)
        return eds_error_set(err, EDS_ERR_USAGE, "%s has %u keys, and 1 to %u are possible", it->id,
                             it->key_count, EDS_ENROLMENT_KEYS_MAX);
    for (uint32_t i = 0; i < it->key_count; i++)
        for (uint32_t k = 0; k < i; k++)
            if (memcmp(it->keys[i].public_key, it->keys[k].public_key, EDS_PUBLIC_KEY_SIZE) == 0)
                return eds_error_set(err, EDS_ERR_USAGE, "%s has one key twice", it->id);
    if (change->who == NULL || change->who[0] == '\0' || change->why == NULL)
        return eds_error_set(err, EDS_ERR_USAGE, "the change of %s does not say who and why",
                             it->id);
    return EDS_OK;
}

/* One table of ids a role, so that the same name in two roles is two. */
static int32_t check_all(struct eds_key_table ids[EDS_ROLE_COUNT],
                         const struct eds_roster_change *changes, size_t count,
                         struct eds_error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct eds_enrolment *it = changes[i].enrolment;
        int32_t rc = check_change(&changes[i], err);

        if (rc != EDS_OK)
            return rc;
        if (eds_key_table_find(&ids[it->role], it->id) != EDS_KEY_ABSENT)
            return eds_error_set(err, EDS_ERR_USAGE, "%s is changed twice at once", it->id);
        rc = eds_key_table_add(&ids[it->role], it->id);
        if (rc != EDS_OK)
            return eds_error_set(err, rc, "no memory to change the registry");
    }
    return EDS_OK;
}

int32_t eds_roster_check_changes(const struct eds_roster_change *changes, size_t count,
                                 struct eds_error *err)
{
    struct eds_key_table ids[EDS_ROLE_COUNT] = {0};
    int32_t rc = EDS_OK;

    for (unsigned i = 0; rc == EDS_OK && i < EDS_ROLE_COUNT; i++)
        rc = eds_key_table_init(&ids[i], err);
    if (rc == EDS_OK)
        rc = check_all(ids, changes, count, err);
    for (unsigned i = 0; i < EDS_ROLE_COUNT; i++)
        eds_key_table_free(&ids[i]);
    return rc;
}

int32_t eds_roster_next(struct eds_roster_source *source, const struct eds_roster_change **changes,
                        size_t *count, struct eds_error *err)
{
    int32_t rc;

    *changes = NULL;
    *count = 0;
    rc = source->next(source, changes, count, err);
    return rc == EDS_OK ? eds_roster_check_changes(*changes, *count, err) : rc;
}
