/* entry.h - one device as a file gives it: its fields by their names, whatever
 * the file's form.
 *
 * A file may leave fields out.  What is given is remembered, so that a device
 * that is registered keeps the rest. */
#ifndef EDS_FLEET_ENTRY_H
#define EDS_FLEET_ENTRY_H

#include "core/enrolment.h"

/* In the order of an exported file's columns. */
enum eds_fleet_field {
    EDS_FLEET_DEVICE_ID,
    EDS_FLEET_PUBLIC_KEY, /* this and those from NOT_BEFORE on are a key's */
    EDS_FLEET_SITE,
    EDS_FLEET_COHORT,
    EDS_FLEET_FIRMWARE,
    EDS_FLEET_ATTEST,
    EDS_FLEET_STATE,
    EDS_FLEET_NOT_BEFORE,
    EDS_FLEET_NOT_AFTER,
    EDS_FLEET_NOT_AFTER_SEQUENCE,
    EDS_FLEET_REVOKED,
};
#define EDS_FLEET_FIELD_COUNT 11u

extern const char *const eds_fleet_field_names[EDS_FLEET_FIELD_COUNT]; /* "device_id" ... */

struct eds_fleet_entry {
    struct eds_enrolment it;                    /* what is not given is as for a new device */
    uint32_t given;                             /* bit of each field of the device */
    uint32_t key_given[EDS_ENROLMENT_KEYS_MAX]; /* and of each key */
    uint64_t line;                              /* where it begins in the file, from 1 */
};

static inline bool eds_fleet_is_key_field(enum eds_fleet_field field)
{
    return field == EDS_FLEET_PUBLIC_KEY || field >= EDS_FLEET_NOT_BEFORE;
}

static inline bool eds_fleet_is_given(uint32_t given, enum eds_fleet_field field)
{
    return (given >> field & 1) != 0;
}

/* eds_fleet_entry_begin makes an entry without an id and without keys. */
void eds_fleet_entry_begin(struct eds_fleet_entry *entry, uint64_t line);

/* eds_fleet_key_begin adds a key, whose fields are set next.  EDS_ERR_TOO_LARGE
 * past EDS_ENROLMENT_KEYS_MAX. */
int32_t eds_fleet_key_begin(struct eds_fleet_entry *entry, struct eds_error *err);

/* eds_fleet_set gives a field of the device, or of its last key, the value of a
 * text.  An empty text means that the field is not given, but for the labels,
 * which it empties, and for device_id and public_key, which must not be empty.
 *
 * EDS_OK, or an error of any code; *err says what is wrong, without the field. */
int32_t eds_fleet_set(struct eds_fleet_entry *entry, enum eds_fleet_field field, const char *text,
                      struct eds_error *err);

/* eds_fleet_key_end checks that the last key was given, and once only. */
int32_t eds_fleet_key_end(const struct eds_fleet_entry *entry, struct eds_error *err);

#endif
