/* import.h - a file of devices into the registry of a ledger: all of them, or none.
 *
 * First everything is read and held against the registry, and every fault is told;
 * only a file without faults is written, in one transaction.  So a run that ended
 * early has done nothing, and the same run again after one that did all has
 * nothing to do. */
#ifndef EDS_FLEET_IMPORT_H
#define EDS_FLEET_IMPORT_H

#include "fleet/reader.h"
#include "store/roster.h"

/* A file with more is to be split. */
#define EDS_FLEET_DEVICES_MAX 1000000u

/* What to do with a device that is registered, and not as the file says. */
enum eds_fleet_existing {
    EDS_FLEET_REFUSE, /* that is a fault */
    EDS_FLEET_UPDATE, /* as fleet/merge.h */
    EDS_FLEET_KEEP,   /* leave it as it is */
};

struct eds_fleet_options {
    enum eds_fleet_existing existing;
    uint64_t now_ms;
    const char *who, *why;
    uint64_t device_max; /* in the file; 0: EDS_FLEET_DEVICES_MAX */
    /* Each fault, as it is met. */
    void (*fault)(void *context, const struct eds_error *fault);
    /* How far it is: devices read, or written, and bytes read. */
    void (*progress)(void *context, uint64_t devices, uint64_t bytes);
    void *context;
};

struct eds_fleet_report {
    uint64_t read_count;    /* devices in the file */
    uint64_t added_count;   /* to be added, or added; so for changed */
    uint64_t changed_count; /* of those that are registered */
    uint64_t same_count;    /* as the file says already */
    uint64_t kept_count;    /* EDS_FLEET_KEEP: registered, and left as they are */
    uint64_t fault_count;
};

struct eds_fleet_import;

/* eds_fleet_import_create makes an import of no device yet; ledger and options
 * outlive it.  NULL without memory. */
struct eds_fleet_import *eds_fleet_import_create(struct eds_ledger *ledger,
                                                 const struct eds_fleet_options *options);
void eds_fleet_import_destroy(struct eds_fleet_import *import);

/* eds_fleet_import_read reads a whole file and writes nothing.  EDS_OK, whatever
 * faults it has (report->fault_count); EDS_ERR_IO, EDS_ERR_NO_MEMORY and the
 * store's errors when it could not be read or held against the registry. */
int32_t eds_fleet_import_read(struct eds_fleet_import *import, enum eds_fleet_format format,
                              ptrdiff_t (*read)(void *context, void *buf, size_t size),
                              void *context, struct eds_error *err);

/* eds_fleet_import_write writes what was read without faults.  EDS_OK;
 * EDS_ERR_HEAD_MOVED or EDS_ERR_EXISTS if the registry has changed since it was
 * read; the store's errors.  Nothing is written then. */
int32_t eds_fleet_import_write(struct eds_fleet_import *import, struct eds_error *err);

const struct eds_fleet_report *eds_fleet_import_report(const struct eds_fleet_import *import);

#endif
