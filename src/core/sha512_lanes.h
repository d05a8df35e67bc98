/* sha512_lanes.h - SHA-512 of several texts side by side (FIPS 180-4, section 6.4).
 *
 * Included once by each level, which first defines
 *
 *   SHA_LANES      how many
 *   sha_word       a vector of that many 64-bit words
 *   SHA_ADD, SHA_ROTATE, SHA_SHIFT, SHA_XOR3, SHA_CHOOSE, SHA_MAJORITY
 *                  the operations of the standard, on vectors
 *   SHA_SET1       the same word in all lanes
 *   sha_load       the 16 words of each lane's block, most significant byte first
 *   sha_keep       (new, old, lanes): new where the lane's bit is set, else old
 *   sha_store      a hash of each lane, words to bytes */
#ifndef SHA_LANES
#error "include me from a level's file"
#endif

#define SHA_BIG_0(x)   SHA_XOR3(SHA_ROTATE(x, 28), SHA_ROTATE(x, 34), SHA_ROTATE(x, 39))
#define SHA_BIG_1(x)   SHA_XOR3(SHA_ROTATE(x, 14), SHA_ROTATE(x, 18), SHA_ROTATE(x, 41))
#define SHA_SMALL_0(x) SHA_XOR3(SHA_ROTATE(x, 1), SHA_ROTATE(x, 8), SHA_SHIFT(x, 7))
#define SHA_SMALL_1(x) SHA_XOR3(SHA_ROTATE(x, 19), SHA_ROTATE(x, 61), SHA_SHIFT(x, 6))

/* One round.  Instead of moving the eight variables on, the next round is given
 * them under other names. */
#define SHA_ROUND(a, b, c, d, e, f, g, h, i)                                                       \
    do {                                                                                           \
        sha_word t = SHA_ADD(                                                                      \
            SHA_ADD(h, SHA_BIG_1(e)),                                                              \
            SHA_ADD(SHA_CHOOSE(e, f, g), SHA_ADD(w[(i) % 16], SHA_SET1(eds_sha512_round[i]))));    \
        (d) = SHA_ADD(d, t);                                                                       \
        (h) = SHA_ADD(t, SHA_ADD(SHA_BIG_0(a), SHA_MAJORITY(a, b, c)));                            \
    } while (0)

/* Word i + 16 of the schedule takes the place of word i. */
#define SHA_NEXT(i)                                                                                \
    (w[(i) % 16] =                                                                                 \
         SHA_ADD(SHA_ADD(w[(i) % 16], w[((i) + 9) % 16]),                                          \
                 SHA_ADD(SHA_SMALL_0(w[((i) + 1) % 16]), SHA_SMALL_1(w[((i) + 14) % 16]))))

#define SHA_EIGHT_ROUNDS(i)                                                                        \
    do {                                                                                           \
        SHA_ROUND(a, b, c, d, e, f, g, h, (i));                                                    \
        SHA_ROUND(h, a, b, c, d, e, f, g, (i) + 1);                                                \
        SHA_ROUND(g, h, a, b, c, d, e, f, (i) + 2);                                                \
        SHA_ROUND(f, g, h, a, b, c, d, e, (i) + 3);                                                \
        SHA_ROUND(e, f, g, h, a, b, c, d, (i) + 4);                                                \
        SHA_ROUND(d, e, f, g, h, a, b, c, (i) + 5);                                                \
        SHA_ROUND(c, d, e, f, g, h, a, b, (i) + 6);                                                \
        SHA_ROUND(b, c, d, e, f, g, h, a, (i) + 7);                                                \
    } while (0)

/* Compresses one block of each lane whose bit is set in lanes. */
static void sha_compress(sha_word state[8], const uint8_t block[SHA_LANES][EDS_SHA512_BLOCK_SIZE],
                         unsigned lanes)
{
    sha_word a = state[0], b = state[1], c = state[2], d = state[3];
    sha_word e = state[4], f = state[5], g = state[6], h = state[7];
    sha_word w[16];

    sha_load(w, block);
    for (unsigned i = 0; i < 80; i += 16) {
        if (i > 0) /* each of these needs the ones before it */
            for (unsigned k = 0; k < 16; k++)
                SHA_NEXT(k);
        SHA_EIGHT_ROUNDS(i);
        SHA_EIGHT_ROUNDS(i + 8);
    }
    state[0] = sha_keep(SHA_ADD(state[0], a), state[0], lanes);
    state[1] = sha_keep(SHA_ADD(state[1], b), state[1], lanes);
    state[2] = sha_keep(SHA_ADD(state[2], c), state[2], lanes);
    state[3] = sha_keep(SHA_ADD(state[3], d), state[3], lanes);
    state[4] = sha_keep(SHA_ADD(state[4], e), state[4], lanes);
    state[5] = sha_keep(SHA_ADD(state[5], f), state[5], lanes);
    state[6] = sha_keep(SHA_ADD(state[6], g), state[6], lanes);
    state[7] = sha_keep(SHA_ADD(state[7], h), state[7], lanes);
}

/* Hashes SHA_LANES texts.  A short one waits for the longest: its lane goes on
 * with its last block, and what comes of that is not kept. */
static void sha_texts(uint8_t (*digest)[EDS_SHA512_SIZE], const struct eds_sha512_text *text)
{
    _Alignas(64) uint8_t block[SHA_LANES][EDS_SHA512_BLOCK_SIZE];
    uint64_t count[SHA_LANES], longest = 0;
    sha_word state[8];

    for (unsigned i = 0; i < 8; i++)
        state[i] = SHA_SET1(eds_sha512_start[i]);
    for (unsigned lane = 0; lane < SHA_LANES; lane++) {
        count[lane] = eds_sha512_block_count(&text[lane]);
        longest = count[lane] > longest ? count[lane] : longest;
    }
    for (uint64_t index = 0; index < longest; index++) {
        unsigned lanes = 0;

        for (unsigned lane = 0; lane < SHA_LANES; lane++)
            if (index < count[lane]) {
                eds_sha512_block(block[lane], &text[lane], index);
                lanes |= 1u << lane;
            }
        sha_compress(state, (const uint8_t(*)[EDS_SHA512_BLOCK_SIZE])block, lanes);
    }
    sha_store(digest, state);
}

/* The hash of each job of a batch, groups of lanes one after the other; the last
 * group is filled up with its last job. */
static void sha_batch(uint8_t (*digest)[EDS_SHA512_SIZE], const struct eds_batch *batch)
{
    for (size_t first = 0; first < batch->count; first += SHA_LANES) {
        struct eds_sha512_text text[SHA_LANES];
        uint8_t out[SHA_LANES][EDS_SHA512_SIZE];
        size_t count = batch->count - first < SHA_LANES ? batch->count - first : SHA_LANES;

        for (size_t lane = 0; lane < SHA_LANES; lane++) {
            const struct eds_verify_job *job =
                batch->job[first + (lane < count ? lane : count - 1)];

            text[lane] = (struct eds_sha512_text){job->signature, job->table->public_key,
                                                  job->message, job->message_size};
        }
        sha_texts(out, text);
        memcpy(digest + first, out, count * sizeof out[0]);
    }
}
