/* gap.c - see gap.h. */
#include "core/gap.h"

#include <assert.h>
#include <string.h>

#include "core/fields.h"

static const char tag[] = "edgesentry/gap-record/v1";

#define TAG_SIZE (sizeof tag - 1)
_Static_assert(TAG_SIZE + EDS_KEY_ID_SIZE + EDS_HASH_SIZE == EDS_GAP_MESSAGE_SIZE,
               "the message is tag, key id and hash");

static bool has_control(const char *string)
{
    for (; *string != '\0'; string++)
        if ((unsigned char)*string < 0x20 || *string == 0x7f)
            return true;
    return false;
}

/* A text that people wrote for people. */
static int32_t check_words(const char *string, size_t buffer_size, const char *field,
                           struct eds_error *err)
{
    int32_t rc = eds_field_check_name(string, buffer_size, field, err);

    if (rc == EDS_OK && has_control(string))
        return eds_field_say(err, EDS_ERR_USAGE, field, " has a control character");
    return rc;
}

static int32_t check_ends(const struct eds_gap *gap, struct eds_error *err)
{
    static const uint8_t zero[EDS_HASH_SIZE];

    if (gap->last_sequence == 0 && memcmp(gap->last_record_hash, zero, sizeof zero) != 0)
        return eds_field_say(err, EDS_ERR_USAGE, "last_record_hash",
                             " must be zero without a record");
    if (gap->resume_sequence < 2)
        return eds_field_say(err, EDS_ERR_USAGE, "resume_sequence", " must be 2 at least");
    if (gap->resume_sequence <= gap->last_sequence)
        return eds_field_say(err, EDS_ERR_USAGE, "resume_sequence", " must be above last_sequence");
    if (eds_gap_missing(gap) == 0 &&
        memcmp(gap->last_record_hash, gap->resume_hash, EDS_HASH_SIZE) == 0)
        return eds_field_say(err, EDS_ERR_USAGE, "resume_hash",
                             " is the one of the record before: nothing is missing");
    return EDS_OK;
}

int32_t eds_gap_check(const struct eds_gap *gap, struct eds_error *err)
{
    int32_t rc = eds_field_check_name(gap->device_id, sizeof gap->device_id, "device_id", err);

    if (rc == EDS_OK)
        rc = check_words(gap->operator_name, sizeof gap->operator_name, "operator", err);
    if (rc == EDS_OK)
        rc = check_words(gap->reason, sizeof gap->reason, "reason", err);
    return rc == EDS_OK ? check_ends(gap, err) : rc;
}

size_t eds_gap_encode(uint8_t out[EDS_GAP_SIZE_MAX], const struct eds_gap *gap)
{
    uint8_t *at = out;

    assert(eds_gap_check(gap, NULL) == EDS_OK);
    at = eds_put_string(at, gap->device_id);
    at += eds_varint_encode(at, gap->last_sequence);
    at = eds_put_bytes(at, gap->last_record_hash, EDS_HASH_SIZE);
    at += eds_varint_encode(at, gap->resume_sequence);
    at = eds_put_bytes(at, gap->resume_hash, EDS_HASH_SIZE);
    at += eds_varint_encode(at, gap->closed_ms);
    at = eds_put_string(at, gap->operator_name);
    at = eds_put_string(at, gap->reason);
    assert((size_t)(at - out) <= EDS_GAP_SIZE_MAX);
    return (size_t)(at - out);
}

void eds_gap_message(uint8_t out[EDS_GAP_MESSAGE_SIZE], const struct eds_gap *gap)
{
    uint8_t bytes[EDS_GAP_SIZE_MAX];
    size_t size = eds_gap_encode(bytes, gap);

    memcpy(out, tag, TAG_SIZE);
    memcpy(out + TAG_SIZE, gap->key_id, EDS_KEY_ID_SIZE);
    eds_blake3(out + TAG_SIZE + EDS_KEY_ID_SIZE, bytes, size);
}

int32_t eds_gap_sign(struct eds_gap *gap, const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err)
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    uint8_t message[EDS_GAP_MESSAGE_SIZE];
    int32_t rc = eds_gap_check(gap, err);

    if (rc != EDS_OK)
        return rc;
    eds_ed25519_public_key(public_key, seed);
    eds_key_id(gap->key_id, public_key);
    eds_gap_message(message, gap);
    eds_ed25519_sign(gap->signature, message, sizeof message, seed);
    return EDS_OK;
}

bool eds_gap_verify(const struct eds_gap *gap, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    uint8_t key_id[EDS_KEY_ID_SIZE];
    uint8_t message[EDS_GAP_MESSAGE_SIZE];

    if (eds_gap_check(gap, NULL) != EDS_OK)
        return false;
    eds_key_id(key_id, public_key);
    if (memcmp(key_id, gap->key_id, EDS_KEY_ID_SIZE) != 0)
        return false;
    eds_gap_message(message, gap);
    return eds_ed25519_verify(gap->signature, message, sizeof message, public_key);
}

bool eds_gap_begins_at(const struct eds_gap *gap, uint64_t sequence,
                       const uint8_t record_hash[EDS_HASH_SIZE])
{
    return gap->last_sequence == sequence &&
           memcmp(gap->last_record_hash, record_hash, EDS_HASH_SIZE) == 0;
}

bool eds_gap_ends_at(const struct eds_gap *gap, uint64_t sequence,
                     const uint8_t record_hash[EDS_HASH_SIZE])
{
    return gap->resume_sequence - 1 == sequence &&
           memcmp(gap->resume_hash, record_hash, EDS_HASH_SIZE) == 0;
}

bool eds_gap_cross(const struct eds_gap *gap, struct eds_chain *chain)
{
    if (!eds_gap_begins_at(gap, chain->sequence, chain->record_hash))
        return false;
    eds_chain_resume(chain, gap->resume_sequence - 1, gap->resume_hash);
    return true;
}

enum eds_gap_standing eds_gap_judge(const struct eds_gap *gap, const struct eds_enrolled_key *keys,
                                    size_t key_count)
{
    enum eds_gap_standing standing = EDS_GAP_UNSIGNED;

    for (size_t i = 0; i < key_count && standing != EDS_GAP_SIGNED; i++)
        if (eds_gap_verify(gap, keys[i].public_key))
            standing =
                eds_key_was_valid(&keys[i], gap->closed_ms, 0) ? EDS_GAP_SIGNED : EDS_GAP_UNTIMELY;
    return standing;
}
