/* signer.c - a key in memory. */
#include "edgesentry/signer.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/wipe.h"

/* In sodium_malloc's memory: locked, fenced, wiped when it is freed.  A system
 * without an OS has no such memory. */
struct memory_signer {
    struct eds_signer signer; /* first */
    uint8_t seed[EDS_SEED_SIZE];
};

static int32_t memory_sign(struct eds_signer *signer, const void *message, size_t size,
                           uint8_t signature[EDS_SIGNATURE_SIZE], struct eds_error *err)
{
    (void)err;
    eds_ed25519_sign(signature, message, size, ((struct memory_signer *)signer)->seed);
    return EDS_OK;
}

#if defined(EDS_WITHOUT_OS)

static void memory_close(struct eds_signer *signer)
{
    eds_wipe(signer, sizeof(struct memory_signer));
    free(signer);
}

static struct memory_signer *make(void)
{
    return malloc(sizeof(struct memory_signer));
}

#else

static void memory_close(struct eds_signer *signer)
{
    sodium_free(signer);
}

static struct memory_signer *make(void)
{
    if (sodium_init() < 0)
        return NULL;
    /* So many bytes that it is aligned. */
    return sodium_malloc((sizeof(struct memory_signer) + 15) & ~(size_t)15);
}

#endif

static const struct eds_signer_ops memory_ops = {
    .name = "memory", .sign = memory_sign, .close = memory_close};

int32_t eds_signer_from_seed(struct eds_signer **out, const uint8_t seed[EDS_SEED_SIZE],
                             struct eds_error *err)
{
    struct memory_signer *memory = make();

    if (memory == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for a private key");
    memory->signer.ops = &memory_ops;
    memcpy(memory->seed, seed, EDS_SEED_SIZE);
    eds_ed25519_public_key(memory->signer.public_key, seed);
    *out = &memory->signer;
    return EDS_OK;
}

void eds_signer_close(struct eds_signer *signer)
{
    if (signer != NULL)
        signer->ops->close(signer);
}
