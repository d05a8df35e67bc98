/* verifier.h - many Ed25519 signatures under keys that were seen before.
 *
 * The verdicts are those of eds_ed25519_verify, each for itself and exact:
 * nothing is combined at random, and a bad signature changes no other verdict.
 * What is saved is work that depends on the key alone.  A table holds multiples
 * of one public key; with it, and with one for the base point, [S]B - [k]A is a
 * sum of 70 ready points, and a batch shares the costly divisions.
 *
 * Everything here is public data, so the time taken may depend on it.  Signing
 * is elsewhere (ed25519.h), and so are keys without a table: jobs without one
 * are decided by libsodium.  No heap, no OS.  docs/DESIGN.md, "Verifier". */
#ifndef EDGESENTRY_VERIFIER_H
#define EDGESENTRY_VERIFIER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgesentry/ed25519.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The ways to a verdict, slowest first.  What a build or processor lacks is
 * absent; a level that fails its self-test is off. */
enum eds_verifier_level {
    EDS_VERIFIER_LIBSODIUM, /* no tables: every job goes to libsodium */
    EDS_VERIFIER_PORTABLE,  /* plain C, any 64-bit machine */
    EDS_VERIFIER_AVX2,      /* four signatures side by side */
    EDS_VERIFIER_IFMA,      /* eight, with AVX-512 IFMA */
};
#define EDS_VERIFIER_LEVEL_COUNT 4u

enum eds_verifier_health {
    EDS_VERIFIER_ABSENT, /* not in this build, not on this processor, or not wanted */
    EDS_VERIFIER_READY,
    EDS_VERIFIER_FAILED, /* its self-test gave a wrong verdict: never used.  Portable
                          *   failed: none of the faster ones is, they stand on it */
};

/* Multiples of one public key, 86 KiB.  Its content is this version's own
 * business: keep it in memory, don't store it. */
#define EDS_VERIFIER_TABLE_POINTS 1376u
struct eds_verifier_table {
#if defined(__cplusplus)
    alignas(64)
#elif __STDC_VERSION__ >= 201112L
    _Alignas(64)
#else
    __attribute__((aligned(64)))
#endif
        uint64_t point[EDS_VERIFIER_TABLE_POINTS][8];
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
};

/* Room for a batch in the making: EDS_VERIFIER_WORK_SIZE bytes, aligned to 64,
 * of any content.  One for each thread that verifies. */
#define EDS_VERIFIER_WORK_SIZE (640u * 1024u) /* bytes */
struct eds_verifier_work;

/* One question: is this the key's signature over this message?  Nothing is
 * kept after the call. */
struct eds_verify_job {
    const struct eds_verifier_table *table; /* of the key, or NULL */
    const uint8_t *public_key;              /* 32 bytes; not read if there is a table */
    const void *message;                    /* may be NULL if message_size is 0 */
    size_t message_size;                    /* bytes */
    const uint8_t *signature;               /* 64 bytes */
};

/* eds_verifier_configure says what the init shall do; before the first init, by
 * one thread.
 *
 *   highest  no faster level is tested or chosen; with EDS_VERIFIER_LIBSODIUM
 *            there are no tables at all
 *   report   is told the health of each level that was wanted, libsodium's
 *            aside, by the thread that is in the init; NULL: nobody is
 *
 * EDS_OK; EDS_ERR_USAGE if there is no such level; EDS_ERR_BUSY if the init has
 * begun. */
int32_t eds_verifier_configure(enum eds_verifier_level highest,
                               void (*report)(enum eds_verifier_level level,
                                              enum eds_verifier_health health));

/* eds_verifier_init makes the table of the base point (once, 464 KiB of static
 * memory, some milliseconds), tests every level against known answers and
 * libsodium, and chooses the fastest.  Returns the level chosen.
 *
 * Before it, and while another thread is in it, everything works through
 * libsodium.  Further calls return at once.  Any thread. */
enum eds_verifier_level eds_verifier_init(void);

/* eds_verifier_level_health tells about one level; meaningful after the init. */
enum eds_verifier_health eds_verifier_level_health(enum eds_verifier_level level);

/* eds_verifier_level_name gives "libsodium", "portable", "avx2" or "ifma";
 * eds_verifier_level_from_name finds the level of such a name, or EDS_ERR_UNSUPPORTED. */
const char *eds_verifier_level_name(enum eds_verifier_level level);
int32_t eds_verifier_level_from_name(enum eds_verifier_level *out, const char *name);

/* eds_verifier_get_level tells the level in use. */
enum eds_verifier_level eds_verifier_get_level(void);

/* eds_verifier_set_level chooses another one for all threads, from the next
 * call on.  EDS_OK, or EDS_ERR_UNSUPPORTED for one that is not ready. */
int32_t eds_verifier_set_level(enum eds_verifier_level level);

/* eds_verifier_table_build makes the table of a public key, which takes as long
 * as a few verifications by libsodium.
 *
 * EDS_OK; EDS_ERR_INVALID_KEY for a key that eds_ed25519_check_key refuses;
 * EDS_ERR_UNSUPPORTED in a build without tables.  Only after EDS_OK may the
 * table be given to a job; it serves every level, and any number of threads at
 * once.  Uses about 70 KiB of stack. */
int32_t eds_verifier_table_build(struct eds_verifier_table *table,
                                 const uint8_t public_key[EDS_PUBLIC_KEY_SIZE]);

/* eds_verify_many answers count jobs, verdicts[i] for jobs[i].  Any mix of
 * keys, with tables and without; best in hundreds at a time. */
void eds_verify_many(struct eds_verifier_work *work, const struct eds_verify_job *jobs,
                     size_t count, bool *verdicts);

/* eds_verify_one answers a single job, as exactly, without a batch to share
 * costs with: about half as fast.  Uses about 16 KiB of stack. */
bool eds_verify_one(const struct eds_verify_job *job);

#ifdef __cplusplus
}
#endif

#endif
