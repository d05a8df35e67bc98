/* verify_level.h - how signatures of known keys are verified and how messages are
 * hashed, as the environment has it. */
#ifndef EDS_CLI_VERIFY_LEVEL_H
#define EDS_CLI_VERIFY_LEVEL_H

#include <stdint.h>

#include "edgesentry/error.h"

#define EDS_ENVIRONMENT_VERIFY_LEVEL "EDS_VERIFY_LEVEL"

/* eds_verify_level_apply settles the fastest level to be used: "libsodium",
 * "portable", "avx2" or "ifma"; NULL or "" is the fastest there is.  From then on a
 * level that fails its self-test is logged as an error, and one that was named but
 * is not there as a warning.  Before anything is verified.
 *
 * EDS_OK, or EDS_ERR_USAGE for another word. */
int32_t eds_verify_level_apply(const char *name, struct eds_error *err);

#define EDS_ENVIRONMENT_HASH_LEVEL "EDS_HASH_LEVEL"

/* eds_hash_level_apply is the same for hashing: "portable", "sse41", "avx2" or "avx512". */
int32_t eds_hash_level_apply(const char *name, struct eds_error *err);

#endif
