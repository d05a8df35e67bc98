/* blake3_lanes.h - LANES jobs side by side, each lane going on to the next job when it
 * is done with one: so jobs of all sizes may be mixed.
 *
 * Included once by each blake3_LEVEL.c, which first defines
 *
 *   LANES              how many there are
 *   lane_word          LANES words, and what blake3_rounds.h wants to do with them
 *   lane_load          (from): LANES words that lie together, aligned
 *   lane_store         (to, words)
 *   lane_store_xor     (to, words, words)
 *   lane_set1          (word): the same in all lanes
 *   lane_choose        (choice, a, b): a's bits where choice has ones, b's elsewhere
 *   lane_store_columns (rows, columns): words of all lanes side by side become words of
 *                      a lane side by side
 *   lane_load_blocks   (m, block, offset): the words of the block so many bytes on for
 *                      each lane, words of all lanes side by side
 *   lane_load_parts    (m, block, offset, size): the same of blocks of 0 to 64 bytes,
 *                      no byte past them being read; zeros follow them
 */
#ifndef LANES
#error "include me from a level's file"
#endif

#include "core/blake3_rounds.h"

#define LANE_INLINE static inline __attribute__((always_inline))
#define LANE_IDLE   UINT32_MAX /* blocks left of no job: more than there ever are */

/* What a lane has to know of its job, in one word: few stores then begin a job.  The
 * flags of the first, of every and of the last block, the size of the last block, and
 * whether the job is still to be begun. */
#define MARK_EVERY     8
#define MARK_LAST      16
#define MARK_LAST_SIZE 24
#define MARK_NEW       0x80u /* no flag of BLAKE3 */

/* One column a lane.  A lane without a job hashes zeros, for nobody.  What is looked
 * at in each step is kept apart, so that compilers make vectors of it. */
struct lanes {
    _Alignas(64) uint32_t chain[8][LANES];
    _Alignas(64) uint32_t counter_low[LANES], counter_high[LANES], marks[LANES];
    _Alignas(64) uint32_t is_new[LANES];             /* all ones, or 0 */
    _Alignas(64) uint32_t flags[LANES], size[LANES]; /* of the next block */
    _Alignas(64) uint32_t blocks_left[LANES];
    _Alignas(64) uint32_t rows[LANES][8]; /* results, lane by lane */
    const uint8_t *block[LANES];          /* the next one */
    uint8_t *out[LANES];
};

static const uint8_t no_data[EDS_BLAKE3_CHUNK_SIZE];

LANE_INLINE void lanes_begin(struct lanes *lanes, size_t lane, const struct eds_blake3_job *job)
{
    const uint32_t size = job->size;
    const uint32_t blocks = size <= EDS_BLAKE3_BLOCK_SIZE ? 1 : (size + 63) / 64;
    const uint32_t last_size = size - (blocks - 1) * EDS_BLAKE3_BLOCK_SIZE;

    lanes->counter_low[lane] = (uint32_t)job->counter;
    lanes->counter_high[lane] = (uint32_t)(job->counter >> 32);
    lanes->marks[lane] = job->first | MARK_NEW | (uint32_t)job->every << MARK_EVERY |
                         (uint32_t)job->last << MARK_LAST | last_size << MARK_LAST_SIZE;
    lanes->blocks_left[lane] = blocks;
    lanes->block[lane] = size > 0 ? job->data : no_data;
    lanes->out[lane] = job->out;
}

static void lanes_idle(struct lanes *lanes, size_t lane)
{
    lanes->counter_low[lane] = 0;
    lanes->counter_high[lane] = 0;
    lanes->marks[lane] = MARK_NEW;
    lanes->blocks_left[lane] = LANE_IDLE;
    lanes->block[lane] = no_data;
    lanes->out[lane] = NULL;
}

/* Gives lanes that are new their first chaining value and flags. */
LANE_INLINE void lanes_begin_chains(struct lanes *lanes)
{
    lane_word is_new;

    for (size_t lane = 0; lane < LANES; lane++) {
        const uint32_t marks = lanes->marks[lane];
        const uint32_t all = 0 - (marks / MARK_NEW % 2);
        const uint32_t first = (marks | marks >> MARK_EVERY) & (MARK_NEW - 1);

        lanes->is_new[lane] = all;
        lanes->flags[lane] = (first & all) | (lanes->flags[lane] & ~all);
        lanes->marks[lane] = marks & ~MARK_NEW;
    }
    is_new = lane_load(lanes->is_new);
    for (size_t i = 0; i < 8; i++)
        lane_store(lanes->chain[i],
                   lane_choose(is_new, lane_set1(eds_blake3_iv[i]), lane_load(lanes->chain[i])));
}

LANE_INLINE void lanes_compress(struct lanes *lanes, const lane_word m[16], lane_word size)
{
    lane_word v0 = lane_load(lanes->chain[0]), v1 = lane_load(lanes->chain[1]);
    lane_word v2 = lane_load(lanes->chain[2]), v3 = lane_load(lanes->chain[3]);
    lane_word v4 = lane_load(lanes->chain[4]), v5 = lane_load(lanes->chain[5]);
    lane_word v6 = lane_load(lanes->chain[6]), v7 = lane_load(lanes->chain[7]);
    lane_word v8 = lane_set1(eds_blake3_iv[0]), v9 = lane_set1(eds_blake3_iv[1]);
    lane_word v10 = lane_set1(eds_blake3_iv[2]), v11 = lane_set1(eds_blake3_iv[3]);
    lane_word v12 = lane_load(lanes->counter_low), v13 = lane_load(lanes->counter_high);
    lane_word v14 = size, v15 = lane_load(lanes->flags);

    EDS_BLAKE3_ROUNDS;
    lane_store_xor(lanes->chain[0], v0, v8);
    lane_store_xor(lanes->chain[1], v1, v9);
    lane_store_xor(lanes->chain[2], v2, v10);
    lane_store_xor(lanes->chain[3], v3, v11);
    lane_store_xor(lanes->chain[4], v4, v12);
    lane_store_xor(lanes->chain[5], v5, v13);
    lane_store_xor(lanes->chain[6], v6, v14);
    lane_store_xor(lanes->chain[7], v7, v15);
    for (size_t lane = 0; lane < LANES; lane++) /* no first block any more */
        lanes->flags[lane] = lanes->marks[lane] >> MARK_EVERY & 0xff;
}

/* The blocks that are the last one in no lane: nothing is to be looked at.  Returns
 * their bytes. */
static size_t lanes_full_blocks(struct lanes *lanes)
{
    lane_word m[16];
    uint32_t count = LANE_IDLE;

    for (size_t lane = 0; lane < LANES; lane++)
        count = lanes->blocks_left[lane] < count ? lanes->blocks_left[lane] : count;
    count--;
    for (uint32_t i = 0; i < count; i++) {
        lane_load_blocks(m, lanes->block, i * EDS_BLAKE3_BLOCK_SIZE);
        for (size_t lane = 0; lane < LANES; lane++) /* so many rows are too many for hardware */
            __builtin_prefetch(lanes->block[lane] + (i + 1) * EDS_BLAKE3_BLOCK_SIZE);
        lanes_compress(lanes, m, lane_set1(EDS_BLAKE3_BLOCK_SIZE));
    }
    for (size_t lane = 0; lane < LANES; lane++)
        lanes->blocks_left[lane] -= count;
    return count * EDS_BLAKE3_BLOCK_SIZE;
}

/* One block, which is the last one in some lanes: those have no blocks left then. */
static void lanes_last_block(struct lanes *lanes, size_t offset)
{
    lane_word m[16];
    uint32_t missing = 0;

    for (size_t lane = 0; lane < LANES; lane++) {
        const uint32_t is_last = lanes->blocks_left[lane] == 1 ? UINT32_MAX : 0;
        const uint32_t marks = lanes->marks[lane];

        lanes->size[lane] =
            (marks >> MARK_LAST_SIZE & is_last) | (EDS_BLAKE3_BLOCK_SIZE & ~is_last);
        missing |= lanes->size[lane] ^ EDS_BLAKE3_BLOCK_SIZE;
        lanes->flags[lane] |= marks >> MARK_LAST & 0xff & is_last;
        lanes->blocks_left[lane]--;
    }
    if (missing == 0)
        lane_load_blocks(m, lanes->block, offset);
    else
        lane_load_parts(m, lanes->block, offset, lanes->size);
    lanes_compress(lanes, m, lane_load(lanes->size));
    lane_store_columns(lanes->rows, (const uint32_t(*)[LANES])lanes->chain);
}

static void lanes_run(const struct eds_blake3_job *jobs, size_t count)
{
    struct lanes lanes;
    size_t next = 0, busy = count < LANES ? count : LANES;

    for (size_t i = 0; i < 8; i++) /* is read before it is begun */
        lane_store(lanes.chain[i], lane_set1(0));
    lane_store(lanes.flags, lane_set1(0));
    for (size_t lane = 0; lane < LANES; lane++)
        if (next < count)
            lanes_begin(&lanes, lane, &jobs[next++]);
        else
            lanes_idle(&lanes, lane);
    while (busy > 0) {
        size_t offset;

        lanes_begin_chains(&lanes);
        offset = lanes_full_blocks(&lanes);
        lanes_last_block(&lanes, offset);
        for (size_t lane = 0; lane < LANES; lane++) {
            if (lanes.out[lane] == NULL)
                continue;
            if (lanes.blocks_left[lane] > 0) {
                lanes.block[lane] += offset + EDS_BLAKE3_BLOCK_SIZE;
                continue;
            }
            memcpy(lanes.out[lane], lanes.rows[lane], EDS_HASH_SIZE); /* bytes in order */
            if (next < count) {
                lanes_begin(&lanes, lane, &jobs[next++]);
            } else {
                lanes_idle(&lanes, lane);
                busy--;
            }
        }
    }
}
