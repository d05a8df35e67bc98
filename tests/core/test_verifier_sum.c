/* test_verifier_sum.c - the sum [S]B - [k]A for scalars that no honest hash gives.
 *
 * k is not hashed here but chosen, and R is what libsodium gets for the sum: so
 * digits at their limits are seen in verdicts that must be good. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sodium.h>

#include "core/ed25519_impl.h"
#include "core/verifier_batch.h"
#include "support/dice.h"
#include "support/vectors.h"
#include "verifier_levels.h"

#if EDS_VERIFIER_TABLES

struct scalar {
    uint8_t bytes[32];
};

struct point {
    uint8_t bytes[32];
};

static const struct point neutral = {{1}};

/* The points of small order, in the order of multiples of the second. */
static struct point torsion[8];

/* k of each job, given instead of a hash. */
static uint8_t chosen_k[EDS_BATCH_MAX][32];

static void chosen_hash(uint8_t (*digest)[64], const struct eds_batch *batch)
{
    memset(digest, 0, batch->count * sizeof *digest);
    for (size_t i = 0; i < batch->count; i++)
        memcpy(digest[i], chosen_k[i], sizeof chosen_k[i]);
}

static struct point add(const struct point *p, const struct point *q)
{
    struct point sum;

    assert_int_equal(crypto_core_ed25519_add(sum.bytes, p->bytes, q->bytes), 0);
    return sum;
}

static bool is_zero(const struct scalar *n)
{
    return sodium_is_zero(n->bytes, sizeof n->bytes);
}

/* A key: a multiple of the base point plus a point of small order. */
struct key {
    struct point prime_part, point;
    unsigned torsion;
    struct eds_verifier_table *table;
};

static struct key make_key(const struct scalar *secret, unsigned torsion_index)
{
    struct key key = {.torsion = torsion_index};

    assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(key.prime_part.bytes, secret->bytes),
                     0);
    key.point = add(&key.prime_part, &torsion[torsion_index]);
    key.table = new_table(key.point.bytes);
    assert_non_null(key.table);
    return key;
}

/* [s]B - [k]A as libsodium has it. */
static struct point expected(const struct scalar *s, const struct scalar *k, const struct key *key)
{
    struct point s_b = neutral, k_a = neutral, r;
    const struct point *small = &torsion[k->bytes[0] * key->torsion % 8];

    if (!is_zero(s))
        assert_int_equal(crypto_scalarmult_ed25519_base_noclamp(s_b.bytes, s->bytes), 0);
    if (!is_zero(k))
        assert_int_equal(
            crypto_scalarmult_ed25519_noclamp(k_a.bytes, k->bytes, key->prime_part.bytes), 0);
    k_a = add(&k_a, small);
    assert_int_equal(crypto_core_ed25519_sub(r.bytes, s_b.bytes, k_a.bytes), 0);
    return r;
}

#define L_SIZE 32
static const struct scalar order = {{0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58,
                                     0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
                                     0,    0,    0,    0,    0,    0,    0,    0,
                                     0,    0,    0,    0,    0,    0,    0,    0x10}};

/* Scalars whose digits are as large, as small or as even as can be. */
#define SPECIAL_COUNT 48u
static struct scalar special[SPECIAL_COUNT];

static void make_specials(struct dice *dice)
{
    unsigned n = 0;

    for (unsigned i = 0; i < 4; i++)
        special[n++].bytes[0] = (uint8_t)i; /* 0 to 3 */
    for (unsigned i = 1; i <= 4; i++) {     /* L - 1 to L - 4: too large for digits */
        special[n] = order;
        special[n++].bytes[0] = (uint8_t)(order.bytes[0] - i);
    }
    memset(special[n].bytes, 0xff, 31); /* 2^252 - 1 */
    special[n++].bytes[31] = 0x0f;
    special[n++].bytes[31] = 0x10; /* 2^252 */
    for (unsigned i = 0; i < 4; i++, n++) {
        memset(special[n].bytes, i < 2 ? 0xaa : 0x55, 31);
        special[n].bytes[31] = i % 2 == 0 ? 0x0a : 0x05;
    }
    for (unsigned i = 0; i < 20; i++) /* powers of two around the windows' edges */
        special[n++].bytes[i * 13 / 8] = (uint8_t)(1u << (i * 13 % 8));
    while (n < SPECIAL_COUNT) {
        dice_bytes(dice, special[n].bytes, sizeof special[n].bytes);
        special[n++].bytes[31] &= 0x0f;
    }
}

static int make_torsion(void **state)
{
    (void)state;
    eds_verifier_init();
    hex_bytes(torsion[1].bytes, 32,
              "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05");
    torsion[0] = neutral;
    for (unsigned i = 2; i < 8; i++)
        torsion[i] = add(&torsion[i - 1], &torsion[1]);
    assert_memory_equal(add(&torsion[7], &torsion[1]).bytes, neutral.bytes, 32);
    return 0;
}

/* Jobs with chosen k; the batch may be tried again and again. */
struct trial {
    struct eds_batch batch;
    struct eds_verify_job jobs[EDS_BATCH_MAX];
    uint8_t signatures[EDS_BATCH_MAX][EDS_SIGNATURE_SIZE];
    size_t count;
    void *room;
};

/* Adds a job that must be good; not if R would be of small order, because no
 * level takes that. */
static void add_job(struct trial *trial, const struct scalar *s, const struct scalar *k,
                    const struct key *key)
{
    size_t i = trial->count;
    struct point r = expected(s, k, key);

    if (eds_ed25519_small_order(r.bytes))
        return;
    trial->count++;
    memcpy(trial->signatures[i], r.bytes, 32);
    memcpy(trial->signatures[i] + 32, s->bytes, 32);
    memcpy(chosen_k[i], k->bytes, 32);
    trial->jobs[i] =
        (struct eds_verify_job){.table = key->table, .signature = trial->signatures[i]};
}

/* Puts all jobs of the trial to a level. */
static void run(struct trial *trial, const struct eds_verifier_arithmetic *arithmetic)
{
    struct eds_verifier_arithmetic chosen = {chosen_hash, arithmetic->decide};

    trial->batch.count = 0;
    for (size_t i = 0; i < trial->count; i++)
        assert_true(eds_batch_take(&trial->batch, &trial->jobs[i]));
    eds_batch_try(&trial->batch, &chosen, trial->room);
}

/* Can a level decide this itself?  A scalar from 2^252 on has no digits, and
 * with a scalar of 0 a sum inside may be the neutral point. */
static bool is_plain(const uint8_t scalar[32])
{
    return scalar[31] < 0x10 && !sodium_is_zero(scalar, 32);
}

static void expect_good(const struct trial *trial)
{
    for (size_t i = 0; i < trial->count; i++)
        if (trial->batch.verdict[i] != EDS_BATCH_ODD)
            assert_int_equal(trial->batch.verdict[i], EDS_BATCH_GOOD);
        else
            assert_false(is_plain(chosen_k[i]) && is_plain(trial->signatures[i] + 32));
}

/* Each job after the other with one bit of R turned: it alone becomes bad. */
static void expect_bad_alone(struct trial *trial, const struct eds_verifier_arithmetic *arithmetic)
{
    uint8_t good[EDS_BATCH_MAX];

    run(trial, arithmetic);
    memcpy(good, trial->batch.verdict, sizeof good);
    for (size_t bad = 0; bad < trial->count; bad++) {
        uint8_t *byte = &trial->signatures[bad][bad % 32];

        *byte ^= (uint8_t)(1u << bad % 8);
        run(trial, arithmetic);
        *byte ^= (uint8_t)(1u << bad % 8);
        assert_int_equal(trial->batch.verdict[bad],
                         good[bad] == EDS_BATCH_GOOD ? EDS_BATCH_BAD : good[bad]);
        trial->batch.verdict[bad] = good[bad];
        assert_memory_equal(trial->batch.verdict, good, trial->count);
    }
}

static const struct eds_verifier_arithmetic *next_arithmetic(unsigned *level)
{
    const struct eds_verifier_arithmetic *found = NULL;

    while (*level < EDS_VERIFIER_LEVEL_COUNT && found == NULL)
        found = eds_verifier_arithmetic((enum eds_verifier_level)(*level)++);
    return found;
}

static void each_level(struct trial *trial)
{
    const struct eds_verifier_arithmetic *arithmetic;
    unsigned level = 0;

    while ((arithmetic = next_arithmetic(&level)) != NULL) {
        run(trial, arithmetic);
        expect_good(trial);
    }
    trial->count = 0;
}

static struct trial *new_trial(void)
{
    struct trial *trial = calloc(1, sizeof *trial);

    assert_non_null(trial);
    trial->room = new_work();
    return trial;
}

static void free_trial(struct trial *trial)
{
    free(trial->room);
    free(trial);
}

/* All pairs of special scalars, under keys with every component of small order. */
static void special_scalars(void **state)
{
    struct trial *trial = new_trial();
    struct key keys[8];
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    make_specials(&dice);
    for (unsigned t = 0; t < 8; t++)
        keys[t] = make_key(&special[SPECIAL_COUNT - 1], t);
    for (unsigned i = 0; i < SPECIAL_COUNT; i++)
        for (unsigned j = 0; j < SPECIAL_COUNT; j++) {
            add_job(trial, &special[i], &special[j], &keys[(i + j) % 8]);
            if (trial->count == EDS_BATCH_MAX)
                each_level(trial);
        }
    each_level(trial);
    for (unsigned t = 0; t < 8; t++)
        free(keys[t].table);
    free_trial(trial);
}

/* Batches of every size, and in each a bad signature at every place. */
static void every_place(void **state)
{
    struct trial *trial = new_trial();
    struct dice dice;
    struct key keys[2];

    (void)state;
    dice_seed(&dice);
    make_specials(&dice);
    keys[0] = make_key(&special[SPECIAL_COUNT - 1], 0);
    keys[1] = make_key(&special[SPECIAL_COUNT - 2], 3);
    for (unsigned size = 1; size <= EDS_BATCH_MAX; size++) {
        const struct eds_verifier_arithmetic *arithmetic;
        unsigned level = 0;
        struct scalar s, k;

        dice_bytes(&dice, s.bytes, sizeof s.bytes);
        dice_bytes(&dice, k.bytes, sizeof k.bytes);
        s.bytes[31] &= 0x0f;
        k.bytes[31] &= 0x0f;
        add_job(trial, &s, &k, &keys[size % 2]);
        if (size > 20 && size % 7 != 0 && size < EDS_BATCH_MAX - 1)
            continue; /* every place of every group has been bad by then */
        while ((arithmetic = next_arithmetic(&level)) != NULL) {
            run(trial, arithmetic);
            expect_good(trial);
            expect_bad_alone(trial, arithmetic);
        }
    }
    free(keys[0].table);
    free(keys[1].table);
    free_trial(trial);
}

/* Keys made so that table points of key and base meet: A = n B and -n B, for n
 * that are themselves digits.  Divisions by zero are then common, and seen; the
 * jobs beside are decided all the same. */
static void meeting_points(void **state)
{
    struct trial *trial = new_trial();
    struct dice dice;
    struct key honest, meeting;
    unsigned odd = 0;

    (void)state;
    dice_seed(&dice);
    make_specials(&dice);
    honest = make_key(&special[SPECIAL_COUNT - 1], 0);
    for (unsigned n = 0; n < 40; n++) {
        const struct eds_verifier_arithmetic *arithmetic;
        unsigned level = 0;
        struct scalar secret = {{0}};

        secret.bytes[n / 8] = (uint8_t)(1u << n % 8);
        if (n % 2 != 0)
            crypto_core_ed25519_scalar_negate(secret.bytes, secret.bytes);
        meeting = make_key(&secret, 0);
        for (unsigned i = 0; i < 24; i++) {
            const struct scalar *s = &special[4 + (n + i) % (SPECIAL_COUNT - 4)];
            const struct scalar *k = &special[4 + (n + i + i / 12) % (SPECIAL_COUNT - 4)];

            add_job(trial, s, k, i % 3 == 0 ? &honest : &meeting);
        }
        while ((arithmetic = next_arithmetic(&level)) != NULL) {
            run(trial, arithmetic);
            for (size_t i = 0; i < trial->count; i++) {
                odd += trial->batch.verdict[i] == EDS_BATCH_ODD;
                assert_int_not_equal(trial->batch.verdict[i], EDS_BATCH_BAD);
                if (trial->jobs[i].table == honest.table && is_plain(chosen_k[i]) &&
                    is_plain(trial->signatures[i] + 32))
                    assert_int_equal(trial->batch.verdict[i], EDS_BATCH_GOOD);
            }
        }
        trial->count = 0;
        free(meeting.table);
    }
    print_message("%u divisions by zero\n", odd);
    assert_true(odd > 0);
    free(honest.table);
    free_trial(trial);
}

/* Tables, entry by entry: libsodium multiplies. */
static void expect_entry(const eds_table_point *entry, const struct point *wanted)
{
    struct fe25519 x = fe25519_from_words(*entry), y = fe25519_from_words(*entry + 4);
    struct fe25519 u = fe25519_mul(fe25519_sub(x, eds_third_of_a), fe25519_one());
    struct fe25519 edwards_x = fe25519_mul(fe25519_mul(eds_map_c, u), fe25519_invert(y));
    struct fe25519 edwards_y =
        fe25519_mul(fe25519_sub(u, fe25519_one()), fe25519_invert(fe25519_add(u, fe25519_one())));
    uint8_t bytes[32], x_bytes[32];

    fe25519_to_bytes(bytes, edwards_y);
    fe25519_to_bytes(x_bytes, edwards_x);
    bytes[31] = (uint8_t)(bytes[31] | x_bytes[0] << 7);
    assert_memory_equal(bytes, wanted->bytes, 32);
}

/* scalar = digit 2^shift, less one. */
static struct scalar digit_scalar(unsigned digit, unsigned shift, unsigned less)
{
    struct scalar n = {{0}}, one = {{(uint8_t)less}}, wide[2] = {{{0}}, {{0}}};

    for (unsigned bit = 0; bit < 10; bit++)
        if ((digit >> bit & 1) != 0)
            wide[0].bytes[(bit + shift) / 8 % 32] |= (uint8_t)(1u << (bit + shift) % 8);
    crypto_core_ed25519_scalar_reduce(n.bytes, wide[0].bytes);
    crypto_core_ed25519_scalar_sub(n.bytes, n.bytes, one.bytes);
    return n;
}

static void expect_table(const eds_table_point *table, unsigned windows, unsigned bits,
                         const struct key *key, unsigned step)
{
    const unsigned half = 1u << (bits - 1);

    for (unsigned at = 0; at < EDS_TABLE_POINTS(windows, bits); at += step) {
        bool less = at >= windows * half;
        unsigned window = less ? windows - 1 : at / half;
        struct scalar n = digit_scalar(2 * (at % half) + 1, window * bits, less);
        struct point wanted;

        assert_int_equal(
            crypto_scalarmult_ed25519_noclamp(wanted.bytes, n.bytes, key->prime_part.bytes), 0);
        /* the table is of minus the key: minus n times, and so for the rest */
        crypto_core_ed25519_sub(wanted.bytes, neutral.bytes, wanted.bytes);
        if (key->torsion != 0) {
            unsigned m =
                (2 * (at % half) + 1) * (window * bits < 3 ? 1u << window * bits : 0) - less;

            crypto_core_ed25519_sub(wanted.bytes, wanted.bytes,
                                    torsion[m * key->torsion % 8].bytes);
        }
        expect_entry(&table[at], &wanted);
    }
}

static void tables(void **state)
{
    struct scalar minus_one = order;
    struct key key, minus_base = {.torsion = 0};
    struct dice dice;

    (void)state;
    dice_seed(&dice);
    make_specials(&dice);
    for (unsigned t = 0; t < 2; t++) {
        key = make_key(&special[SPECIAL_COUNT - 1 - t], t * 5);
        expect_table((const eds_table_point *)key.table->point, EDS_KEY_WINDOWS,
                     EDS_KEY_WINDOW_BITS, &key, 1);
        free(key.table);
    }
    minus_one.bytes[0]--;
    crypto_scalarmult_ed25519_base_noclamp(minus_base.prime_part.bytes, minus_one.bytes);
    expect_table((const eds_table_point *)eds_base_table, EDS_BASE_WINDOWS, EDS_BASE_WINDOW_BITS,
                 &minus_base, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_scalars),
        cmocka_unit_test(every_place),
        cmocka_unit_test(meeting_points),
        cmocka_unit_test(tables),
    };

    return cmocka_run_group_tests(tests, make_torsion, NULL);
}

#else

int main(void)
{
    print_message("skipped: this build has no verifier tables\n");
    return 77;
}

#endif
