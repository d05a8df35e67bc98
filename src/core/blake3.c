/* blake3.c - BLAKE3's tree: chunks are leaves, and subtrees wait on a stack for
 * their right-hand neighbour (paper, section 5.1).
 *
 * Nothing is compressed before it is known that more bytes follow: the last
 * block of the last chunk, or the last parent, is the root and gets a flag of
 * its own.  So a full block or chunk stays in the state until the next byte. */
#include "edgesentry/blake3.h"

#include <assert.h>
#include <string.h>

#include "core/blake3_impl.h"

static void begin_chunk(struct eds_blake3 *state)
{
    memcpy(state->chunk_chain, eds_blake3_iv, sizeof eds_blake3_iv);
    state->block_size = 0;
    state->block_count = 0;
}

void eds_blake3_init(struct eds_blake3 *state)
{
    begin_chunk(state);
    state->chunk_index = 0;
    state->stack_count = 0;
}

static uint32_t start_flag(const struct eds_blake3 *state)
{
    return state->block_count == 0 ? EDS_BLAKE3_CHUNK_START : 0;
}

static size_t chunk_size(const struct eds_blake3 *state)
{
    return EDS_BLAKE3_BLOCK_SIZE * (size_t)state->block_count + state->block_size;
}

/* The parent of two chaining values, with more flags (the root's). */
static void join(uint32_t out[8], const uint32_t left[8], const uint32_t right[8], uint8_t flags)
{
    uint8_t block[EDS_BLAKE3_BLOCK_SIZE];

    eds_blake3_store_words(block, left);
    eds_blake3_store_words(block + EDS_HASH_SIZE, right);
    memcpy(out, eds_blake3_iv, sizeof eds_blake3_iv);
    eds_blake3_compress(out, block, sizeof block, 0, EDS_BLAKE3_PARENT | (uint32_t)flags);
}

/* Puts the chaining value of the next chunk_count chunks (a power of two, and
 * the place divides by it) on the stack, joining it first with every subtree
 * that it completes: as many as the new number of chunks has trailing zeros. */
static void push_subtree(struct eds_blake3 *state, uint32_t chain[8], uint64_t chunk_count)
{
    uint64_t total;

    state->chunk_index += chunk_count;
    for (total = state->chunk_index / chunk_count; total % 2 == 0; total /= 2)
        join(chain, state->stack[--state->stack_count], chain, 0);
    memcpy(state->stack[state->stack_count++], chain, 8 * sizeof chain[0]);
}

/* The last block of the chunk, padded with zeros, compressed into chain. */
static void finish_chunk(const struct eds_blake3 *state, uint32_t chain[8], uint32_t flags)
{
    uint8_t block[EDS_BLAKE3_BLOCK_SIZE] = {0};

    memcpy(block, state->block, state->block_size);
    memcpy(chain, state->chunk_chain, sizeof state->chunk_chain);
    eds_blake3_compress(chain, block, state->block_size, state->chunk_index,
                        start_flag(state) | EDS_BLAKE3_CHUNK_END | flags);
}

/* Joins chaining values by twos until one is left, the first.  One without a
 * neighbour waits for the next round: so the tree is the one that the paper wants,
 * with a full subtree on each left-hand side. */
static void join_all(uint8_t (*chains)[EDS_HASH_SIZE], size_t count, uint8_t root)
{
    struct eds_blake3_job jobs[EDS_BLAKE3_GROUP_COUNT / 2];

    for (; count > 1; count -= count / 2) {
        const size_t pairs = count / 2;

        for (size_t i = 0; i < pairs; i++)
            jobs[i] = eds_blake3_parent_job(chains[i], chains[2 * i], count == 2 ? root : 0);
        eds_blake3_run(jobs, pairs);
        if (count % 2 != 0)
            memcpy(chains[pairs], chains[count - 1], EDS_HASH_SIZE);
    }
}

/* Hashes up to EDS_BLAKE3_GROUP_COUNT chunks, the last of which need not be full,
 * into the chaining value of their subtree, or the hash if it is the root.  More
 * than one chunk then. */
static void hash_group(uint32_t chain[8], const uint8_t *data, size_t size, uint64_t first_index,
                       uint8_t root)
{
    struct eds_blake3_job jobs[EDS_BLAKE3_GROUP_COUNT];
    uint8_t chains[EDS_BLAKE3_GROUP_COUNT][EDS_HASH_SIZE];
    size_t count = 0;

    while (size > 0) {
        size_t some = size < EDS_BLAKE3_CHUNK_SIZE ? size : EDS_BLAKE3_CHUNK_SIZE;

        assert(count < EDS_BLAKE3_GROUP_COUNT);
        jobs[count] = eds_blake3_chunk_job(chains[count], data, some, first_index + count, 0);
        count++;
        data += some;
        size -= some;
    }
    assert(count > 0);
    eds_blake3_run(jobs, count);
    join_all(chains, count, root);
    eds_blake3_load_words(chain, chains[0]);
}

/* Hashes as many whole chunks as may go together: a power of two that divides
 * the place where they begin, with at least one byte left after them.  Returns
 * the bytes taken. */
static size_t take_chunks(struct eds_blake3 *state, const uint8_t *data, size_t size)
{
    uint32_t chain[8];
    size_t count = 1;

    while (count < EDS_BLAKE3_GROUP_COUNT && state->chunk_index % (2 * count) == 0 &&
           (size - 1) / EDS_BLAKE3_CHUNK_SIZE >= 2 * count)
        count *= 2;
    hash_group(chain, data, count * EDS_BLAKE3_CHUNK_SIZE, state->chunk_index, 0);
    push_subtree(state, chain, count);
    return count * EDS_BLAKE3_CHUNK_SIZE;
}

/* Appends to the chunk's block, compressing a full one first.  Returns the
 * bytes taken: up to the end of the block. */
static size_t fill_block(struct eds_blake3 *state, const uint8_t *data, size_t size)
{
    size_t room;

    if (state->block_size == EDS_BLAKE3_BLOCK_SIZE) {
        eds_blake3_compress(state->chunk_chain, state->block, EDS_BLAKE3_BLOCK_SIZE,
                            state->chunk_index, start_flag(state));
        state->block_count++;
        state->block_size = 0;
    }
    room = EDS_BLAKE3_BLOCK_SIZE - (size_t)state->block_size;
    if (size > room)
        size = room;
    memcpy(state->block + state->block_size, data, size);
    state->block_size = (uint8_t)(state->block_size + size);
    return size;
}

/* A full chunk gives way to the next one. */
static void turn_chunk(struct eds_blake3 *state)
{
    uint32_t chain[8];

    finish_chunk(state, chain, 0);
    push_subtree(state, chain, 1);
    begin_chunk(state);
}

void eds_blake3_update(struct eds_blake3 *state, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        size_t taken;

        if (chunk_size(state) == EDS_BLAKE3_CHUNK_SIZE)
            turn_chunk(state);
        if (chunk_size(state) == 0 && size > EDS_BLAKE3_CHUNK_SIZE)
            taken = take_chunks(state, at, size);
        else
            taken = fill_block(state, at, size);
        at += taken;
        size -= taken;
    }
}

/* Joins what waits on the stack with the last chaining value, and is the hash. */
static void finish_tree(const struct eds_blake3 *state, uint32_t chain[8],
                        uint8_t out[EDS_HASH_SIZE])
{
    for (size_t left = state->stack_count; left-- > 0;)
        join(chain, state->stack[left], chain, left == 0 ? EDS_BLAKE3_ROOT : 0);
    eds_blake3_store_words(out, chain);
}

void eds_blake3_final(const struct eds_blake3 *state, uint8_t out[EDS_HASH_SIZE])
{
    uint32_t chain[8];

    finish_chunk(state, chain, state->stack_count == 0 ? EDS_BLAKE3_ROOT : 0);
    finish_tree(state, chain, out);
}

void eds_blake3_subtree(struct eds_blake3_subtree *out, const void *data, uint64_t first_index)
{
    struct eds_blake3 state;

    /* A state that begins in the middle: its stack holds nothing from before. */
    eds_blake3_init(&state);
    assert(first_index % EDS_BLAKE3_SUBTREE_CHUNKS == 0);
    for (size_t done = 0; done < EDS_BLAKE3_SUBTREE_SIZE;
         done += EDS_BLAKE3_GROUP_COUNT * EDS_BLAKE3_CHUNK_SIZE) {
        uint32_t chain[8];

        hash_group(chain, (const uint8_t *)data + done,
                   EDS_BLAKE3_GROUP_COUNT * EDS_BLAKE3_CHUNK_SIZE,
                   first_index + done / EDS_BLAKE3_CHUNK_SIZE, 0);
        push_subtree(&state, chain, EDS_BLAKE3_GROUP_COUNT);
    }
    assert(state.stack_count == 1);
    memcpy(out->chain, state.stack[0], sizeof out->chain);
}

void eds_blake3_append(struct eds_blake3 *state, const struct eds_blake3_subtree *subtree)
{
    uint32_t chain[8];

    if (chunk_size(state) == EDS_BLAKE3_CHUNK_SIZE)
        turn_chunk(state);
    assert(chunk_size(state) == 0 && state->chunk_index % EDS_BLAKE3_SUBTREE_CHUNKS == 0);
    memcpy(chain, subtree->chain, sizeof chain);
    push_subtree(state, chain, EDS_BLAKE3_SUBTREE_CHUNKS);
}

/* All bytes are there: whole groups, and the rest as a group of its own, so that
 * even the last chunk stands beside others. */
static void hash_chunks(uint8_t out[EDS_HASH_SIZE], const uint8_t *data, size_t size)
{
    const size_t group_size = EDS_BLAKE3_GROUP_COUNT * EDS_BLAKE3_CHUNK_SIZE;
    struct eds_blake3 state;
    uint32_t chain[8];

    eds_blake3_init(&state);
    for (; size > group_size; size -= group_size, data += group_size) {
        hash_group(chain, data, group_size, state.chunk_index, 0);
        push_subtree(&state, chain, EDS_BLAKE3_GROUP_COUNT);
    }
    hash_group(chain, data, size, state.chunk_index, state.stack_count == 0 ? EDS_BLAKE3_ROOT : 0);
    finish_tree(&state, chain, out);
}

void eds_blake3(uint8_t out[EDS_HASH_SIZE], const void *data, size_t size)
{
    struct eds_blake3_job job;

    if (size > EDS_BLAKE3_CHUNK_SIZE) {
        hash_chunks(out, data, size);
        return;
    }
    job = eds_blake3_chunk_job(out, data, size, 0, EDS_BLAKE3_ROOT);
    eds_blake3_run_portable(&job, 1);
}
