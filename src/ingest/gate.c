/* gate.c - see gate.h. */
#include "ingest/gate.h"

#include <assert.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/utf8.h"
#include "edgesentry/attest.h"

const char *eds_verdict_name(enum eds_verdict verdict)
{
    static const char *const names[] = {
        [EDS_VERDICT_ACCEPTED] = "accepted",
        [EDS_VERDICT_PAYLOAD_HASH] = "payload_hash",
        [EDS_VERDICT_PAYLOAD_ABSENT] = "payload_absent",
        [EDS_VERDICT_ROUTE_IDENTITY] = "route_identity",
        [EDS_VERDICT_UNKNOWN_DEVICE] = "unknown_device",
        [EDS_VERDICT_DEVICE_STATE] = "device_state",
        [EDS_VERDICT_SIGNATURE] = "signature",
        [EDS_VERDICT_KEY] = "key",
        [EDS_VERDICT_ATTESTATION] = "attestation",
        [EDS_VERDICT_ATTESTATION_ABSENT] = "attestation_absent",
        [EDS_VERDICT_DUPLICATE] = "duplicate",
        [EDS_VERDICT_CONFLICT] = "conflict",
        [EDS_VERDICT_SEQUENCE] = "sequence",
        [EDS_VERDICT_PREVIOUS_HASH] = "previous_hash",
        [EDS_VERDICT_QUARANTINED] = "quarantined",
        [EDS_VERDICT_OBJECT_TAKEN] = "object_taken",
        [EDS_VERDICT_TOO_LARGE] = "too_large",
        [EDS_VERDICT_RATE_LIMITED] = "rate_limited",
        [EDS_VERDICT_STORE] = "store",
        [EDS_VERDICT_OVERLOADED] = "overloaded",
    };

    assert((size_t)verdict < sizeof names / sizeof names[0]);
    return names[verdict];
}

static const char *id_of(const struct eds_entry *entry)
{
    return (const char *)entry->record.device_id;
}

/* Writes a rejection's message, cut at a character's border if ids and
 * references from outside are too long for it, and passes the verdict on. */
__attribute__((format(printf, 3, 4))) static enum eds_verdict reject(
    char message[EDS_ERROR_TEXT_SIZE], enum eds_verdict verdict, const char *format, ...)
{
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(message, EDS_ERROR_TEXT_SIZE, format, arguments);
    va_end(arguments);
    assert(size >= 0);
    if ((size_t)size >= EDS_ERROR_TEXT_SIZE)
        message[eds_utf8_valid_size(message, EDS_ERROR_TEXT_SIZE - 1)] = '\0';
    return verdict;
}

enum eds_verdict eds_gate_check_state(const struct eds_device *device,
                                      const struct eds_entry *entry,
                                      char message[EDS_ERROR_TEXT_SIZE])
{
    message[0] = '\0';
    if (device == NULL)
        return reject(message, EDS_VERDICT_UNKNOWN_DEVICE, "unknown device: %s", id_of(entry));
    if (device->state != EDS_DEVICE_ACTIVE)
        return reject(message,
                      device->state == EDS_DEVICE_QUARANTINED ? EDS_VERDICT_QUARANTINED
                                                              : EDS_VERDICT_DEVICE_STATE,
                      "device is %s: %s", eds_device_state_name(device->state), id_of(entry));
    return EDS_VERDICT_ACCEPTED;
}

/* The key that an attestation names, or NULL. */
static const struct eds_enrolled_key *named_key(const struct eds_device *device,
                                                const struct eds_attestation *attestation)
{
    uint8_t key_id[EDS_KEY_ID_SIZE];

    for (unsigned i = 0; attestation->present && i < device->key_count; i++) {
        eds_key_id(key_id, device->keys[i].public_key);
        if (memcmp(key_id, attestation->key_id, sizeof key_id) == 0)
            return &device->keys[i];
    }
    return NULL;
}

static enum eds_key_standing standing(const struct eds_request *request,
                                      const struct eds_enrolled_key *key)
{
    return eds_key_standing(key, request->now_ms, request->entry->record.sequence);
}

static bool verify(const struct eds_request *request, const uint8_t *signature, const void *message,
                   size_t size, const uint8_t *public_key)
{
    if (request->key_tables == NULL)
        return eds_ed25519_verify(signature, message, size, public_key);
    return eds_key_tables_verify(request->key_tables, signature, message, size, public_key);
}

/* Whether the signatures were tried under this key already. */
static bool is_found(const struct eds_request *request, const uint8_t *public_key)
{
    const struct eds_findings *findings = request->findings;

    return findings != NULL && findings->tried &&
           memcmp(findings->public_key, public_key, EDS_PUBLIC_KEY_SIZE) == 0;
}

static bool key_signed(const struct eds_request *request, const uint8_t *public_key)
{
    const EdsAuditRecord *record = &request->entry->record;

    if (is_found(request, public_key))
        return request->findings->signed_by;
    return verify(request, record->signature, record->payload_hash, sizeof record->payload_hash,
                  public_key);
}

static bool key_attested(const struct eds_request *request, const uint8_t *record_hash,
                         const uint8_t *public_key)
{
    const struct eds_attestation *attestation = &request->entry->attestation;
    uint8_t message[EDS_ATTEST_MESSAGE_SIZE];

    if (is_found(request, public_key))
        return request->findings->attested_by;
    eds_attest_message(message, attestation->key_id, record_hash);
    return verify(request, attestation->signature, message, sizeof message, public_key);
}

/* The key that made the payload's signature, among those that are valid now or
 * among the others; NULL if none did.  The named one is tried first: for a good
 * record that is the only one. */
static const struct eds_enrolled_key *find_signer(const struct eds_device *device,
                                                  const struct eds_request *request,
                                                  const struct eds_enrolled_key *named,
                                                  bool is_valid)
{
    if (named != NULL && (standing(request, named) == EDS_KEY_VALID) == is_valid &&
        key_signed(request, named->public_key))
        return named;
    for (unsigned i = 0; i < device->key_count; i++) {
        const struct eds_enrolled_key *key = &device->keys[i];

        if (key != named && (standing(request, key) == EDS_KEY_VALID) == is_valid &&
            key_signed(request, key->public_key))
            return key;
    }
    return NULL;
}

/* Why nothing that is valid now has signed. */
static enum eds_verdict reject_signer(const struct eds_device *device,
                                      const struct eds_request *request,
                                      const struct eds_enrolled_key *named,
                                      char message[EDS_ERROR_TEXT_SIZE])
{
    static const char *const standings[] = {
        [EDS_KEY_EARLY] = "not valid yet",
        [EDS_KEY_ENDED] = "expired",
        [EDS_KEY_REVOKED] = "revoked",
    };
    const struct eds_enrolled_key *signer = find_signer(device, request, named, false);

    if (signer == NULL)
        return reject(message, EDS_VERDICT_SIGNATURE, "invalid signature for device=%s",
                      id_of(request->entry));
    return reject(message, EDS_VERDICT_KEY, "key %s for device=%s",
                  standings[standing(request, signer)], id_of(request->entry));
}

/* Among keys without a name the first that is valid now is the likely one. */
const uint8_t *eds_gate_likely_key(const struct eds_request *request,
                                   const struct eds_device *device)
{
    const struct eds_enrolled_key *key = NULL;

    if (device == NULL)
        return NULL;
    if (request->entry->attestation.present)
        key = named_key(device, &request->entry->attestation);
    for (unsigned i = 0; key == NULL && i < device->key_count; i++)
        if (standing(request, &device->keys[i]) == EDS_KEY_VALID)
            key = &device->keys[i];
    return key != NULL ? key->public_key : NULL;
}

static enum eds_verdict check_signatures(const struct eds_device *device,
                                         const struct eds_request *request,
                                         const uint8_t record_hash[EDS_HASH_SIZE],
                                         char message[EDS_ERROR_TEXT_SIZE])
{
    const struct eds_entry *entry = request->entry;
    const struct eds_enrolled_key *named = named_key(device, &entry->attestation);
    const struct eds_enrolled_key *signer = find_signer(device, request, named, true);

    if (signer == NULL)
        return reject_signer(device, request, named, message);
    if (entry->attestation.present &&
        (signer != named || !key_attested(request, record_hash, named->public_key)))
        return reject(message, EDS_VERDICT_ATTESTATION, "invalid attestation for device=%s",
                      id_of(entry));
    return EDS_VERDICT_ACCEPTED;
}

/* References that agents make up name their device, so that nobody can take them before
 * its own record comes. */
static bool owns_reference(const struct eds_entry *entry)
{
    static const char *const prefixes[] = {"edge:", "edgesentry:note/", "edgesentry:command/"};
    const char *object_ref = (const char *)entry->record.object_ref, *id = id_of(entry);
    size_t id_size = strlen(id);

    for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++) {
        size_t size = strlen(prefixes[i]);

        if (strncmp(object_ref, prefixes[i], size) == 0)
            return strncmp(object_ref + size, id, id_size) == 0 &&
                   object_ref[size + id_size] == '/';
    }
    return true;
}

static bool has_payload_hash(const struct eds_request *request)
{
    uint8_t hash[EDS_HASH_SIZE];

    if (request->findings == NULL)
        eds_blake3(hash, request->payload, request->payload_size);
    else
        memcpy(hash, request->findings->payload_hash, sizeof hash);
    return memcmp(hash, request->entry->record.payload_hash, sizeof hash) == 0;
}

static void take_record_hash(uint8_t record_hash[EDS_HASH_SIZE], const struct eds_request *request)
{
    int32_t rc = EDS_OK;

    if (request->findings == NULL)
        rc = eds_record_digest(record_hash, &request->entry->record);
    else
        memcpy(record_hash, request->findings->record_hash, EDS_HASH_SIZE);
    assert(rc == EDS_OK); /* the strings are what a decoder left: valid */
    (void)rc;
}

enum eds_verdict eds_gate_check_route(const struct eds_request *request,
                                      char message[EDS_ERROR_TEXT_SIZE])
{
    const char *identity = request->route_identity, *id = id_of(request->entry);

    message[0] = '\0';
    if (identity == NULL || strcmp(identity, id) == 0)
        return EDS_VERDICT_ACCEPTED;
    return reject(message, EDS_VERDICT_ROUTE_IDENTITY,
                  "auth/device mismatch: cert_identity=%s device_id=%s", identity, id);
}

enum eds_verdict eds_gate_check_attested(const struct eds_entry *entry, bool attest_required,
                                         char message[EDS_ERROR_TEXT_SIZE])
{
    message[0] = '\0';
    if (!attest_required || entry->attestation.present)
        return EDS_VERDICT_ACCEPTED;
    return reject(message, EDS_VERDICT_ATTESTATION_ABSENT, "missing attestation for device=%s",
                  id_of(entry));
}

enum eds_verdict eds_gate_check_request(const struct eds_request *request,
                                        const struct eds_device *device,
                                        uint8_t record_hash[EDS_HASH_SIZE],
                                        char message[EDS_ERROR_TEXT_SIZE])
{
    const struct eds_entry *entry = request->entry;
    enum eds_verdict verdict, signatures;

    message[0] = '\0';
    if (!request->payload_absent && !has_payload_hash(request))
        return reject(message, EDS_VERDICT_PAYLOAD_HASH, "payload hash mismatch");
    verdict = eds_gate_check_route(request, message);
    if (verdict != EDS_VERDICT_ACCEPTED)
        return verdict;
    verdict = eds_gate_check_state(device, entry, message);
    if (!eds_verdict_is_kept(verdict))
        return verdict;
    take_record_hash(record_hash, request);
    signatures = check_signatures(device, request, record_hash, message);
    if (signatures != EDS_VERDICT_ACCEPTED)
        return signatures;
    if (!owns_reference(entry))
        return reject(message, EDS_VERDICT_OBJECT_TAKEN,
                      "object reference of another device for device=%s: %s", id_of(entry),
                      (const char *)entry->record.object_ref);
    return verdict;
}

static bool follows(const struct eds_head *head, const EdsAuditRecord *record)
{
    return record->sequence > head->sequence && record->sequence - head->sequence == 1 &&
           memcmp(record->prev_record_hash, head->record_hash, EDS_HASH_SIZE) == 0;
}

enum eds_verdict eds_gate_check_head(const struct eds_head *head, const struct eds_entry *entry,
                                     const uint8_t record_hash[EDS_HASH_SIZE], bool attest_required,
                                     const uint8_t *stored_hash, char message[EDS_ERROR_TEXT_SIZE])
{
    const EdsAuditRecord *record = &entry->record;
    const char *id = id_of(entry);
    bool used = eds_gate_needs_stored(head, entry) && stored_hash != NULL;
    enum eds_verdict attested;

    message[0] = '\0';
    if (used && memcmp(stored_hash, record_hash, EDS_HASH_SIZE) == 0)
        return reject(message, EDS_VERDICT_DUPLICATE,
                      "duplicate record for device=%s sequence=%" PRIu64, id, record->sequence);
    attested = eds_gate_check_attested(entry, attest_required || head->attested, message);
    if (attested != EDS_VERDICT_ACCEPTED)
        return attested;
    if (used)
        return reject(message, EDS_VERDICT_CONFLICT,
                      "conflicting record for device=%s sequence=%" PRIu64
                      ": another record is already accepted",
                      id, record->sequence);
    /* At the last sequence there is, nothing is "expected": 2^64 wraps to 0. */
    if (record->sequence <= head->sequence || record->sequence - head->sequence != 1)
        return reject(message, EDS_VERDICT_SEQUENCE,
                      "invalid sequence for device=%s: expected=%" PRIu64 " actual=%" PRIu64, id,
                      head->sequence + 1, record->sequence);
    if (!follows(head, record))
        return reject(message, EDS_VERDICT_PREVIOUS_HASH, "invalid previous hash for device=%s",
                      id);
    return EDS_VERDICT_ACCEPTED;
}

enum eds_verdict eds_gate_check_object(const struct eds_entry *entry, const uint8_t *taken_by,
                                       char message[EDS_ERROR_TEXT_SIZE])
{
    message[0] = '\0';
    if (taken_by == NULL || memcmp(taken_by, entry->record.payload_hash, EDS_HASH_SIZE) == 0)
        return EDS_VERDICT_ACCEPTED;
    return reject(message, EDS_VERDICT_OBJECT_TAKEN,
                  "object reference already taken for device=%s: %s", id_of(entry),
                  (const char *)entry->record.object_ref);
}

void eds_gate_advance(struct eds_head *head, const struct eds_entry *entry,
                      const uint8_t record_hash[EDS_HASH_SIZE])
{
    assert(follows(head, &entry->record));                 /* decided before, */
    assert(entry->attestation.present || !head->attested); /* and still so */
    head->sequence = entry->record.sequence;
    memcpy(head->record_hash, record_hash, EDS_HASH_SIZE);
    head->attested = head->attested || entry->attestation.present;
}
