/* chain.h - is this chain whole?  Three strengths, one record at a time.
 *
 *   links       each record carries the hash of the one before and the next
 *               sequence (what edgesentry-rs checks)
 *   signatures  links, and every record is of one device, starts at sequence 1
 *               (or at the anchor) and is signed by one of that device's keys
 *   full        signatures, and every record is attested and its payload is
 *               there and has the record's payload hash
 *
 * Nothing is kept but the last link, so a file of any length is checked in
 * constant memory.  The two halves can run on different threads: eds_chain_link
 * must see the records in order, eds_chain_inspect may take them in any order.
 *
 * No heap, no OS. */
#ifndef EDGESENTRY_CHAIN_H
#define EDGESENTRY_CHAIN_H

#include "edgesentry/record.h"

#ifdef __cplusplus
extern "C" {
#endif

enum eds_strength { EDS_STRENGTH_LINKS = 1, EDS_STRENGTH_SIGNATURES, EDS_STRENGTH_FULL };

enum eds_chain_fault {
    EDS_CHAIN_GOOD = 0,
    EDS_CHAIN_PREVIOUS_HASH,      /* prev_record_hash is not the hash before */
    EDS_CHAIN_SEQUENCE,           /* not the next sequence; see expected, actual */
    EDS_CHAIN_DEVICE,             /* another device's record */
    EDS_CHAIN_SIGNATURE,          /* no key of the device made the signature */
    EDS_CHAIN_ATTESTATION,        /* the attestation is wrong */
    EDS_CHAIN_ATTESTATION_ABSENT, /* there is none, and there must be */
    EDS_CHAIN_PAYLOAD,            /* the payload has another hash */
    EDS_CHAIN_PAYLOAD_ABSENT,     /* there is no payload, and there must be */
    EDS_CHAIN_RECORD,             /* the record itself cannot be encoded */
    EDS_CHAIN_GAP,                /* a gap record has no place in the chain */
};

struct eds_chain_finding {
    enum eds_chain_fault fault;
    uint64_t index;            /* of the record in the chain (of the gap among those that
                                  were given, for EDS_CHAIN_GAP), from 0 */
    uint64_t expected, actual; /* sequences, for EDS_CHAIN_SEQUENCE */
};

/* What a chain is held against.  The caller's; the keys are read only. */
struct eds_chain_rules {
    enum eds_strength strength;
    const uint8_t (*public_keys)[EDS_PUBLIC_KEY_SIZE]; /* from EDS_STRENGTH_SIGNATURES on */
    size_t public_key_count;
    const uint64_t *last_sequences; /* of each key, the last it may have signed; NULL: no ends */
};

/* Where a walk stands: the last link.  Plain data; copy it to remember a place. */
struct eds_chain {
    enum eds_strength strength;
    uint64_t count; /* records taken so far */
    uint64_t sequence;
    uint8_t record_hash[EDS_HASH_SIZE];
    uint8_t device_id[EDS_DEVICE_ID_SIZE]; /* of the first record */
    bool anchored;
};

/* eds_chain_begin starts a walk at a chain's first record. */
void eds_chain_begin(struct eds_chain *chain, enum eds_strength strength);

/* eds_chain_begin_after starts a walk in the middle: the record to come must
 * follow the one with this sequence and hash (the anchor of a partial export). */
void eds_chain_begin_after(struct eds_chain *chain, enum eds_strength strength, uint64_t sequence,
                           const uint8_t record_hash[EDS_HASH_SIZE]);

/* eds_chain_resume goes on behind a gap: the record to come must follow this sequence
 * and hash, and not the last record.  What vouches for the gap is the caller's. */
void eds_chain_resume(struct eds_chain *chain, uint64_t sequence,
                      const uint8_t record_hash[EDS_HASH_SIZE]);

/* eds_chain_link takes the next record: the links, and from
 * EDS_STRENGTH_SIGNATURES on the device and the first sequence.
 *
 *   record_hash  out: the record's own hash (also when a link is broken)
 *   finding      out: what is wrong; fault is EDS_CHAIN_GOOD on EDS_OK
 *
 * EDS_OK or EDS_ERR_CHAIN_INVALID (the walk then stays where it was).  At
 * EDS_STRENGTH_LINKS sequences wrap at 2^64 as in the original. */
int32_t eds_chain_link(struct eds_chain *chain, const EdsAuditRecord *record,
                       uint8_t record_hash[EDS_HASH_SIZE], struct eds_chain_finding *finding);

/* eds_chain_inspect checks one entry by itself: from EDS_STRENGTH_SIGNATURES
 * on the signature, and the attestation and the payload where they are there;
 * at EDS_STRENGTH_FULL they must be there.
 *
 *   record_hash            as eds_chain_link gave it
 *   payload, payload_size  NULL if there is none
 *
 * EDS_OK or EDS_ERR_CHAIN_INVALID with *finding filled but for the index. */
int32_t eds_chain_inspect(const struct eds_chain_rules *rules, const struct eds_entry *entry,
                          const uint8_t record_hash[EDS_HASH_SIZE], const void *payload,
                          size_t payload_size, struct eds_chain_finding *finding);

/* eds_chain_inspect_vouched checks what is left of an entry whose signature and
 * attestation (if present) were found valid elsewhere, under one of the rules'
 * keys: its payload, and what must be there at EDS_STRENGTH_FULL. */
int32_t eds_chain_inspect_vouched(const struct eds_chain_rules *rules,
                                  const struct eds_entry *entry, const void *payload,
                                  size_t payload_size, struct eds_chain_finding *finding);

/* eds_chain_finding_text says a finding in words, those of the original where
 * it has some ("invalid previous hash at index 1").  At most size - 1 bytes;
 * 160 are always enough.  Returns the length. */
size_t eds_chain_finding_text(char *out, size_t size, const struct eds_chain_finding *finding);

/* eds_chain_unchecked lists what a strength leaves unchecked, for a person to
 * read ("signatures, attestations, payloads, whether records after the last
 * one are missing").  Static, never NULL, never empty. */
const char *eds_chain_unchecked(enum eds_strength strength);

#ifdef __cplusplus
}
#endif

#endif
