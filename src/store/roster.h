/* roster.h - the registry as the ledger's database keeps it: devices and
 * operators, their keys, and who changed what, when and why.
 *
 * A sibling of ledger.h in the same database.  A change and its line in the
 * operation log are one transaction.  Each transaction has a number, the
 * registry's version, which grows by one; everything that it changed carries
 * that number as its revision.  So a server asks for the version (one row), and
 * where it has moved on, for what has changed since.
 *
 * Threads and errors as in ledger.h; a server watches the roster through a
 * ledger of its own, opened on the same place. */
#ifndef EDS_STORE_ROSTER_H
#define EDS_STORE_ROSTER_H

#include "core/enrolment.h"
#include "store/ledger.h"

/* One change, and what the operation log says of it. */
struct eds_roster_change {
    /* As it is to be; its revision is the one that it was read with (0: it must
     * be new).  Keys are only added and changed, never taken away. */
    const struct eds_enrolment *enrolment;
    const char *message; /* "device revoked" */
    const char *who;     /* the operator; not empty */
    const char *why;     /* the reason; may be empty */
};

/* Whose a key is. */
struct eds_key_owner {
    enum eds_role role;
    char id[EDS_DEVICE_ID_SIZE];
};

typedef int32_t eds_roster_visit(void *context, const struct eds_enrolment *enrolment);

/* Where the changes of a big transaction come from, a batch at a time. */
struct eds_roster_source {
    /* Gives the next changes, and no more (*count 0) at the end; a batch and what
     * it points to hold until the next call.  Anything but EDS_OK ends the
     * transaction without a trace. */
    int32_t (*next)(struct eds_roster_source *, const struct eds_roster_change **changes,
                    size_t *count, struct eds_error *);
};

struct eds_roster_ops {
    /* All changes, or none, are durable on EDS_OK, with a line in the operation
     * log each (decision EDS_DECISION_CHANGED, sequence 0).
     * EDS_ERR_HEAD_MOVED: one has another revision by now, or is there already
     * where it was to be new, or it was to leave quarantine for active and more
     * records have come since it was read (unless its quarantine_arrived says
     * EDS_ARRIVED_ANY); read it again and decide again.
     * EDS_ERR_EXISTS: a key belongs to another device or role; *err names key
     * and owner.  EDS_ERR_USAGE: what no command lets through (two changes of
     * one device, no keys at all). */
    int32_t (*change)(struct eds_ledger *, const struct eds_roster_change *changes, size_t count,
                      uint64_t now_ms, struct eds_error *);

    /* The same for any number of changes, in one transaction and in the memory of
     * a batch.  A device may be in one batch only (else EDS_ERR_HEAD_MOVED).  A
     * connection that is lost before the end is EDS_ERR_IO, and nothing was done. */
    int32_t (*change_all)(struct eds_ledger *, struct eds_roster_source *source, uint64_t now_ms,
                          struct eds_error *);

    /* The number of the last change; 0: there has been none. */
    int32_t (*version)(struct eds_ledger *, uint64_t *out, struct eds_error *);

    /* Reads one.  EDS_ERR_NOT_FOUND. */
    int32_t (*find)(struct eds_ledger *, enum eds_role role, const char *id,
                    struct eds_enrolment *out, struct eds_error *);

    /* Whose key is this, ended or not?  EDS_ERR_NOT_FOUND. */
    int32_t (*owner)(struct eds_ledger *, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE],
                     struct eds_key_owner *out, struct eds_error *);

    /* Calls visit for those of count ids that there are, in any order. */
    int32_t (*find_many)(struct eds_ledger *, enum eds_role role, const char *const *ids,
                         size_t count, eds_roster_visit *visit, void *context, struct eds_error *);

    /* Whose these keys are: out[i].id is empty for a key that is nobody's. */
    int32_t (*owners)(struct eds_ledger *, const uint8_t *const *public_keys, size_t count,
                      struct eds_key_owner *out, struct eds_error *);

    /* Calls visit for every one of a role, in byte order of the id. */
    int32_t (*scan)(struct eds_ledger *, enum eds_role role, eds_roster_visit *visit, void *context,
                    struct eds_error *);

    /* Calls visit for everything with a revision above since, in the order of
     * revisions.  A visit of these walks may look up and walk in the same ledger,
     * but not change anything; what is changed meanwhile it sees or not. */
    int32_t (*changed)(struct eds_ledger *, uint64_t since, eds_roster_visit *visit, void *context,
                       struct eds_error *);
};

/* eds_roster_check_changes is what every store asks of changes before it writes:
 * EDS_OK or EDS_ERR_USAGE. */
int32_t eds_roster_check_changes(const struct eds_roster_change *changes, size_t count,
                                 struct eds_error *err);

/* eds_roster_next takes the next batch from a source and checks it. */
int32_t eds_roster_next(struct eds_roster_source *source, const struct eds_roster_change **changes,
                        size_t *count, struct eds_error *err);

#endif
