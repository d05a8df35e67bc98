/* blake3_rounds.h - the seven rounds of BLAKE3's compression (paper, section 2.2),
 * for one state or for many side by side.
 *
 * The rounds are written out, with the message permutation worked out per round:
 * then all 16 words of state live in registers as far as there are some, and no
 * word of the message ever moves.
 *
 * The includer defines, for words of its kind,
 *
 *   BLAKE3_ADD(a, b), BLAKE3_ADD3(a, b, c)   sums; of three the first two first
 *   BLAKE3_XOR_ROTATE(a, b, bits)            a ^ b, rotated to the right
 *
 * and where EDS_BLAKE3_ROUNDS stands there are v0 to v15 and m[16]. */
#ifndef EDS_CORE_BLAKE3_ROUNDS_H
#define EDS_CORE_BLAKE3_ROUNDS_H

/* Mixes eight words of the message into the state, two into each of four columns or
 * diagonals (a, b, c, d).  The four go on side by side, step by step, because each
 * step of one waits for the one before; and the message's words are added before b
 * is, because b is what there is to wait for. */
#define MIX(a0, b0, c0, d0, a1, b1, c1, d1, a2, b2, c2, d2, a3, b3, c3, d3, x0, y0, x1, y1, x2,    \
            y2, x3, y3)                                                                            \
    do {                                                                                           \
        a0 = BLAKE3_ADD3(a0, m[x0], b0);                                                           \
        a1 = BLAKE3_ADD3(a1, m[x1], b1);                                                           \
        a2 = BLAKE3_ADD3(a2, m[x2], b2);                                                           \
        a3 = BLAKE3_ADD3(a3, m[x3], b3);                                                           \
        d0 = BLAKE3_XOR_ROTATE(d0, a0, 16);                                                        \
        d1 = BLAKE3_XOR_ROTATE(d1, a1, 16);                                                        \
        d2 = BLAKE3_XOR_ROTATE(d2, a2, 16);                                                        \
        d3 = BLAKE3_XOR_ROTATE(d3, a3, 16);                                                        \
        c0 = BLAKE3_ADD(c0, d0);                                                                   \
        c1 = BLAKE3_ADD(c1, d1);                                                                   \
        c2 = BLAKE3_ADD(c2, d2);                                                                   \
        c3 = BLAKE3_ADD(c3, d3);                                                                   \
        b0 = BLAKE3_XOR_ROTATE(b0, c0, 12);                                                        \
        b1 = BLAKE3_XOR_ROTATE(b1, c1, 12);                                                        \
        b2 = BLAKE3_XOR_ROTATE(b2, c2, 12);                                                        \
        b3 = BLAKE3_XOR_ROTATE(b3, c3, 12);                                                        \
        a0 = BLAKE3_ADD3(a0, m[y0], b0);                                                           \
        a1 = BLAKE3_ADD3(a1, m[y1], b1);                                                           \
        a2 = BLAKE3_ADD3(a2, m[y2], b2);                                                           \
        a3 = BLAKE3_ADD3(a3, m[y3], b3);                                                           \
        d0 = BLAKE3_XOR_ROTATE(d0, a0, 8);                                                         \
        d1 = BLAKE3_XOR_ROTATE(d1, a1, 8);                                                         \
        d2 = BLAKE3_XOR_ROTATE(d2, a2, 8);                                                         \
        d3 = BLAKE3_XOR_ROTATE(d3, a3, 8);                                                         \
        c0 = BLAKE3_ADD(c0, d0);                                                                   \
        c1 = BLAKE3_ADD(c1, d1);                                                                   \
        c2 = BLAKE3_ADD(c2, d2);                                                                   \
        c3 = BLAKE3_ADD(c3, d3);                                                                   \
        b0 = BLAKE3_XOR_ROTATE(b0, c0, 7);                                                         \
        b1 = BLAKE3_XOR_ROTATE(b1, c1, 7);                                                         \
        b2 = BLAKE3_XOR_ROTATE(b2, c2, 7);                                                         \
        b3 = BLAKE3_XOR_ROTATE(b3, c3, 7);                                                         \
    } while (0)

/* Columns, then diagonals; the numbers say which message words go where. */
#define ROUND(m0, m1, m2, m3, m4, m5, m6, m7, m8, m9, m10, m11, m12, m13, m14, m15)                \
    do {                                                                                           \
        MIX(v0, v4, v8, v12, v1, v5, v9, v13, v2, v6, v10, v14, v3, v7, v11, v15, m0, m1, m2, m3,  \
            m4, m5, m6, m7);                                                                       \
        MIX(v0, v5, v10, v15, v1, v6, v11, v12, v2, v7, v8, v13, v3, v4, v9, v14, m8, m9, m10,     \
            m11, m12, m13, m14, m15);                                                              \
    } while (0)

#define EDS_BLAKE3_ROUNDS                                                                          \
    do {                                                                                           \
        ROUND(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);                               \
        ROUND(2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8);                               \
        ROUND(3, 4, 10, 12, 13, 2, 7, 14, 6, 5, 9, 0, 11, 15, 8, 1);                               \
        ROUND(10, 7, 12, 9, 14, 3, 13, 15, 4, 0, 11, 2, 5, 8, 1, 6);                               \
        ROUND(12, 13, 9, 11, 15, 10, 14, 8, 7, 2, 5, 3, 0, 1, 6, 4);                               \
        ROUND(9, 14, 11, 5, 8, 12, 15, 1, 13, 3, 0, 10, 2, 6, 4, 7);                               \
        ROUND(11, 15, 5, 0, 1, 9, 8, 6, 14, 10, 2, 12, 3, 4, 7, 13);                               \
    } while (0)

#endif
