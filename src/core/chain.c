/* chain.c - see edgesentry/chain.h.
 *
 * What is found is decided first and kept after: a walk that meets a fault
 * stands where it stood, so that a caller may go on to report more. */
#include "edgesentry/chain.h"

#include <string.h>

#include "base/text.h"
#include "core/chain_impl.h"
#include "edgesentry/attest.h"

void eds_chain_begin(struct eds_chain *chain, enum eds_strength strength)
{
    memset(chain, 0, sizeof *chain);
    chain->strength = strength;
}

void eds_chain_begin_after(struct eds_chain *chain, enum eds_strength strength, uint64_t sequence,
                           const uint8_t record_hash[EDS_HASH_SIZE])
{
    eds_chain_begin(chain, strength);
    chain->sequence = sequence;
    memcpy(chain->record_hash, record_hash, EDS_HASH_SIZE);
    chain->anchored = true;
}

void eds_chain_resume(struct eds_chain *chain, uint64_t sequence,
                      const uint8_t record_hash[EDS_HASH_SIZE])
{
    chain->sequence = sequence;
    memcpy(chain->record_hash, record_hash, EDS_HASH_SIZE);
    chain->anchored = true;
}

/* The first record of a whole chain has nothing to follow: its previous hash is
 * zero (as record_hash is then), and links alone let it have any sequence. */
static bool sequence_fits(const struct eds_chain *chain, uint64_t sequence)
{
    bool strict = chain->strength >= EDS_STRENGTH_SIGNATURES;
    bool first = chain->count == 0 && !chain->anchored;

    if (first && !strict)
        return true;
    if (strict && !first && chain->sequence == UINT64_MAX)
        return false; /* nothing follows the last number there is */
    return sequence == chain->sequence + 1;
}

static enum eds_chain_fault find_fault(const struct eds_chain *chain, const EdsAuditRecord *record)
{
    bool same_device = strncmp((const char *)record->device_id, (const char *)chain->device_id,
                               sizeof record->device_id) == 0;

    if (chain->strength >= EDS_STRENGTH_SIGNATURES && chain->count > 0 && !same_device)
        return EDS_CHAIN_DEVICE;
    if (memcmp(record->prev_record_hash, chain->record_hash, EDS_HASH_SIZE) != 0)
        return EDS_CHAIN_PREVIOUS_HASH;
    if (!sequence_fits(chain, record->sequence))
        return EDS_CHAIN_SEQUENCE;
    return EDS_CHAIN_GOOD;
}

int32_t eds_chain_link_hashed(struct eds_chain *chain, const EdsAuditRecord *record,
                              const uint8_t record_hash[EDS_HASH_SIZE],
                              struct eds_chain_finding *finding)
{
    memset(finding, 0, sizeof *finding);
    finding->index = chain->count;
    finding->fault = find_fault(chain, record);
    if (finding->fault != EDS_CHAIN_GOOD) {
        finding->expected = chain->sequence + 1;
        finding->actual = record->sequence;
        return EDS_ERR_CHAIN_INVALID;
    }
    if (chain->count == 0)
        memcpy(chain->device_id, record->device_id, sizeof chain->device_id);
    memcpy(chain->record_hash, record_hash, EDS_HASH_SIZE);
    chain->sequence = record->sequence;
    chain->count++;
    return EDS_OK;
}

int32_t eds_chain_link(struct eds_chain *chain, const EdsAuditRecord *record,
                       uint8_t record_hash[EDS_HASH_SIZE], struct eds_chain_finding *finding)
{
    if (eds_record_digest(record_hash, record) != EDS_OK) {
        memset(finding, 0, sizeof *finding);
        finding->fault = EDS_CHAIN_RECORD;
        finding->index = chain->count;
        return EDS_ERR_CHAIN_INVALID;
    }
    return eds_chain_link_hashed(chain, record, record_hash, finding);
}

static bool may_sign(const struct eds_chain_rules *rules, size_t key, uint64_t sequence)
{
    return rules->last_sequences == NULL || sequence <= rules->last_sequences[key];
}

static bool is_signed(const struct eds_chain_rules *rules, const EdsAuditRecord *record)
{
    for (size_t i = 0; i < rules->public_key_count; i++)
        if (may_sign(rules, i, record->sequence) &&
            eds_record_verify(record, rules->public_keys[i]))
            return true;
    return false;
}

static bool is_attested(const struct eds_chain_rules *rules, const struct eds_entry *entry,
                        const uint8_t record_hash[EDS_HASH_SIZE])
{
    for (size_t i = 0; i < rules->public_key_count; i++)
        if (may_sign(rules, i, entry->record.sequence) &&
            eds_attest_verify(&entry->attestation, record_hash, rules->public_keys[i]))
            return true;
    return false;
}

static bool is_payload(const EdsAuditRecord *record, const void *payload, size_t payload_size)
{
    uint8_t hash[EDS_HASH_SIZE];

    eds_blake3(hash, payload, payload_size);
    return memcmp(hash, record->payload_hash, sizeof hash) == 0;
}

/* What is wrong goes before what is missing, and what is cheap first.  With a
 * NULL record_hash the signatures are known to be good. */
static int32_t inspect(const struct eds_chain_rules *rules, const struct eds_entry *entry,
                       const uint8_t *record_hash, const void *payload, size_t payload_size,
                       struct eds_chain_finding *finding)
{
    bool full = rules->strength >= EDS_STRENGTH_FULL, vouched = record_hash == NULL;
    enum eds_chain_fault fault = EDS_CHAIN_GOOD;

    memset(finding, 0, sizeof *finding);
    if (rules->strength < EDS_STRENGTH_SIGNATURES)
        return EDS_OK;
    if (payload != NULL && !is_payload(&entry->record, payload, payload_size))
        fault = EDS_CHAIN_PAYLOAD;
    else if (!vouched && !is_signed(rules, &entry->record))
        fault = EDS_CHAIN_SIGNATURE;
    else if (!vouched && entry->attestation.present && !is_attested(rules, entry, record_hash))
        fault = EDS_CHAIN_ATTESTATION;
    else if (full && !entry->attestation.present)
        fault = EDS_CHAIN_ATTESTATION_ABSENT;
    else if (full && payload == NULL)
        fault = EDS_CHAIN_PAYLOAD_ABSENT;
    finding->fault = fault;
    return fault == EDS_CHAIN_GOOD ? EDS_OK : EDS_ERR_CHAIN_INVALID;
}

int32_t eds_chain_inspect(const struct eds_chain_rules *rules, const struct eds_entry *entry,
                          const uint8_t record_hash[EDS_HASH_SIZE], const void *payload,
                          size_t payload_size, struct eds_chain_finding *finding)
{
    return inspect(rules, entry, record_hash, payload, payload_size, finding);
}

int32_t eds_chain_inspect_vouched(const struct eds_chain_rules *rules,
                                  const struct eds_entry *entry, const void *payload,
                                  size_t payload_size, struct eds_chain_finding *finding)
{
    return inspect(rules, entry, NULL, payload, payload_size, finding);
}

/* What stands before "at index N". */
static const char *fault_text(enum eds_chain_fault fault)
{
    switch (fault) {
    case EDS_CHAIN_GOOD:
        return "nothing wrong";
    case EDS_CHAIN_PREVIOUS_HASH:
        return "invalid previous hash";
    case EDS_CHAIN_SEQUENCE:
        return "invalid sequence";
    case EDS_CHAIN_DEVICE:
        return "record of another device";
    case EDS_CHAIN_SIGNATURE:
        return "invalid signature";
    case EDS_CHAIN_ATTESTATION:
        return "invalid attestation";
    case EDS_CHAIN_ATTESTATION_ABSENT:
        return "no attestation";
    case EDS_CHAIN_PAYLOAD:
        return "payload hash mismatch";
    case EDS_CHAIN_PAYLOAD_ABSENT:
        return "no payload";
    case EDS_CHAIN_RECORD:
        return "a string that is not UTF-8 or has no end";
    case EDS_CHAIN_GAP:
        return "gap record without a place in the chain";
    }
    return "unknown fault";
}

size_t eds_chain_finding_text(char *out, size_t size, const struct eds_chain_finding *finding)
{
    struct eds_text text;

    eds_text_begin(&text, out, size);
    eds_text_string(&text, fault_text(finding->fault));
    eds_text_string(&text, " at index ");
    eds_text_u64(&text, finding->index);
    if (finding->fault == EDS_CHAIN_SEQUENCE && finding->expected == finding->actual) {
        /* Right but for the wrap: at 2^64 - 1 a chain is full. */
        eds_text_string(&text, ": no number follows 18446744073709551615");
    } else if (finding->fault == EDS_CHAIN_SEQUENCE) {
        eds_text_string(&text, ": expected ");
        eds_text_u64(&text, finding->expected);
        eds_text_string(&text, ", actual ");
        eds_text_u64(&text, finding->actual);
    }
    return text.used;
}

const char *eds_chain_unchecked(enum eds_strength strength)
{
    switch (strength) {
    case EDS_STRENGTH_LINKS:
        return "signatures, attestations, payloads, whether all records are of one device, "
               "whether records before the first or after the last one are missing";
    case EDS_STRENGTH_SIGNATURES:
        return "attestations and payloads that are not there, "
               "whether records after the last one are missing";
    case EDS_STRENGTH_FULL:
        break;
    }
    return "whether records after the last one are missing, whether the times are true";
}
