/* verifier_lanes.h - the sum and the comparison, for any number of lanes.
 *
 * Included once by each verifier_LEVEL.c, which first defines
 *
 *   LANES        how many numbers a lane_fe holds side by side
 *   lane_fe      such a pack of numbers modulo p
 *   lane_NAME    its arithmetic: one, add, sub, sum, mul, sq, mul_sub, sq_sub, under
 *                the same bounds as in fe25519.h, though a level may carry more
 *                often; set1, the same number in all lanes; set and get, from and
 *                to LANES numbers; to_words, as word[i][lane]
 *   lane_load    (x, y, points, digits): a table point in each lane, negated
 *                where its digit says so; x is tight, y wide
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

/* A point of each lane, on the short form: x tight, y wide.  While divisions are
 * prepared, y is a divisor (loose) and x becomes 1 / y (tight). */
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
    struct lane_point *divisors;     /* groups */
    struct lane_sum *sums;           /* groups */
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
    lanes->divisors = at;
    at += lanes->groups;
    lanes->sums = (struct lane_sum *)(void *)at;
}

/* The summand i of a group. */
static inline struct lane_point lanes_point(const struct lanes *lanes, size_t i, size_t group)
{
    const struct eds_batch *batch = lanes->batch;
    const eds_table_point *from[LANES];
    struct lane_point p;

    if (lanes->points != NULL)
        return lanes->points[i * lanes->groups + group];
    for (size_t lane = 0; lane < LANES; lane++) {
        size_t job = group * LANES + lane;

        from[lane] = i < EDS_KEY_WINDOWS ? batch->key_table[job] : eds_base_table;
        from[lane] += batch->digit[i][job] & EDS_DIGIT_PLACE;
    }
    lane_load(&p.x, &p.y, from, &batch->digit[i][group * LANES]);
    return p;
}

/* Sets divisors that are 0 to 1, and gives their jobs up: rare, so simple. */
static void lanes_give_up_zeros(struct lanes *lanes, struct lane_point *divisors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct fe25519 value[LANES];

        lane_get(value, divisors[i].y);
        for (size_t lane = 0; lane < LANES; lane++) {
            size_t job = i % lanes->groups * LANES + lane;

            if (!fe25519_is_zero(value[lane]))
                continue;
            value[lane] = fe25519_one();
            if (job < lanes->batch->count)
                lanes->batch->verdict[job] = EDS_BATCH_ODD;
        }
        divisors[i].y = lane_set(value);
    }
}

/* How many products are made at a time, so that none waits for the one before. */
#define CHAINS 2u

/* Inverts CHAINS packs by one inversion.  False, with nothing changed, if one of
 * their numbers is 0. */
static bool lanes_invert_chains(lane_fe chain[CHAINS])
{
    struct fe25519 value[CHAINS * LANES], before[CHAINS * LANES];
    struct fe25519 product = fe25519_one();

    for (size_t i = 0; i < CHAINS; i++)
        lane_get(value + i * LANES, chain[i]);
    for (size_t i = 0; i < CHAINS * LANES; i++) {
        before[i] = product;
        product = fe25519_mul(product, value[i]);
    }
    if (fe25519_is_zero(product))
        return false;
    product = fe25519_invert(product);
    for (size_t i = CHAINS * LANES; i-- > 0;) {
        struct fe25519 inverse = fe25519_mul(product, before[i]);

        product = fe25519_mul(product, value[i]);
        value[i] = inverse;
    }
    for (size_t i = 0; i < CHAINS; i++)
        chain[i] = lane_set(value + i * LANES);
    return true;
}

/* Divides 1 by count divisors: x = 1 / y for each of them.  The number i belongs
 * to group i % groups. */
static void lanes_divide(struct lanes *lanes, struct lane_point *divisors, size_t count)
{
    lane_fe chain[CHAINS];

    for (;;) {
        for (size_t i = 0; i < CHAINS; i++)
            chain[i] = lane_one();
        for (size_t i = 0; i < count; i++) {
            divisors[i].x = chain[i % CHAINS];
            chain[i % CHAINS] = lane_mul(chain[i % CHAINS], divisors[i].y);
        }
        if (lanes_invert_chains(chain))
            break;
        lanes_give_up_zeros(lanes, divisors, count);
    }
    for (size_t i = count; i-- > 0;) {
        lane_fe inverse = lane_mul(chain[i % CHAINS], divisors[i].x);

        chain[i % CHAINS] = lane_mul(chain[i % CHAINS], divisors[i].y);
        divisors[i].x = inverse;
    }
}

/* p + q by the chord through both: its slope is (q.y - p.y) / (q.x - p.x), and
 * over is 1 / (q.x - p.x). */
static inline struct lane_point lanes_chord(const struct lane_point *p, const struct lane_point *q,
                                            lane_fe over)
{
    struct lane_point sum;
    lane_fe slope = lane_mul(over, lane_sub(q->y, p->y));

    sum.x = lane_sq_sub(slope, lane_sum(p->x, q->x));
    sum.y = lane_mul_sub(slope, lane_sub(p->x, sum.x), p->y);
    return sum;
}

/* One round: adds the summands by twos, all at the price of one inversion. */
static void lanes_halve(struct lanes *lanes, struct lane_point *out)
{
    const size_t groups = lanes->groups, pairs = lanes->count / 2;

    for (size_t i = 0; i < pairs; i++)
        for (size_t g = 0; g < groups; g++) {
            struct lane_point p = lanes_point(lanes, 2 * i, g);
            struct lane_point q = lanes_point(lanes, 2 * i + 1, g);

            out[i * groups + g].y = lane_sub(q.x, p.x);
        }
    lanes_divide(lanes, out, pairs * groups);
    for (size_t i = 0; i < pairs; i++)
        for (size_t g = 0; g < groups; g++) {
            struct lane_point p = lanes_point(lanes, 2 * i, g);
            struct lane_point q = lanes_point(lanes, 2 * i + 1, g);

            out[i * groups + g] = lanes_chord(&p, &q, out[i * groups + g].x);
        }
    if (lanes->count % 2 != 0)
        for (size_t g = 0; g < groups; g++)
            out[pairs * groups + g] = lanes_point(lanes, lanes->count - 1, g);
    lanes->points = out;
    lanes->count = LANE_HALF(lanes->count);
}

/* sum + p without a division.  Once the chord has no slope, zz stays 0. */
static inline void lanes_add(struct lane_sum *sum, const struct lane_point *p)
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
    for (unsigned round = 0; lanes->count / 2 * lanes->groups >= ROUND_COUNT; round++)
        lanes_halve(lanes, lanes->halves[round % 2]);
    for (size_t g = 0; g < lanes->groups; g++) {
        struct lane_point p = lanes_point(lanes, 0, g);
        struct lane_sum sum = {p.x, p.y, lane_one(), lane_one()};

        for (size_t i = 1; i < lanes->count; i++) {
            p = lanes_point(lanes, i, g);
            lanes_add(&sum, &p);
        }
        lanes->sums[g] = sum;
    }
}

/* Back to the Edwards curve.  With u = x / zz - A / 3 = -w / zz and v = y / zzz,
 *   Y = (u - 1) / (u + 1) = (w + zz) / (w - zz),
 *   X = c u / v           = -c w zzz / (zz y),
 * both over the one divisor (w - zz) zz y.  It is 0 only after a zero on the way,
 * or for the point of order two; u = -1 has no point on this curve. */
static inline lane_fe lanes_w(const struct lane_sum *sum)
{
    return lane_mul_sub(lane_set1(eds_third_of_a), sum->zz, sum->x);
}

static inline lane_fe lanes_last_divisor(const struct lane_sum *sum)
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

/* Repeats the last job in the lanes that have none. */
static void lanes_fill(struct eds_batch *batch, size_t lane_count)
{
    size_t last = batch->count - 1;

    for (size_t job = batch->count; job < lane_count; job++) {
        batch->key_table[job] = batch->key_table[last];
        for (size_t i = 0; i < EDS_SUMMANDS; i++)
            batch->digit[i][job] = batch->digit[i][last];
    }
}

static void lanes_decide(struct eds_batch *batch, void *room)
{
    struct lanes lanes;

    assert(batch->count > 0 && batch->count <= EDS_BATCH_MAX);
    lanes_init(&lanes, batch, room);
    lanes_fill(batch, lanes.groups * LANES);
    lanes_sum_up(&lanes);
    for (size_t g = 0; g < lanes.groups; g++)
        lanes.divisors[g].y = lanes_last_divisor(&lanes.sums[g]);
    lanes_divide(&lanes, lanes.divisors, lanes.groups);
    for (size_t g = 0; g < lanes.groups; g++)
        lanes_compare(&lanes, g, lanes.divisors[g].x);
}
