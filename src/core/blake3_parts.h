/* blake3_parts.h - blocks that are not full, where a level cannot load parts of a
 * vector: they are copied first.  For blake3_LEVEL.c, after lane_load_blocks. */
static inline void lane_load_parts(lane_word m[16], const uint8_t *const block[LANES],
                                   size_t offset, const uint32_t size[LANES])
{
    uint8_t copy[LANES][EDS_BLAKE3_BLOCK_SIZE];
    const uint8_t *whole[LANES];

    for (unsigned i = 0; i < LANES; i++) {
        whole[i] = block[i] + offset;
        if (size[i] == EDS_BLAKE3_BLOCK_SIZE)
            continue;
        memset(copy[i], 0, sizeof copy[i]);
        memcpy(copy[i], whole[i], size[i]);
        whole[i] = copy[i];
    }
    lane_load_blocks(m, whole, 0);
}
