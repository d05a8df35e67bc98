/* import.c - see import.h.
 *
 * Devices are held against the registry a batch at a time: one question for the
 * devices of these names, and one for the owners of the keys that would be new. */
#include "fleet/import.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hex.h"
#include "fleet/merge.h"
#include "fleet/plan.h"
#include "fleet/seen.h"

#define OWNERS_MAX 1024u /* keys asked for at once */

/* One device of a batch. */
struct item {
    struct eds_fleet_entry entry;
    struct eds_enrolment stored, merged;
    bool is_stored, is_dropped; /* dropped: a fault, or nothing to do */
    char changes[EDS_FLEET_CHANGES_SIZE];
};

struct eds_fleet_import {
    struct eds_ledger *ledger;
    const struct eds_fleet_options *options;
    struct eds_fleet_report report;
    struct eds_fleet_plan plan;
    struct eds_seen ids, keys;
    struct eds_fleet_reader reader;

    size_t item_count, hint; /* hint: where the next one found is looked for first */
    struct item items[EDS_FLEET_BATCH_COUNT];
    const char *names[EDS_FLEET_BATCH_COUNT];

    size_t asked_count;                    /* keys that would be new: */
    struct item *asked_items[OWNERS_MAX];  /* whose they are to be */
    const uint8_t *asked_keys[OWNERS_MAX]; /* in the item's merged */
    struct eds_key_owner owners[OWNERS_MAX];
    struct eds_fleet_source source;
};

struct eds_fleet_import *eds_fleet_import_create(struct eds_ledger *ledger,
                                                 const struct eds_fleet_options *options)
{
    struct eds_fleet_import *import = calloc(1, sizeof *import);

    if (import != NULL) {
        import->ledger = ledger;
        import->options = options;
    }
    return import;
}

void eds_fleet_import_destroy(struct eds_fleet_import *import)
{
    if (import == NULL)
        return;
    eds_fleet_plan_free(&import->plan);
    eds_seen_free(&import->ids);
    eds_seen_free(&import->keys);
    free(import);
}

const struct eds_fleet_report *eds_fleet_import_report(const struct eds_fleet_import *import)
{
    return &import->report;
}

static void tell_fault(struct eds_fleet_import *import, const struct eds_error *fault)
{
    import->report.fault_count++;
    if (import->options->fault != NULL)
        import->options->fault(import->options->context, fault);
}

/* A fault of a device that is well read: its line stands in front. */
static void drop(struct eds_fleet_import *import, struct item *item, const struct eds_error *why)
{
    struct eds_error fault;

    item->is_dropped = true;
    eds_error_set(&fault, why->code, "line %llu: %s", (unsigned long long)item->entry.line,
                  why->text);
    tell_fault(import, &fault);
}

static int32_t drop_twice(struct eds_fleet_import *import, struct item *item, const char *what,
                          uint64_t line_before)
{
    const char *hint = import->reader.format == EDS_FLEET_CSV
                           ? "; the rows of one device have to follow each other"
                           : "";
    struct eds_error why;

    eds_error_set(&why, EDS_ERR_EXISTS, "%s%s stands on line %llu already%s", item->entry.it.id,
                  what, (unsigned long long)line_before, what[0] == '\0' ? hint : "");
    drop(import, item, &why);
    return EDS_OK;
}

/* Is it the first of its name and of its keys in the file? */
static int32_t check_first(struct eds_fleet_import *import, struct item *item,
                           struct eds_error *err)
{
    const struct eds_enrolment *it = &item->entry.it;
    uint64_t line = item->entry.line, before;
    int32_t rc = eds_seen_add(&import->ids, it->id, strlen(it->id), line, &before);

    if (rc == EDS_ERR_EXISTS)
        return drop_twice(import, item, "", before);
    for (uint32_t i = 0; rc == EDS_OK && i < it->key_count; i++) {
        rc =
            eds_seen_add(&import->keys, it->keys[i].public_key, EDS_PUBLIC_KEY_SIZE, line, &before);
        if (rc == EDS_ERR_EXISTS)
            return drop_twice(import, item, ": its key", before);
    }
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "%s",
                             rc == EDS_ERR_NO_MEMORY ? "no memory for so many devices"
                                                     : "the system gives no random numbers");
    return EDS_OK;
}

/* Reads the next devices into the items.  EDS_ERR_NOT_FOUND with the last ones. */
static int32_t read_items(struct eds_fleet_import *import, struct eds_error *err)
{
    uint64_t device_max =
        import->options->device_max != 0 ? import->options->device_max : EDS_FLEET_DEVICES_MAX;
    struct eds_error fault;
    int32_t rc = EDS_OK;

    import->item_count = 0;
    while (rc == EDS_OK && import->item_count < EDS_FLEET_BATCH_COUNT) {
        struct item *item = &import->items[import->item_count];

        rc = eds_fleet_reader_next(&import->reader, &item->entry, &fault);
        if (rc == EDS_ERR_NOT_FOUND)
            break;
        if (rc == EDS_ERR_IO) {
            if (err != NULL)
                *err = fault;
            return rc;
        }
        if (rc != EDS_OK) {
            tell_fault(import, &fault);
            rc = EDS_OK;
            continue;
        }
        if (++import->report.read_count > device_max)
            return eds_error_set(err, EDS_ERR_TOO_LARGE,
                                 "more than %llu devices in one file: split it, and import one "
                                 "part after the other",
                                 (unsigned long long)device_max);
        item->is_stored = item->is_dropped = false;
        import->item_count++;
        rc = check_first(import, item, err);
    }
    return rc;
}

static int32_t take_stored(void *context, const struct eds_enrolment *it)
{
    struct eds_fleet_import *import = context;

    for (size_t i = 0; i < import->item_count; i++) {
        size_t at = (import->hint + i) % import->item_count;
        struct item *item = &import->items[at];

        if (item->is_dropped || strcmp(item->entry.it.id, it->id) != 0)
            continue;
        eds_enrolment_copy(&item->stored, it);
        item->is_stored = true;
        import->hint = at + 1;
        break;
    }
    return EDS_OK;
}

static int32_t find_stored(struct eds_fleet_import *import, struct eds_error *err)
{
    size_t count = 0;

    for (size_t i = 0; i < import->item_count; i++)
        if (!import->items[i].is_dropped)
            import->names[count++] = import->items[i].entry.it.id;
    import->hint = 0;
    if (count == 0)
        return EDS_OK;
    return import->ledger->roster->find_many(import->ledger, EDS_ROLE_DEVICE, import->names, count,
                                             take_stored, import, err);
}

/* What is to become of a device. */
static void decide(struct eds_fleet_import *import, struct item *item)
{
    enum eds_fleet_existing existing = import->options->existing;
    struct eds_error why;

    if (item->is_stored && existing == EDS_FLEET_KEEP) {
        item->is_dropped = true;
        import->report.kept_count++;
        return;
    }
    if (eds_fleet_merge(&item->merged, item->changes, &item->entry,
                        item->is_stored ? &item->stored : NULL, import->options->now_ms,
                        &why) != EDS_OK) {
        drop(import, item, &why);
    } else if (item->is_stored && item->changes[0] == '\0') {
        item->is_dropped = true;
        import->report.same_count++;
    } else if (item->is_stored && existing == EDS_FLEET_REFUSE) {
        eds_error_set(&why, EDS_ERR_EXISTS,
                      "%s is registered, and otherwise (%s): --update changes it, --skip-existing "
                      "leaves it as it is",
                      item->entry.it.id, item->changes);
        drop(import, item, &why);
    }
}

/* Asks whose the keys are, and drops those whose keys are another's. */
static int32_t check_asked(struct eds_fleet_import *import, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    if (import->asked_count > 0)
        rc = import->ledger->roster->owners(import->ledger, import->asked_keys, import->asked_count,
                                            import->owners, err);
    for (size_t i = 0; rc == EDS_OK && i < import->asked_count; i++) {
        const struct eds_key_owner *owner = &import->owners[i];
        struct item *item = import->asked_items[i];
        char digits[2 * EDS_PUBLIC_KEY_SIZE + 1];
        struct eds_error why;

        if (owner->id[0] == '\0' || item->is_dropped)
            continue;
        eds_hex_encode(digits, import->asked_keys[i], EDS_PUBLIC_KEY_SIZE);
        eds_error_set(&why, EDS_ERR_EXISTS,
                      "public key %s for %s belongs to %s %s: a key serves one %s only", digits,
                      item->entry.it.id, eds_role_name(owner->role), owner->id,
                      eds_role_name(owner->role));
        drop(import, item, &why);
    }
    import->asked_count = 0;
    return rc;
}

static int32_t check_owners(struct eds_fleet_import *import, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    import->asked_count = 0;
    for (size_t i = 0; rc == EDS_OK && i < import->item_count; i++) {
        struct item *item = &import->items[i];
        uint32_t first = item->is_stored ? item->stored.key_count : 0;

        if (item->is_dropped)
            continue;
        if (import->asked_count + item->merged.key_count > OWNERS_MAX)
            rc = check_asked(import, err);
        for (uint32_t k = first; k < item->merged.key_count; k++) {
            import->asked_keys[import->asked_count] = item->merged.keys[k].public_key;
            import->asked_items[import->asked_count++] = item;
        }
    }
    return rc == EDS_OK ? check_asked(import, err) : rc;
}

/* What is left is to be done; after a fault it is counted and no longer kept. */
static int32_t plan_items(struct eds_fleet_import *import, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    for (size_t i = 0; rc == EDS_OK && i < import->item_count; i++) {
        const struct item *item = &import->items[i];
        char message[256];

        if (item->is_dropped)
            continue;
        if (item->is_stored) {
            import->report.changed_count++;
            snprintf(message, sizeof message, "device changed by import: %s", item->changes);
        } else {
            import->report.added_count++;
            snprintf(message, sizeof message, "device added by import");
        }
        if (import->report.fault_count == 0)
            rc = eds_fleet_plan_add(&import->plan, &item->merged, message, err);
    }
    return rc;
}

static int32_t check_items(struct eds_fleet_import *import, struct eds_error *err)
{
    int32_t rc = find_stored(import, err);

    for (size_t i = 0; rc == EDS_OK && i < import->item_count; i++)
        if (!import->items[i].is_dropped)
            decide(import, &import->items[i]);
    if (rc == EDS_OK)
        rc = check_owners(import, err);
    return rc == EDS_OK ? plan_items(import, err) : rc;
}

int32_t eds_fleet_import_read(struct eds_fleet_import *import, enum eds_fleet_format format,
                              ptrdiff_t (*read)(void *context, void *buf, size_t size),
                              void *context, struct eds_error *err)
{
    int32_t rc = EDS_OK;

    eds_fleet_reader_init(&import->reader, format, read, context);
    while (rc == EDS_OK) {
        int32_t check_rc;

        rc = read_items(import, err);
        if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
            return rc;
        check_rc = check_items(import, err);
        if (check_rc != EDS_OK)
            return check_rc;
        if (import->options->progress != NULL)
            import->options->progress(import->options->context, import->report.read_count,
                                      import->reader.consumed);
    }
    return EDS_OK;
}

static void tell_progress(void *context, uint64_t done)
{
    struct eds_fleet_import *import = context;

    if (import->options->progress != NULL)
        import->options->progress(import->options->context, done, import->reader.consumed);
}

int32_t eds_fleet_import_write(struct eds_fleet_import *import, struct eds_error *err)
{
    const struct eds_fleet_options *options = import->options;

    if (import->report.fault_count > 0)
        return eds_error_set(err, EDS_ERR_USAGE, "a file with faults is not written");
    if (import->plan.count == 0)
        return EDS_OK;
    eds_fleet_source_begin(&import->source, &import->plan, options->who, options->why);
    import->source.progress = tell_progress;
    import->source.context = import;
    return import->ledger->roster->change_all(import->ledger, &import->source.source,
                                              options->now_ms, err);
}
