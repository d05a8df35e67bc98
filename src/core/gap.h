/* gap.h - a gap in a device's chain, closed for good by an operator's signature.
 *
 * A device whose storage is lost never sends the records that it had made: its
 * next one follows something that no ledger has.  A gap record says so, and who
 * takes it upon himself.  It has a beginning (the last record that the ledger has)
 * and an end (what the next record of the device names as the one before it); all
 * sequences in between are missing:
 *
 *   ... 3, 4 | last_sequence 4, last_record_hash H(4)
 *            | resume_sequence 9, resume_hash R        5 to 8 are missing
 *              9, 10 ...                               9 has prev_record_hash R
 *
 * A device that begins anew, without any memory, names the zero hash.  What is
 * signed (docs/SPEC.md, gap records):
 *
 *   gap hash  = BLAKE3(canonical bytes)
 *   signature = Ed25519("edgesentry/gap-record/v1" || key_id || gap hash)
 *
 * No heap, no OS; any thread. */
#ifndef EDS_CORE_GAP_H
#define EDS_CORE_GAP_H

#include "core/enrolment.h"
#include "edgesentry/chain.h"

#define EDS_GAP_REASON_SIZE 512u /* bytes, NUL included */

/* Longest canonical encoding: 2 + 255, 10, 32, 10, 32, 10, 2 + 255, 2 + 511. */
#define EDS_GAP_SIZE_MAX     1121u /* bytes */
#define EDS_GAP_MESSAGE_SIZE 64u   /* bytes: the tag's 24, key id, gap hash */

struct eds_gap {
    char device_id[EDS_DEVICE_ID_SIZE];      /* whose chain it is in */
    uint64_t last_sequence;                  /* of the last record before it; 0: there is none */
    uint8_t last_record_hash[EDS_HASH_SIZE]; /* of that record, or zero */
    uint64_t resume_sequence;                /* of the first record behind it */
    uint8_t resume_hash[EDS_HASH_SIZE];      /* the prev_record_hash of that record */
    uint64_t closed_ms;                      /* Unix time, by the operator's clock */
    char operator_name[EDS_DEVICE_ID_SIZE];  /* as the registry has him */
    char reason[EDS_GAP_REASON_SIZE];
    uint8_t key_id[EDS_KEY_ID_SIZE];
    uint8_t signature[EDS_SIGNATURE_SIZE];
};

/* eds_gap_check says whether a gap can be one, signed or not: texts that are valid
 * UTF-8 and not empty, without control characters but for the device's id, which is as
 * records have it; an end behind the beginning, and something between them.
 *
 * EDS_OK, EDS_ERR_STRING_TOO_LONG, EDS_ERR_INVALID_UTF8 or EDS_ERR_USAGE; *err (may be
 * NULL) names the field. */
int32_t eds_gap_check(const struct eds_gap *gap, struct eds_error *err);

/* eds_gap_encode writes the canonical bytes of a gap that eds_gap_check takes, and
 * returns how many. */
size_t eds_gap_encode(uint8_t out[EDS_GAP_SIZE_MAX], const struct eds_gap *gap);

/* eds_gap_message writes what is signed, for signers that are not ours. */
void eds_gap_message(uint8_t out[EDS_GAP_MESSAGE_SIZE], const struct eds_gap *gap);

/* eds_gap_sign fills key_id and signature.  Errors of eds_gap_check. */
int32_t eds_gap_sign(struct eds_gap *gap, const uint8_t seed[EDS_SEED_SIZE], struct eds_error *err);

/* eds_gap_verify says whether a gap can be one, names this key and is signed by it. */
bool eds_gap_verify(const struct eds_gap *gap, const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* How a gap is signed, as far as some keys can tell. */
enum eds_gap_standing {
    EDS_GAP_SIGNED,   /* by one of them, in its time */
    EDS_GAP_UNTIMELY, /* by one of them that was not valid at closed_ms */
    EDS_GAP_UNSIGNED, /* by none of them */
};

/* eds_gap_judge looks for the key that signed among those of the gap's operator. */
enum eds_gap_standing eds_gap_judge(const struct eds_gap *gap, const struct eds_enrolled_key *keys,
                                    size_t key_count);

/* eds_gap_missing tells how many sequences are missing; 0 where only the hashes do
 * not fit. */
static inline uint64_t eds_gap_missing(const struct eds_gap *gap)
{
    return gap->resume_sequence - gap->last_sequence - 1;
}

/* eds_gap_begins_at and eds_gap_ends_at say whether a chain that stands after this
 * sequence and hash stands at the gap's beginning, or behind its end. */
bool eds_gap_begins_at(const struct eds_gap *gap, uint64_t sequence,
                       const uint8_t record_hash[EDS_HASH_SIZE]);
bool eds_gap_ends_at(const struct eds_gap *gap, uint64_t sequence,
                     const uint8_t record_hash[EDS_HASH_SIZE]);

/* eds_gap_cross lets a walk that stands at the gap's beginning stand behind its end;
 * false, and the walk as it was, if it stands elsewhere. */
bool eds_gap_cross(const struct eds_gap *gap, struct eds_chain *chain);

#endif
