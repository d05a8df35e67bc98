/* gate.h - may this record in?  The checks in their order, and nothing else.
 *
 * A pure module: it reads what it is given, decides, and says so in the
 * original's words.  No I/O, no locks, no clock.  The order of protocol.md 2:
 * payload hash, route identity, device, signature and attestation, sequence,
 * previous hash; first failure wins. */
#ifndef EDS_INGEST_GATE_H
#define EDS_INGEST_GATE_H

#include "registry/key_tables.h"
#include "registry/registry.h"
#include "store/ledger.h"

enum eds_verdict {
    EDS_VERDICT_ACCEPTED = 0,
    EDS_VERDICT_PAYLOAD_HASH,
    EDS_VERDICT_ROUTE_IDENTITY,
    EDS_VERDICT_UNKNOWN_DEVICE,
    EDS_VERDICT_DEVICE_STATE, /* revoked, retired */
    EDS_VERDICT_SIGNATURE,
    EDS_VERDICT_KEY,                /* signed, but by a key that is not valid now */
    EDS_VERDICT_ATTESTATION,        /* there, but wrong */
    EDS_VERDICT_ATTESTATION_ABSENT, /* required, but not there */
    EDS_VERDICT_DUPLICATE,          /* this very record was accepted before */
    EDS_VERDICT_CONFLICT,           /* another record was, under this sequence */
    EDS_VERDICT_SEQUENCE,
    EDS_VERDICT_PREVIOUS_HASH,
    EDS_VERDICT_QUARANTINED,    /* well signed, of a quarantined device: kept apart */
    EDS_VERDICT_OBJECT_TAKEN,   /* the reference stands for another payload */
    EDS_VERDICT_PAYLOAD_ABSENT, /* it did not come, and is not kept here either */
    EDS_VERDICT_TOO_LARGE,      /* for the store, also an empty one */
    EDS_VERDICT_RATE_LIMITED,   /* not decided: too many of late; send again later */
    EDS_VERDICT_STORE,          /* not decided: the store failed; send again */
    EDS_VERDICT_OVERLOADED,     /* not decided: the queue is full; send again */
};

/* eds_verdict_name gives the word used in logs and metrics ("signature"). */
const char *eds_verdict_name(enum eds_verdict verdict);

/* What was found out about a request before the checks, side by side with
 * others; they compute what is not here. */
struct eds_findings {
    uint8_t payload_hash[EDS_HASH_SIZE];
    uint8_t record_hash[EDS_HASH_SIZE];
    bool tried;       /* the signatures were, under public_key alone */
    bool signed_by;   /* the record's is this key's */
    bool attested_by; /* so is the attestation's, if there is one */
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
};

/* eds_verdict_is_kept says whether the record is durable here, in its chain or
 * apart from it: its sender may forget it. */
static inline bool eds_verdict_is_kept(enum eds_verdict verdict)
{
    return verdict == EDS_VERDICT_ACCEPTED || verdict == EDS_VERDICT_QUARANTINED;
}

/* Everything the checks need to know of a request.  The entry's strings are
 * NUL-terminated UTF-8, as every decoder leaves them. */
struct eds_request {
    const struct eds_entry *entry;
    const void *payload;
    size_t payload_size;                 /* bytes */
    bool payload_absent;                 /* it was brought before; whether it was is asked last */
    const char *route_identity;          /* NULL: the transport did not authenticate */
    uint64_t now_ms;                     /* when it came, for the windows of keys */
    const char *source;                  /* address or topic, for the books; NULL: not known */
    struct eds_key_tables *key_tables;   /* to verify faster, not otherwise; may be NULL */
    const struct eds_findings *findings; /* likewise */
};

/* eds_gate_check_request makes the checks that need no chain state (payload
 * hash, route identity, device, signature, a present attestation, a reference that
 * only another device may use), so that they can run on any thread.
 *
 *   device       as the registry has it; NULL if it has not
 *   record_hash  out: the record's hash, if ACCEPTED or QUARANTINED
 *   message      unless ACCEPTED: the text of the operation log; else ""
 *
 * Any key of the device that is valid now will do; but where there is an attestation, payload
 * signature and attestation must both be by the key that it names.  Whether
 * one must be there is eds_gate_check_head's to say. */
enum eds_verdict eds_gate_check_request(const struct eds_request *request,
                                        const struct eds_device *device,
                                        uint8_t record_hash[EDS_HASH_SIZE],
                                        char message[EDS_ERROR_TEXT_SIZE]);

/* eds_gate_check_route is the part of it that looks at the sender alone: ACCEPTED or
 * ROUTE_IDENTITY. */
enum eds_verdict eds_gate_check_route(const struct eds_request *request,
                                      char message[EDS_ERROR_TEXT_SIZE]);

/* eds_gate_check_attested is the part of eds_gate_check_head that says whether a
 * record has the attestation that it must have: ACCEPTED or ATTESTATION_ABSENT. */
enum eds_verdict eds_gate_check_attested(const struct eds_entry *entry, bool attest_required,
                                         char message[EDS_ERROR_TEXT_SIZE]);

/* eds_gate_check_state is the part of it that looks at the device alone: ACCEPTED,
 * QUARANTINED, UNKNOWN_DEVICE or DEVICE_STATE. */
enum eds_verdict eds_gate_check_state(const struct eds_device *device,
                                      const struct eds_entry *entry,
                                      char message[EDS_ERROR_TEXT_SIZE]);

/* eds_gate_likely_key guesses by which of its keys the device has signed: the one
 * that an attestation names, else its first.  NULL if there is none. */
const uint8_t *eds_gate_likely_key(const struct eds_request *request,
                                   const struct eds_device *device);

/* eds_gate_check_head decides whether the record may follow its device's head:
 * not seen before, attested if it must be, sequence, previous hash.
 *
 *   attest_required  the registry's word; head->attested says so as well
 *   stored_hash      the hash of the record stored under this sequence, NULL
 *                    if there is none; needed only if eds_gate_needs_stored
 *
 * DUPLICATE if stored_hash is this record's: it was good when it came, so it
 * stays a duplicate for a device that must attest by now.  CONFLICT if it is
 * another's; not for a record without a required attestation, or a captured
 * signature would be enough to have a device flagged. */
enum eds_verdict eds_gate_check_head(const struct eds_head *head, const struct eds_entry *entry,
                                     const uint8_t record_hash[EDS_HASH_SIZE], bool attest_required,
                                     const uint8_t *stored_hash, char message[EDS_ERROR_TEXT_SIZE]);

/* eds_gate_needs_stored says whether eds_gate_check_head has to know what is
 * stored under the record's sequence. */
static inline bool eds_gate_needs_stored(const struct eds_head *head, const struct eds_entry *entry)
{
    return entry->record.sequence != 0 && entry->record.sequence <= head->sequence;
}

/* eds_gate_check_object decides whether object_ref may stand for this payload.
 *
 *   taken_by  the payload hash it stands for already; NULL if it is free */
enum eds_verdict eds_gate_check_object(const struct eds_entry *entry, const uint8_t *taken_by,
                                       char message[EDS_ERROR_TEXT_SIZE]);

/* eds_gate_advance moves a head past an accepted record.  To be called after
 * (or, for a pending batch, as if after) the durable write; asserts that
 * eds_gate_check_head said ACCEPTED. */
void eds_gate_advance(struct eds_head *head, const struct eds_entry *entry,
                      const uint8_t record_hash[EDS_HASH_SIZE]);

#endif
