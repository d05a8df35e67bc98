/* verify_level.c - see verify_level.h. */
#include "cli/verify_level.h"

#include <stdbool.h>

#include "base/log.h"
#include "edgesentry/blake3.h"
#include "edgesentry/verifier.h"

static bool is_named;
static enum eds_verifier_level named;

static void report(enum eds_verifier_level level, enum eds_verifier_health health)
{
    const char *name = eds_verifier_level_name(level);

    if (health == EDS_VERIFIER_FAILED)
        EDS_LOG(EDS_LOG_ERROR, "verify_level_off", EDS_LOG_STRING("level", name),
                EDS_LOG_STRING("reason", "the self-test gave a wrong verdict"));
    else if (health == EDS_VERIFIER_ABSENT && is_named && level == named)
        EDS_LOG(EDS_LOG_WARN, "verify_level_absent", EDS_LOG_STRING("level", name),
                EDS_LOG_STRING("reason", "not in this build or not on this processor; "
                                         "the next slower one is used"));
}

int32_t eds_verify_level_apply(const char *name, struct eds_error *err)
{
    enum eds_verifier_level highest = EDS_VERIFIER_LEVEL_COUNT - 1;
    int32_t rc;

    is_named = name != NULL && *name != '\0';
    if (is_named && eds_verifier_level_from_name(&highest, name) != EDS_OK)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "invalid value '%s' for " EDS_ENVIRONMENT_VERIFY_LEVEL
                             " in the environment: use libsodium, portable, avx2 or ifma",
                             name);
    named = highest;
    rc = eds_verifier_configure(highest, report);
    if (rc != EDS_OK)
        return eds_error_set(err, rc, "too late to choose how to verify");
    return EDS_OK;
}

/* The fastest level up to the highest that is wanted; true if it is that one. */
static bool set_hash_level(enum eds_blake3_level highest)
{
    enum eds_blake3_level level = highest;

    while (eds_blake3_set_level(level) != EDS_OK) /* portable is always there */
        level--;
    return level == highest;
}

int32_t eds_hash_level_apply(const char *name, struct eds_error *err)
{
    const bool is_wanted = name != NULL && *name != '\0';
    enum eds_blake3_level highest = EDS_BLAKE3_PORTABLE;

    if (is_wanted && eds_blake3_level_from_name(&highest, name) != EDS_OK)
        return eds_error_set(err, EDS_ERR_USAGE,
                             "invalid value '%s' for " EDS_ENVIRONMENT_HASH_LEVEL
                             " in the environment: use portable, sse41, avx2 or avx512",
                             name);
    for (unsigned level = 0; level < EDS_BLAKE3_LEVEL_COUNT; level++)
        if (eds_blake3_level_failed((enum eds_blake3_level)level))
            EDS_LOG(EDS_LOG_ERROR, "hash_level_off",
                    EDS_LOG_STRING("level", eds_blake3_level_name((enum eds_blake3_level)level)),
                    EDS_LOG_STRING("reason", "the self-test gave a wrong hash"));
    if (is_wanted && !set_hash_level(highest))
        EDS_LOG(EDS_LOG_WARN, "hash_level_absent", EDS_LOG_STRING("level", name),
                EDS_LOG_STRING("reason", "not in this build or not on this processor; "
                                         "the next slower one is used"));
    return EDS_OK;
}
