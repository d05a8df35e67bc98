/* verifier_impl.h - what the parts of the verifier know of each other.
 *
 *   verifier.c        the contract: levels, jobs in, verdicts out
 *   verifier_batch.c  a job's bytes become numbers
 *   verifier_table.c  a key becomes a table
 *   verifier_lanes.h  digits, the sum and the comparison, written once for any
 *                     number of lanes; verifier_LEVEL.c gives it arithmetic
 *
 * The idea.  A signature (R, S) under A is good when [S]B + [k](-A) is the point
 * whose bytes are R.  A scalar below 2^252 is cut into windows, and a table has
 * the point that each digit of each window stands for.  So the left side is a
 * sum of table points, 42 for k and 28 for S, and not one doubling.
 *
 * Points are added as pairs (x, y) on y^2 = x^3 + a x + b, the short form of the
 * curve.  An addition costs a division there, and a batch does its divisions
 * together.  The formula knows neither the neutral point nor equal or opposite
 * summands; it then divides by zero.  That is seen, and such a job goes to
 * libsodium: by accident it never happens, and with a key made for the purpose
 * it costs its owner speed, not anybody exactness. */
#ifndef EDS_CORE_VERIFIER_IMPL_H
#define EDS_CORE_VERIFIER_IMPL_H

#include "edgesentry/verifier.h"

/* Without 128-bit integers, or where the build wants none of this, only the
 * contract remains, and libsodium behind it. */
#if defined(__SIZEOF_INT128__) && !defined(EDS_VERIFY_LIBSODIUM_ONLY)
#define EDS_VERIFIER_TABLES 1
#else
#define EDS_VERIFIER_TABLES 0
#endif

#if EDS_VERIFIER_TABLES

#include "core/fe25519.h"

/* How a scalar is cut: windows of so many bits make up 252 bits exactly. */
#define EDS_SCALAR_BITS      252u
#define EDS_KEY_WINDOW_BITS  6u
#define EDS_KEY_WINDOWS      (EDS_SCALAR_BITS / EDS_KEY_WINDOW_BITS) /* 42 */
#define EDS_BASE_WINDOW_BITS 9u
#define EDS_BASE_WINDOWS     (EDS_SCALAR_BITS / EDS_BASE_WINDOW_BITS) /* 28 */
#define EDS_SUMMANDS         (EDS_KEY_WINDOWS + EDS_BASE_WINDOWS)     /* 70 */

/* A window has half as many points as digits, because minus a point is at hand;
 * the topmost has all of them, see lanes_digits. */
#define EDS_TABLE_POINTS(windows, bits) (((windows) + 1u) << ((bits)-1u))
#define EDS_BASE_POINTS                 EDS_TABLE_POINTS(EDS_BASE_WINDOWS, EDS_BASE_WINDOW_BITS)

_Static_assert(EDS_KEY_WINDOWS *EDS_KEY_WINDOW_BITS == EDS_SCALAR_BITS, "key windows");
_Static_assert(EDS_BASE_WINDOWS *EDS_BASE_WINDOW_BITS == EDS_SCALAR_BITS, "base windows");
_Static_assert(EDS_TABLE_POINTS(EDS_KEY_WINDOWS, EDS_KEY_WINDOW_BITS) == EDS_VERIFIER_TABLE_POINTS,
               "the public size of a key's table");

/* A point of a table: x, then y, four words each, lowest first, below p.  One
 * line of the cache. */
typedef uint64_t eds_table_point[8];

/* A digit: the place of its point in the table, and whether to negate it. */
#define EDS_DIGIT_PLACE 0x1fffu
#define EDS_DIGIT_MINUS 0x8000u
_Static_assert(EDS_BASE_POINTS <= EDS_DIGIT_PLACE + 1, "a place fits");

/* Jobs that are decided together. */
#define EDS_BATCH_MAX 64u

enum eds_batch_verdict { EDS_BATCH_BAD, EDS_BATCH_GOOD, EDS_BATCH_ODD /* ask libsodium */ };

struct eds_batch {
    size_t count;
    const struct eds_verify_job *job[EDS_BATCH_MAX];
    const eds_table_point *key_table[EDS_BATCH_MAX];
    uint64_t k[4][EDS_BATCH_MAX], s[4][EDS_BATCH_MAX]; /* words, lowest first, < 2^252 */
    uint16_t digit[EDS_SUMMANDS][EDS_BATCH_MAX];       /* those of k, then those of S */
    uint8_t verdict[EDS_BATCH_MAX];                    /* enum eds_batch_verdict */
};

/* The table of the base point; read only after the init. */
extern eds_table_point eds_base_table[EDS_BASE_POINTS];

/* eds_verifier_table_make fills a table with the multiples of minus a point,
 * given as a public key that eds_ed25519_check_key takes.  False, should it not
 * be a point after all. */
bool eds_verifier_table_make(eds_table_point *table, unsigned windows, unsigned bits,
                             const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* A / 3 and c of the map between the two forms of the curve: verifier_table.c. */
extern const struct fe25519 eds_third_of_a, eds_map_c;

/* What a level gives to the batch. */
struct eds_verifier_arithmetic {
    /* SHA-512(R || A || message) of each job of the batch. */
    void (*hash)(uint8_t (*digest)[64], const struct eds_batch *batch);
    /* Sets verdict of each job that is not EDS_BATCH_ODD yet, to that if need
     * be.  room: EDS_BATCH_ROOM_SIZE(count) bytes of any content, aligned to 64. */
    void (*decide)(struct eds_batch *batch, void *room);
};

#define EDS_BATCH_ROOM_SIZE(count) ((count)*9216u)
#define EDS_BATCH_ROOM_ONE         4608u /* bytes: one job, at the portable level */

extern const struct eds_verifier_arithmetic eds_verifier_portable, eds_verifier_avx2,
    eds_verifier_ifma;

/* eds_verifier_arithmetic gives that of a level; NULL if this build or processor
 * does not have it, and for EDS_VERIFIER_LIBSODIUM. */
const struct eds_verifier_arithmetic *eds_verifier_arithmetic(enum eds_verifier_level level);

#endif
#endif
