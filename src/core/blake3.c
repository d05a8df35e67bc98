/* blake3.c - BLAKE3's tree: chunks are leaves, and subtrees wait on a stack for
 * their right-hand neighbour (paper, section 5.1).
 *
 * Nothing is compressed before it is known that more bytes follow: the last
 * block of the last chunk, or the last parent, is the root and gets a flag of
 * its own.  So a full block or chunk stays in the state until the next byte. */
#include "edgesentry/blake3.h"

#include <string.h>

#include "core/blake3_impl.h"

static void store_hash(uint8_t out[EDS_HASH_SIZE], const uint32_t words[8])
{
    for (size_t i = 0; i < 8; i++) {
        out[4 * i] = (uint8_t)words[i];
        out[4 * i + 1] = (uint8_t)(words[i] >> 8);
        out[4 * i + 2] = (uint8_t)(words[i] >> 16);
        out[4 * i + 3] = (uint8_t)(words[i] >> 24);
    }
}

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

/* Puts the chaining value of the next chunk_count chunks (a power of two, and
 * the place divides by it) on the stack, joining it first with every subtree
 * that it completes: as many as the new number of chunks has trailing zeros. */
static void push_subtree(struct eds_blake3 *state, uint32_t chain[8], uint64_t chunk_count)
{
    uint64_t total;

    state->chunk_index += chunk_count;
    for (total = state->chunk_index / chunk_count; total % 2 == 0; total /= 2)
        eds_blake3_join(chain, state->stack[--state->stack_count], chain, 0);
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

/* Hashes as many whole chunks as may go together: a power of two that divides
 * the place where they begin, with at least one byte left after them.  Returns
 * the bytes taken. */
static size_t take_chunks(struct eds_blake3 *state, const uint8_t *data, size_t size)
{
    uint32_t chains[EDS_BLAKE3_GROUP_COUNT][8];
    size_t count = 1;

    while (count < EDS_BLAKE3_GROUP_COUNT && state->chunk_index % (2 * count) == 0 &&
           (size - 1) / EDS_BLAKE3_CHUNK_SIZE >= 2 * count)
        count *= 2;
    eds_blake3_chunks(chains, data, count, state->chunk_index);
    for (size_t left = count / 2; left > 0; left /= 2)
        eds_blake3_parents(chains, (const uint32_t(*)[8])chains, left);
    push_subtree(state, chains[0], count);
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

void eds_blake3_update(struct eds_blake3 *state, const void *data, size_t size)
{
    const uint8_t *at = data;

    while (size > 0) {
        size_t taken;

        if (chunk_size(state) == EDS_BLAKE3_CHUNK_SIZE) {
            uint32_t chain[8];

            finish_chunk(state, chain, 0);
            push_subtree(state, chain, 1);
            begin_chunk(state);
        }
        if (chunk_size(state) == 0 && size > EDS_BLAKE3_CHUNK_SIZE)
            taken = take_chunks(state, at, size);
        else
            taken = fill_block(state, at, size);
        at += taken;
        size -= taken;
    }
}

void eds_blake3_final(const struct eds_blake3 *state, uint8_t out[EDS_HASH_SIZE])
{
    uint32_t chain[8];
    size_t left = state->stack_count;

    finish_chunk(state, chain, left == 0 ? EDS_BLAKE3_ROOT : 0);
    while (left > 0) {
        left--;
        eds_blake3_join(chain, state->stack[left], chain, left == 0 ? EDS_BLAKE3_ROOT : 0);
    }
    store_hash(out, chain);
}

/* A message of one chunk needs neither state nor tree: most records and many
 * payloads are so small. */
static void hash_one_chunk(uint8_t out[EDS_HASH_SIZE], const uint8_t *data, size_t size)
{
    uint8_t block[EDS_BLAKE3_BLOCK_SIZE];
    uint32_t chain[8];
    uint32_t flags = EDS_BLAKE3_CHUNK_START;

    memcpy(chain, eds_blake3_iv, sizeof eds_blake3_iv);
    while (size > EDS_BLAKE3_BLOCK_SIZE) {
        eds_blake3_compress(chain, data, EDS_BLAKE3_BLOCK_SIZE, 0, flags);
        data += EDS_BLAKE3_BLOCK_SIZE;
        size -= EDS_BLAKE3_BLOCK_SIZE;
        flags = 0;
    }
    flags |= EDS_BLAKE3_CHUNK_END | EDS_BLAKE3_ROOT;
    if (size == EDS_BLAKE3_BLOCK_SIZE) {
        eds_blake3_compress(chain, data, EDS_BLAKE3_BLOCK_SIZE, 0, flags);
    } else {
        memset(block, 0, sizeof block);
        if (size > 0)
            memcpy(block, data, size);
        eds_blake3_compress(chain, block, (uint32_t)size, 0, flags);
    }
    store_hash(out, chain);
}

void eds_blake3(uint8_t out[EDS_HASH_SIZE], const void *data, size_t size)
{
    struct eds_blake3 state;

    if (size <= EDS_BLAKE3_CHUNK_SIZE) {
        hash_one_chunk(out, data, size);
        return;
    }
    eds_blake3_init(&state);
    eds_blake3_update(&state, data, size);
    eds_blake3_final(&state, out);
}

void eds_blake3_many(uint8_t (*out)[EDS_HASH_SIZE], const void *const *data, const size_t *sizes,
                     size_t count)
{
    for (size_t i = 0; i < count; i++)
        eds_blake3(out[i], data[i], sizes[i]);
}
