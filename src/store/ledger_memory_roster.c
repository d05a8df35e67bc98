/* ledger_memory_roster.c - the registry in memory.
 *
 * A change first makes copies of all that is to be, then checks, and only then
 * puts the copies in their places, where nothing can fail any more.  Who has a
 * key is found by looking at all: this store is for tests and demos. */
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "store/ledger_memory.h"

/* An enrolment with the memory of the keys that it has. */
static struct eds_enrolment *copy_of(const struct eds_enrolment *it)
{
    struct eds_enrolment *copy = malloc(eds_enrolment_size(it));

    if (copy != NULL)
        eds_enrolment_copy(copy, it);
    return copy;
}

static void copy_out(struct eds_enrolment *out, const struct eds_enrolment *it)
{
    memset(out, 0, sizeof *out);
    eds_enrolment_copy(out, it);
}

static size_t place_of(const struct memory_ledger *memory, enum eds_role role, const char *id)
{
    return eds_key_table_find(&memory->enrolled_ids[role], id);
}

/* The one among some enrolments that has a key. */
static const struct eds_enrolment *owner_among(struct eds_enrolment *const *some, size_t count,
                                               const uint8_t *public_key)
{
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < some[i]->key_count; k++)
            if (memcmp(some[i]->keys[k].public_key, public_key, EDS_PUBLIC_KEY_SIZE) == 0)
                return some[i];
    return NULL;
}

static const struct eds_enrolment *find_owner(const struct memory_ledger *memory,
                                              const uint8_t *public_key)
{
    const struct eds_enrolment *found = NULL;

    for (unsigned role = 0; found == NULL && role < EDS_ROLE_COUNT; role++)
        found = owner_among(memory->enrolments[role], memory->enrolled_ids[role].count, public_key);
    return found;
}

static bool is_same(const struct eds_enrolment *a, const struct eds_enrolment *b)
{
    return a->role == b->role && strcmp(a->id, b->id) == 0;
}

/* The keys that an enrolment has are where they were, and the new ones nobody's. */
static int32_t check_keys(const struct memory_ledger *memory, const struct eds_enrolment *it,
                          struct eds_enrolment *const *before, size_t before_count,
                          struct eds_error *err)
{
    char digits[2 * EDS_PUBLIC_KEY_SIZE + 1];

    for (uint32_t k = 0; k < it->key_count; k++) {
        const uint8_t *key = it->keys[k].public_key;
        const struct eds_enrolment *owner = find_owner(memory, key);

        if (owner == NULL)
            owner = owner_among(before, before_count, key);
        if (owner == NULL)
            continue;
        eds_hex_encode(digits, key, EDS_PUBLIC_KEY_SIZE);
        if (!is_same(owner, it))
            return eds_error_set(err, EDS_ERR_EXISTS,
                                 "public key %s for %s belongs to %s %s: a key serves one %s only",
                                 digits, it->id, eds_role_name(owner->role), owner->id,
                                 eds_role_name(owner->role));
        if (k >= owner->key_count ||
            memcmp(owner->keys[k].public_key, key, EDS_PUBLIC_KEY_SIZE) != 0)
            return eds_error_set(err, EDS_ERR_USAGE, "the keys of %s are out of order", it->id);
    }
    return EDS_OK;
}

static int32_t check_one(const struct memory_ledger *memory, const struct eds_enrolment *it,
                         struct eds_error *err)
{
    size_t place = place_of(memory, it->role, it->id);
    bool known = place != EDS_KEY_ABSENT;

    if (it->revision == 0 && known)
        return eds_error_set(err, EDS_ERR_HEAD_MOVED, "%s %s is registered already",
                             eds_role_name(it->role), it->id);
    if (it->revision != 0 &&
        (!known || memory->enrolments[it->role][place]->revision != it->revision))
        return eds_error_set(err, EDS_ERR_HEAD_MOVED, "%s %s was changed meanwhile",
                             eds_role_name(it->role), it->id);
    if (known && memory->enrolments[it->role][place]->state == EDS_DEVICE_QUARANTINED &&
        it->state == EDS_DEVICE_ACTIVE && it->quarantine_arrived != EDS_ARRIVED_ANY &&
        memory->enrolments[it->role][place]->quarantine_arrived != it->quarantine_arrived)
        return eds_error_set(err, EDS_ERR_HEAD_MOVED, "%s %s has sent records meanwhile",
                             eds_role_name(it->role), it->id);
    return EDS_OK;
}

/* Adds a new one; the copy is the list's from then on. */
static int32_t add(struct memory_ledger *memory, struct eds_enrolment *copy)
{
    enum eds_role role = copy->role;
    size_t count = memory->enrolled_ids[role].count;
    struct eds_enrolment **list = eds_memory_grown(
        memory->enrolments[role], &memory->enrolment_capacity[role], count, sizeof(*list));

    if (list == NULL)
        return EDS_ERR_NO_MEMORY;
    memory->enrolments[role] = list;
    if (eds_key_table_add(&memory->enrolled_ids[role], copy->id) != EDS_OK)
        return EDS_ERR_NO_MEMORY;
    list[count] = copy;
    return EDS_OK;
}

/* A change under way: the copies, and which of them are in the lists as new. */
struct changing {
    struct memory_ledger *memory;
    const struct eds_roster_change *changes;
    size_t count;
    struct eds_enrolment **copies;
    size_t added_count[EDS_ROLE_COUNT]; /* at the ends of the lists */
    size_t operation_count;             /* before */
    uint64_t changed_count;             /* before */
};

/* Only the store counts what is kept apart. */
static void take_counts(const struct memory_ledger *memory, struct eds_enrolment *copy)
{
    size_t place = place_of(memory, copy->role, copy->id);
    const struct eds_enrolment *was =
        place != EDS_KEY_ABSENT ? memory->enrolments[copy->role][place] : NULL;

    copy->quarantine_arrived = was != NULL ? was->quarantine_arrived : 0;
    copy->quarantine_left = was != NULL ? was->quarantine_left : 0;
}

static int32_t make_copies(struct changing *c, struct eds_error *err)
{
    c->copies = calloc(c->count, sizeof(*c->copies));
    for (size_t i = 0; c->copies != NULL && i < c->count; i++) {
        int32_t rc = check_one(c->memory, c->changes[i].enrolment, err);

        if (rc == EDS_OK)
            rc = check_keys(c->memory, c->changes[i].enrolment, c->copies, i, err);
        if (rc != EDS_OK)
            return rc;
        c->copies[i] = copy_of(c->changes[i].enrolment);
        if (c->copies[i] == NULL)
            return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to change the registry");
        c->copies[i]->revision = c->memory->roster_version + 1;
        take_counts(c->memory, c->copies[i]);
    }
    return c->copies != NULL
               ? EDS_OK
               : eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to change the registry");
}

/* All that can fail: new ones at the ends of their lists, and the log. */
static int32_t put(struct changing *c, uint64_t now_ms, struct eds_error *err)
{
    for (size_t i = 0; i < c->count; i++) {
        const struct eds_roster_change *change = &c->changes[i];
        struct eds_operation line = {EDS_DECISION_CHANGED, change->enrolment->id, 0,
                                     change->message,      change->who,           change->why};
        int32_t rc;

        if (change->enrolment->revision == 0) {
            if (add(c->memory, c->copies[i]) != EDS_OK)
                return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to change the registry");
            c->added_count[change->enrolment->role]++;
        }
        rc = eds_memory_add_operation(c->memory, &line, now_ms, err);
        if (rc != EDS_OK)
            return rc;
    }
    return EDS_OK;
}

static void undo(struct changing *c)
{
    struct memory_ledger *memory = c->memory;

    for (unsigned role = 0; role < EDS_ROLE_COUNT; role++)
        while (c->added_count[role] > 0) { /* the copies are freed by the caller */
            eds_key_table_pop(&memory->enrolled_ids[role]);
            c->added_count[role]--;
        }
    while (memory->operation_count > c->operation_count)
        free(memory->operations[--memory->operation_count]);
    memory->changed_count = c->changed_count;
    for (size_t i = 0; c->copies != NULL && i < c->count; i++)
        free(c->copies[i]);
}

/* What is changed goes into the place of what it was, and so does its id, which
 * the table of ids points to. */
static void replace(struct changing *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct eds_enrolment *copy = c->copies[i];
        size_t place;

        if (c->changes[i].enrolment->revision == 0)
            continue;
        place = place_of(c->memory, copy->role, copy->id);
        c->memory->enrolled_ids[copy->role].items[place].key = copy->id;
        free(c->memory->enrolments[copy->role][place]);
        c->memory->enrolments[copy->role][place] = copy;
    }
}

static int32_t memory_change(struct eds_ledger *ledger, const struct eds_roster_change *changes,
                             size_t count, uint64_t now_ms, struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    struct changing c = {.memory = memory,
                         .changes = changes,
                         .count = count,
                         .operation_count = memory->operation_count,
                         .changed_count = memory->changed_count};
    int32_t rc = eds_roster_check_changes(changes, count, err);

    if (rc != EDS_OK || count == 0)
        return rc;
    rc = make_copies(&c, err);
    if (rc == EDS_OK)
        rc = put(&c, now_ms, err);
    if (rc == EDS_OK) {
        replace(&c);
        memory->roster_version++;
    } else {
        undo(&c);
    }
    free(c.copies);
    return rc;
}

/* Changes that are kept while their source goes on. */
struct kept {
    struct eds_roster_change *changes;
    size_t count, capacity;
};

static int32_t keep(struct kept *kept, const struct eds_roster_change *change,
                    struct eds_error *err)
{
    struct eds_roster_change *grown =
        eds_memory_grown(kept->changes, &kept->capacity, kept->count, sizeof *grown);
    struct eds_enrolment *copy = copy_of(change->enrolment);
    char *message = strdup(change->message);

    if (grown != NULL)
        kept->changes = grown;
    if (grown == NULL || copy == NULL || message == NULL) {
        free(copy);
        free(message);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to change the registry");
    }
    grown[kept->count++] = (struct eds_roster_change){copy, message, change->who, change->why};
    return EDS_OK;
}

static void forget(struct kept *kept)
{
    for (size_t i = 0; i < kept->count; i++) {
        free((void *)(uintptr_t)kept->changes[i].enrolment);
        free((void *)(uintptr_t)kept->changes[i].message);
    }
    free(kept->changes);
}

/* All that is kept here is in memory anyway.  who and why are one operator's, and
 * live as long as the source. */
static int32_t memory_change_all(struct eds_ledger *ledger, struct eds_roster_source *source,
                                 uint64_t now_ms, struct eds_error *err)
{
    struct kept kept = {.count = 0};
    const struct eds_roster_change *changes;
    size_t count;
    int32_t rc;

    do {
        rc = eds_roster_next(source, &changes, &count, err);
        for (size_t i = 0; rc == EDS_OK && i < count; i++)
            rc = keep(&kept, &changes[i], err);
    } while (rc == EDS_OK && count > 0);
    if (rc == EDS_OK)
        rc = memory_change(ledger, kept.changes, kept.count, now_ms, err);
    forget(&kept);
    return rc;
}

static int32_t memory_version(struct eds_ledger *ledger, uint64_t *out, struct eds_error *err)
{
    (void)err;
    *out = ((struct memory_ledger *)ledger)->roster_version;
    return EDS_OK;
}

static int32_t memory_find(struct eds_ledger *ledger, enum eds_role role, const char *id,
                           struct eds_enrolment *out, struct eds_error *err)
{
    struct memory_ledger *memory = (struct memory_ledger *)ledger;
    size_t place = place_of(memory, role, id);

    if (place == EDS_KEY_ABSENT)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "no %s %s is registered", eds_role_name(role),
                             id);
    copy_out(out, memory->enrolments[role][place]);
    return EDS_OK;
}

static int32_t memory_owner(struct eds_ledger *ledger,
                            const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                            struct eds_key_owner *out, struct eds_error *err)
{
    const struct eds_enrolment *owner = find_owner((struct memory_ledger *)ledger, public_key);

    if (owner == NULL)
        return eds_error_set(err, EDS_ERR_NOT_FOUND, "the key is not registered");
    out->role = owner->role;
    strcpy(out->id, owner->id);
    return EDS_OK;
}

static int32_t memory_find_many(struct eds_ledger *ledger, enum eds_role role,
                                const char *const *ids, size_t count, eds_roster_visit *visit,
                                void *context, struct eds_error *err)
{
    struct eds_enrolment *shown = malloc(sizeof *shown);
    int32_t rc = EDS_OK;

    if (shown == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read the registry");
    for (size_t i = 0; rc == EDS_OK && i < count; i++) {
        if (place_of((struct memory_ledger *)ledger, role, ids[i]) == EDS_KEY_ABSENT)
            continue;
        rc = memory_find(ledger, role, ids[i], shown, err);
        if (rc == EDS_OK)
            rc = visit(context, shown);
    }
    free(shown);
    return rc;
}

static int32_t memory_owners(struct eds_ledger *ledger, const uint8_t *const *public_keys,
                             size_t count, struct eds_key_owner *out, struct eds_error *err)
{
    (void)err;
    for (size_t i = 0; i < count; i++) {
        memset(&out[i], 0, sizeof out[i]);
        (void)memory_owner(ledger, public_keys[i], &out[i], NULL);
    }
    return EDS_OK;
}

static int by_id(const void *a, const void *b)
{
    const struct eds_enrolment *const *left = a, *const *right = b;

    return strcmp((*left)->id, (*right)->id);
}

static int by_revision(const void *a, const void *b)
{
    const struct eds_enrolment *const *left = a, *const *right = b;

    if ((*left)->revision != (*right)->revision)
        return (*left)->revision < (*right)->revision ? -1 : 1;
    if ((*left)->role != (*right)->role)
        return (*left)->role < (*right)->role ? -1 : 1;
    return by_id(a, b);
}

/* Visits those of first to last role with a revision above since, in an order. */
static int32_t walk(struct memory_ledger *memory, unsigned first, unsigned last, uint64_t since,
                    int (*order)(const void *, const void *), eds_roster_visit *visit,
                    void *context, struct eds_error *err)
{
    struct eds_enrolment **sorted, *shown = malloc(sizeof *shown);
    size_t count = 0, room = 1;
    int32_t rc = EDS_OK;

    for (unsigned role = first; role <= last; role++)
        room += memory->enrolled_ids[role].count;
    sorted = malloc(room * sizeof(*sorted));
    if (sorted == NULL || shown == NULL) {
        free(sorted);
        free(shown);
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory to read the registry");
    }
    for (unsigned role = first; role <= last; role++)
        for (size_t i = 0; i < memory->enrolled_ids[role].count; i++)
            if (memory->enrolments[role][i]->revision > since)
                sorted[count++] = memory->enrolments[role][i];
    qsort(sorted, count, sizeof(*sorted), order);
    for (size_t i = 0; rc == EDS_OK && i < count; i++) {
        copy_out(shown, sorted[i]);
        rc = visit(context, shown);
    }
    free(sorted);
    free(shown);
    return rc;
}

static int32_t memory_scan(struct eds_ledger *ledger, enum eds_role role, eds_roster_visit *visit,
                           void *context, struct eds_error *err)
{
    return walk((struct memory_ledger *)ledger, role, role, 0, by_id, visit, context, err);
}

static int32_t memory_changed(struct eds_ledger *ledger, uint64_t since, eds_roster_visit *visit,
                              void *context, struct eds_error *err)
{
    return walk((struct memory_ledger *)ledger, 0, EDS_ROLE_COUNT - 1, since, by_revision, visit,
                context, err);
}

void eds_memory_roster_free(struct memory_ledger *memory)
{
    for (unsigned role = 0; role < EDS_ROLE_COUNT; role++) {
        for (size_t i = 0; i < memory->enrolled_ids[role].count; i++)
            free(memory->enrolments[role][i]);
        free(memory->enrolments[role]);
        eds_key_table_free(&memory->enrolled_ids[role]);
    }
}

struct eds_enrolment *eds_memory_device(struct memory_ledger *memory, const char *id)
{
    size_t place = place_of(memory, EDS_ROLE_DEVICE, id);

    return place != EDS_KEY_ABSENT ? memory->enrolments[EDS_ROLE_DEVICE][place] : NULL;
}

const struct eds_roster_ops eds_memory_roster_ops = {
    .change = memory_change,
    .change_all = memory_change_all,
    .version = memory_version,
    .find = memory_find,
    .owner = memory_owner,
    .find_many = memory_find_many,
    .owners = memory_owners,
    .scan = memory_scan,
    .changed = memory_changed,
};
