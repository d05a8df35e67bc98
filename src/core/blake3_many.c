/* blake3_many.c - many messages at once: their chunks go side by side, and then the
 * parents of all trees, level by level.
 *
 * Messages are gathered until their chunks fill a table.  One that would fill it
 * alone has enough chunks to stand side by side by itself. */
#include "edgesentry/blake3.h"

#include <string.h>

#include "core/blake3_impl.h"

#if EDS_CPU_WIDE
#define GATHERED_MAX 64u /* chunks: some rows of lanes */
#else
#define GATHERED_MAX 4u
#endif
#define ALONE_COUNT (GATHERED_MAX / 4) /* chunks of a message that is hashed alone */

/* A message of more than one chunk, whose tree is still to be built. */
struct tree {
    uint8_t *out;
    uint8_t first, count; /* its chaining values */
};

struct gathered {
    struct eds_blake3_job jobs[GATHERED_MAX];
    uint8_t chains[GATHERED_MAX][EDS_HASH_SIZE];
    struct tree trees[GATHERED_MAX / 2];
    size_t job_count, chain_count, tree_count;
};

/* Joins each tree's chaining values by twos; one left over waits for the next round. */
static void join_trees(struct gathered *g)
{
    bool more = g->tree_count > 0;

    while (more) {
        more = false;
        g->job_count = 0;
        for (size_t i = 0; i < g->tree_count; i++) {
            struct tree *tree = &g->trees[i];
            uint8_t(*chains)[EDS_HASH_SIZE] = &g->chains[tree->first];

            if (tree->count == 2)
                g->jobs[g->job_count++] =
                    eds_blake3_parent_job(tree->out, chains[0], EDS_BLAKE3_ROOT);
            else if (tree->count > 2)
                for (size_t k = 0; k < tree->count / 2u; k++)
                    g->jobs[g->job_count++] = eds_blake3_parent_job(chains[k], chains[2 * k], 0);
        }
        eds_blake3_run(g->jobs, g->job_count);
        for (size_t i = 0; i < g->tree_count; i++) {
            struct tree *tree = &g->trees[i];
            uint8_t(*chains)[EDS_HASH_SIZE] = &g->chains[tree->first];

            if (tree->count > 2 && tree->count % 2 != 0)
                memcpy(chains[tree->count / 2], chains[tree->count - 1], EDS_HASH_SIZE);
            tree->count = (uint8_t)(tree->count > 2 ? tree->count - tree->count / 2 : 0);
            more = more || tree->count > 0;
        }
    }
}

static void hash_gathered(struct gathered *g)
{
    eds_blake3_run(g->jobs, g->job_count);
    join_trees(g);
    g->job_count = g->chain_count = g->tree_count = 0;
}

static void gather(struct gathered *g, uint8_t *out, const uint8_t *data, size_t size)
{
    if (size <= EDS_BLAKE3_CHUNK_SIZE) {
        g->jobs[g->job_count++] = eds_blake3_chunk_job(out, data, size, 0, EDS_BLAKE3_ROOT);
        return;
    }
    g->trees[g->tree_count] = (struct tree){out, (uint8_t)g->chain_count, 0};
    for (uint64_t index = 0; size > 0; index++) {
        size_t some = size < EDS_BLAKE3_CHUNK_SIZE ? size : EDS_BLAKE3_CHUNK_SIZE;

        g->jobs[g->job_count++] =
            eds_blake3_chunk_job(g->chains[g->chain_count++], data, some, index, 0);
        g->trees[g->tree_count].count++;
        data += some;
        size -= some;
    }
    g->tree_count++;
}

void eds_blake3_many(uint8_t (*out)[EDS_HASH_SIZE], const void *const *data, const size_t *sizes,
                     size_t count)
{
    struct gathered g;

    g.job_count = g.chain_count = g.tree_count = 0;
    for (size_t i = 0; i < count; i++) {
        size_t chunks = sizes[i] / EDS_BLAKE3_CHUNK_SIZE + (sizes[i] % EDS_BLAKE3_CHUNK_SIZE != 0);

        if (chunks > ALONE_COUNT) {
            eds_blake3(out[i], data[i], sizes[i]);
            continue;
        }
        if (g.job_count + (chunks > 0 ? chunks : 1) > GATHERED_MAX)
            hash_gathered(&g);
        gather(&g, out[i], data[i], sizes[i]);
    }
    if (g.job_count > 0)
        hash_gathered(&g);
}
