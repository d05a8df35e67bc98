/* verifier_lanes.h - the sum and the comparison, for any number of lanes.
 *
 * Included once by each verifier_LEVEL.c, which first defines
 *
 *   LANES        how many numbers a lane_fe holds side by side
 *   lane_fe      such a pack of numbers modulo p
 *   lane_NAME    its arithmetic: one, add, sub, sum, mul, sq, mul_sub, sq_sub, under
 *                the same bounds as in fe25519.h, though a level may carry more
 *                often; set1, the same number in all lanes; set and get, from and
 *                to LANES numbers; first, that of lane 0; rotate, lane l from lane
 *                l + n modulo LANES; to_words, as word[i][lane]
 *   lane_load_x  (points): x of a table point in each lane, tight
 *   lane_load_y  (points, digits): y, wide, negated where the digit says so
 *   ROUND_COUNT  additions that pay for an inversion, see lanes_sum_up
 *
 * Lane l of group g is job LANES g + l of the batch.  Lanes past the last job
 * repeat it, and nobody reads their result.  What is loose or tight: fe25519.h. */
#ifndef LANES
#error "include me from a level's file"
#endif

#include <assert.h>
#include <string.h>

#include "core/load64.h"

/* Numbers shall stay in registers from one step to the next. */
#define LANE_INLINE static inline __attribute__((always_inline))

/* A point of each lane, on the short form: x tight, y wide.  Where divisions are
 * noted, x is a product (tight) and y a divisor (loose). */
struct lane_point {
    lane_fe x, y;
};

/* A sum in the making: the point (x / zz, y / zzz), where zz^3 = zzz^2.  All
 * tight, y wide at first. */
struct lane_sum {
    lane_fe x, y, zz, zzz;
};

/* A batch, and the room to sum it up. */
struct lanes {
    struct eds_batch *batch;
    size_t groups;
    const struct lane_point *points; /* the summands that are left; NULL: those of */
                                     /*   the tables.  points[i * groups + group] */
    size_t count;                    /* of them, for each group */
    struct lane_point *halves[2];    /* where rounds of halving put theirs */
    struct lane_point *notes;        /* for divisions at the end, one a group */
    struct lane_sum *sums;           /* one a group */
};

/* Bytes of room for so many groups. */
#define LANE_HALF(count) (((count) + 1) / 2)
#define LANE_ROOM_SIZE(groups)                                                                     \
    ((groups) * ((LANE_HALF(EDS_SUMMANDS) + LANE_HALF(LANE_HALF(EDS_SUMMANDS)) + 1) *              \
                     sizeof(struct lane_point) +                                                   \
                 sizeof(struct lane_sum)))

static void lanes_init(struct lanes *lanes, struct eds_batch *batch, void *room)
{
    struct lane_point *at = room;

    lanes->batch = batch;
    lanes->groups = (batch->count + LANES - 1) / LANES;
    lanes->points = NULL;
    lanes->count = EDS_SUMMANDS;
    lanes->halves[0] = at;
    at += lanes->groups * LANE_HALF(EDS_SUMMANDS);
    lanes->halves[1] = at;
    at += lanes->groups * LANE_HALF(LANE_HALF(EDS_SUMMANDS));
    lanes->notes = at;
    at += lanes->groups;
    lanes->sums = (struct lane_sum *)(void *)at;
}

/* Where the summand i of a group stands in the tables. */
LANE_INLINE void lanes_places(const struct lanes *lanes, size_t i, size_t group,
                              const uint64_t *place[LANES])
{
    const eds_table_point *const *table = &lanes->batch->key_table[group * LANES];
    const uint16_t *digit = &lanes->batch->digit[i][group * LANES];

    if (i < EDS_KEY_WINDOWS)
        for (size_t lane = 0; lane < LANES; lane++)
            place[lane] = table[lane][digit[lane] & EDS_DIGIT_PLACE];
    else
        for (size_t lane = 0; lane < LANES; lane++)
            place[lane] = eds_base_table[digit[lane] & EDS_DIGIT_PLACE];
}

/* Asks for what summand i of a group will want, long before it is wanted: tables
 * of a thousand keys are in no cache. */
LANE_INLINE void lanes_prefetch(const struct lanes *lanes, size_t i, size_t group)
{
    const uint64_t *place[LANES];

    if (lanes->points != NULL || i >= lanes->count)
        return;
    lanes_places(lanes, i, group, place);
    for (size_t lane = 0; lane < LANES; lane++)
        __builtin_prefetch(place[lane]);
}

/* The summand i of a group, and its x alone: where it stands, or loaded to *room. */
LANE_INLINE const struct lane_point *lanes_point(const struct lanes *lanes, size_t i, size_t group,
                                                 struct lane_point *room)
{
    const uint64_t *place[LANES];

    if (lanes->points != NULL)
        return &lanes->points[i * lanes->groups + group];
    lanes_places(lanes, i, group, place);
    room->x = lane_load_x(place);
    room->y = lane_load_y(place, &lanes->batch->digit[i][group * LANES]);
    return room;
}

LANE_INLINE const lane_fe *lanes_x(const struct lanes *lanes, size_t i, size_t group, lane_fe *room)
{
    const uint64_t *place[LANES];

    if (lanes->points != NULL)
        return &lanes->points[i * lanes->groups + group].x;
    lanes_places(lanes, i, group, place);
    *room = lane_load_x(place);
    return room;
}

/* Divisions by many numbers for one inversion: going up, each divisor is noted
 * beside the product of those before it; the whole product is inverted; and going
 * down, each division is taken from what is left.  There are CHAINS products, so
 * that none waits for the one before. */
#define CHAINS 2u /* lanes_invert knows */

struct lane_chains {
    lane_fe product[CHAINS]; /* going down: 1 / product */
    struct lane_point *notes;
    size_t count;
};

LANE_INLINE void lanes_chains_begin(struct lane_chains *chains, struct lane_point *notes)
{
    for (size_t i = 0; i < CHAINS; i++)
        chains->product[i] = lane_one();
    chains->notes = notes;
    chains->count = 0;
}

LANE_INLINE void lanes_note(struct lane_chains *chains, lane_fe divisor)
{
    lane_fe *product = &chains->product[chains->count % CHAINS];
    struct lane_point *note = &chains->notes[chains->count++];

    note->x = *product;
    note->y = divisor;
    *product = lane_mul(*product, divisor);
}

/* 1 / the last divisor that is not taken yet. */
LANE_INLINE lane_fe lanes_take(struct lane_chains *chains)
{
    const struct lane_point *note = &chains->notes[--chains->count];
    lane_fe *product = &chains->product[chains->count % CHAINS];
    lane_fe inverse = lane_mul(*product, note->x);

    *product = lane_mul(*product, note->y);
    return inverse;
}

/* Inverts the products, all lanes by one inversion.  False, with nothing changed,
 * if one of them is 0.
 *
 * The lanes are multiplied like teams in a cup: by those half of LANES away, then
 * by those a quarter away, until each lane has the product of all.  Its inverse
 * goes the same way back, and is multiplied by the opponents in turn. */
static bool lanes_invert(struct lane_chains *chains)
{
    lane_fe opponent[LANES], product = lane_mul(chains->product[0], chains->product[1]);
    struct fe25519 all;
    unsigned round = 0;

    for (unsigned away = LANES / 2; away > 0; away /= 2) {
        opponent[round] = lane_rotate(product, away);
        product = lane_mul(product, opponent[round]);
        round++;
    }
    all = lane_first(product);
    if (fe25519_is_zero(all))
        return false;
    product = lane_set1(fe25519_invert(all));
    while (round-- > 0)
        product = lane_mul(product, opponent[round]);
    opponent[0] = chains->product[0];
    chains->product[0] = lane_mul(product, chains->product[1]);
    chains->product[1] = lane_mul(product, opponent[0]);
    return true;
}

/* Replaces divisors that are 0 by 1, and gives their jobs up: rare, so simple.
 * Divisor i belongs to group i % groups. */
static void lanes_give_up_zeros(const struct lanes *lanes, struct lane_chains *chains)
{
    const size_t count = chains->count;

    lanes_chains_begin(chains, chains->notes);
    while (chains->count < count) {
        size_t group = chains->count % lanes->groups;
        struct fe25519 value[LANES];

        lane_get(value, chains->notes[chains->count].y);
        for (size_t lane = 0; lane < LANES; lane++) {
            if (!fe25519_is_zero(value[lane]))
                continue;
            value[lane] = fe25519_one();
            lanes->batch->verdict[group * LANES + lane] = EDS_BATCH_ODD;
        }
        lanes_note(chains, lane_set(value));
    }
}

/* From going up to going down. */
static void lanes_turn(const struct lanes *lanes, struct lane_chains *chains)
{
    if (lanes_invert(chains))
        return;
    lanes_give_up_zeros(lanes, chains);
    (void)lanes_invert(chains); /* no product is 0 any more */
}

/* p + q by the chord through both: its slope is (q.y - p.y) / (q.x - p.x).  Does
 * `count` items of a round, the last ones that are not done yet, side by side: an
 * addition alone waits for its own results more than it computes. */
LANE_INLINE void lanes_chords(const struct lanes *lanes, struct lane_chains *chains,
                              struct lane_point *out, size_t count)
{
    const size_t first = chains->count - count;
    const struct lane_point *p[2], *q[2];
    struct lane_point p_room[2], q_room[2];
    lane_fe slope[2];

    for (size_t k = count; k-- > 0;) {
        size_t pair = (first + k) / lanes->groups, group = (first + k) % lanes->groups;

        p[k] = lanes_point(lanes, 2 * pair, group, &p_room[k]);
        q[k] = lanes_point(lanes, 2 * pair + 1, group, &q_room[k]);
        slope[k] = lanes_take(chains);
    }
    for (size_t k = 0; k < count; k++)
        slope[k] = lane_mul(slope[k], lane_sub(q[k]->y, p[k]->y));
    for (size_t k = 0; k < count; k++)
        out[first + k].x = lane_sq_sub(slope[k], lane_sum(p[k]->x, q[k]->x));
    for (size_t k = 0; k < count; k++)
        out[first + k].y = lane_mul_sub(slope[k], lane_sub(p[k]->x, out[first + k].x), p[k]->y);
}

/* One round: adds the summands by twos, all at the price of one inversion. */
static void lanes_halve(struct lanes *lanes, struct lane_point *out)
{
    const size_t groups = lanes->groups, pairs = lanes->count / 2;
    struct lane_chains chains;
    struct lane_point room;
    lane_fe p_room, q_room;

    lanes_chains_begin(&chains, out);
    for (size_t i = 0; i < pairs; i++)
        for (size_t g = 0; g < groups; g++) {
            lanes_prefetch(lanes, 2 * i + 2, g);
            lanes_prefetch(lanes, 2 * i + 3, g);
            lanes_note(&chains, lane_sub(*lanes_x(lanes, 2 * i + 1, g, &q_room),
                                         *lanes_x(lanes, 2 * i, g, &p_room)));
        }
    lanes_turn(lanes, &chains);
    while (chains.count >= 2)
        lanes_chords(lanes, &chains, out, 2);
    while (chains.count > 0)
        lanes_chords(lanes, &chains, out, 1);
    if (lanes->count % 2 != 0)
        for (size_t g = 0; g < groups; g++)
            out[pairs * groups + g] = *lanes_point(lanes, lanes->count - 1, g, &room);
    lanes->points = out;
    lanes->count = LANE_HALF(lanes->count);
}

/* sum + p without a division.  Once the chord has no slope, zz stays 0. */
LANE_INLINE void lanes_add(struct lane_sum *sum, const struct lane_point *p)
{
    lane_fe dx = lane_mul_sub(p->x, sum->zz, sum->x);
    lane_fe dy = lane_mul_sub(p->y, sum->zzz, sum->y);
    lane_fe dx_2 = lane_sq(dx);
    lane_fe dx_3 = lane_mul(dx_2, dx);
    lane_fe x_dx_2 = lane_mul(sum->x, dx_2);
    lane_fe y_dx_3 = lane_mul(sum->y, dx_3);

    sum->x = lane_sq_sub(dy, lane_sum(dx_3, lane_sum(x_dx_2, x_dx_2)));
    sum->y = lane_mul_sub(dy, lane_sub(x_dx_2, sum->x), y_dx_3);
    sum->zz = lane_mul(sum->zz, dx_2);
    sum->zzz = lane_mul(sum->zzz, dx_3);
}

/* Sums up all summands of each group.  An addition takes 6 multiplications after
 * a common division, 10 without: so as long as a round has ROUND_COUNT additions
 * to save on, it is worth its one inversion. */
static void lanes_sum_up(struct lanes *lanes)
{
    struct lane_point room;

    for (unsigned round = 0; lanes->count / 2 * lanes->groups >= ROUND_COUNT; round++)
        lanes_halve(lanes, lanes->halves[round % 2]);
    for (size_t g = 0; g < lanes->groups; g++) {
        const struct lane_point *p = lanes_point(lanes, 0, g, &room);
        struct lane_sum *sum = &lanes->sums[g];

        *sum = (struct lane_sum){p->x, p->y, lane_one(), lane_one()};
        for (size_t i = 1; i < lanes->count; i++)
            lanes_add(sum, lanes_point(lanes, i, g, &room));
    }
}

/* Back to the Edwards curve.  With u = x / zz - A / 3 = -w / zz and v = y / zzz,
 *   Y = (u - 1) / (u + 1) = (w + zz) / (w - zz),
 *   X = c u / v           = -c w zzz / (zz y),
 * both over the one divisor (w - zz) zz y.  It is 0 only after a zero on the way,
 * or for the point of order two; u = -1 has no point on this curve. */
LANE_INLINE lane_fe lanes_w(const struct lane_sum *sum)
{
    return lane_mul_sub(lane_set1(eds_third_of_a), sum->zz, sum->x);
}

LANE_INLINE lane_fe lanes_last_divisor(const struct lane_sum *sum)
{
    return lane_mul(lane_sub(lanes_w(sum), sum->zz), lane_mul(sum->zz, sum->y));
}

/* Encodes the sums of a group, given 1 / divisor, and compares them with R. */
static void lanes_compare(const struct lanes *lanes, size_t group, lane_fe over)
{
    const struct lane_sum *sum = &lanes->sums[group];
    struct eds_batch *batch = lanes->batch;
    lane_fe w = lanes_w(sum);
    lane_fe x = lane_mul(lane_mul(lane_set1(eds_map_c), w), lane_sub(sum->zz, w));
    lane_fe y = lane_mul(lane_mul(sum->zz, sum->y), lane_add(w, sum->zz));
    uint64_t x_word[4][LANES], y_word[4][LANES];

    lane_to_words(x_word, lane_mul(lane_mul(x, sum->zzz), over));
    lane_to_words(y_word, lane_mul(y, over));
    for (size_t lane = 0; lane < LANES && group * LANES + lane < batch->count; lane++) {
        size_t job = group * LANES + lane;
        const uint8_t *r = batch->job[job]->signature;
        uint64_t differs = (y_word[3][lane] | x_word[0][lane] << 63) ^ eds_load64(r + 24);

        for (size_t i = 0; i < 3; i++)
            differs |= y_word[i][lane] ^ eds_load64(r + 8 * i);
        if (batch->verdict[job] != EDS_BATCH_ODD)
            batch->verdict[job] = differs == 0 ? EDS_BATCH_GOOD : EDS_BATCH_BAD;
    }
}

/* Repeats the last job in the lanes that have none, so that they divide by zero
 * no more often than it does. */
static void lanes_fill(struct eds_batch *batch, size_t lane_count)
{
    size_t last = batch->count - 1;

    for (size_t job = batch->count; job < lane_count; job++) {
        batch->key_table[job] = batch->key_table[last];
        batch->verdict[job] = batch->verdict[last];
        for (size_t i = 0; i < 4; i++) {
            batch->k[i][job] = batch->k[i][last];
            batch->s[i][job] = batch->s[i][last];
        }
    }
}

/* A scalar below 2^252 as digits that are never 0, since no table point stands
 * for the neutral one.
 *
 * An odd number n has odd digits only: with m = (n - 1) / 2 + 2^251 cut into
 * windows m = sum of r[j] 2^(bits j), the digits d[j] = 2 r[j] - (2^bits - 1)
 * are odd, from -(2^bits - 1) to 2^bits - 1, and the sum of d[j] 2^(bits j) is
 *   2 m - (2^252 - 1) = n - 1 + 2^252 - 2^252 + 1 = n.
 * An even number takes the digits of n + 1, and the point that is one too much
 * is taken off in the topmost window.  That one has r >= half of 2^bits, thanks
 * to 2^251; so its digit is positive, and the places of its negative digits
 * hold nothing but are used for "digit, less one".
 *
 * (n - 1) / 2 for odd n, and n / 2 for even n, are both n >> 1.  Job by job and
 * without branches, so that compilers make vectors of it. */
static inline __attribute__((always_inline)) void lanes_digits(
    uint16_t (*digit)[EDS_BATCH_MAX], const uint64_t (*scalar)[EDS_BATCH_MAX], size_t count,
    unsigned windows, unsigned bits)
{
    const uint64_t half = UINT64_C(1) << (bits - 1);

    for (unsigned j = 0; j < windows; j++) {
        const unsigned at = j * bits + 1, shift = at % 64;
        const uint64_t *low = scalar[at / 64];
        const uint64_t *high = scalar[at / 64 < 3 ? at / 64 + 1 : 3]; /* word 3 needs none */
        const uint64_t *lowest = scalar[0];
        const uint64_t top = j == windows - 1 ? half : 0;

        for (size_t i = 0; i < count; i++) {
            uint64_t r = (low[i] >> shift | high[i] << 1 << (63 - shift)) & (2 * half - 1);
            uint64_t minus, place;

            r |= top;
            minus = (r / half) ^ 1;
            place = (r ^ (half - minus)) + (~lowest[i] & 1) * top;
            digit[j][i] = (uint16_t)((j * half + place) | minus * EDS_DIGIT_MINUS);
        }
    }
}

static void lanes_decide(struct eds_batch *batch, void *room)
{
    struct lane_chains chains;
    struct lanes lanes;

    assert(batch->count > 0 && batch->count <= EDS_BATCH_MAX);
    lanes_init(&lanes, batch, room);
    lanes_fill(batch, lanes.groups * LANES);
    lanes_digits(batch->digit, (const uint64_t(*)[EDS_BATCH_MAX])batch->k, lanes.groups * LANES,
                 EDS_KEY_WINDOWS, EDS_KEY_WINDOW_BITS);
    lanes_digits(batch->digit + EDS_KEY_WINDOWS, (const uint64_t(*)[EDS_BATCH_MAX])batch->s,
                 lanes.groups * LANES, EDS_BASE_WINDOWS, EDS_BASE_WINDOW_BITS);
    lanes_sum_up(&lanes);
    lanes_chains_begin(&chains, lanes.notes);
    for (size_t g = 0; g < lanes.groups; g++)
        lanes_note(&chains, lanes_last_divisor(&lanes.sums[g]));
    lanes_turn(&lanes, &chains);
    for (size_t g = lanes.groups; g-- > 0;)
        lanes_compare(&lanes, g, lanes_take(&chains));
}
