/* verifier_selftest.c - see verifier_selftest.h. */
#include "core/verifier_selftest.h"

#if EDS_VERIFIER_TABLES

#include <string.h>

#include "core/verifier_batch.h"

#define JOBS 24u

/* RFC 8032, section 7.1, TEST 3. */
static const uint8_t seed[EDS_SEED_SIZE] = {
    0xc5, 0xaa, 0x8d, 0xf4, 0x3f, 0x9f, 0x83, 0x7b, 0xed, 0xb7, 0x44, 0x2f, 0x31, 0xdc, 0xb7, 0xb1,
    0x66, 0xd3, 0x85, 0x35, 0x07, 0x6f, 0x09, 0x4b, 0x85, 0xce, 0x3a, 0x2e, 0x0b, 0x44, 0x58, 0xf7};
static const uint8_t public_key[EDS_PUBLIC_KEY_SIZE] = {
    0xfc, 0x51, 0xcd, 0x8e, 0x62, 0x18, 0xa1, 0xa3, 0x8d, 0xa4, 0x7e, 0xd0, 0x02, 0x30, 0xf0, 0x58,
    0x08, 0x16, 0xed, 0x13, 0xba, 0x33, 0x03, 0xac, 0x5d, 0xeb, 0x91, 0x15, 0x48, 0x90, 0x80, 0x25};
static const uint8_t known_message[2] = {0xaf, 0x82};
static const uint8_t known_signature[EDS_SIGNATURE_SIZE] = {
    0x62, 0x91, 0xd6, 0x57, 0xde, 0xec, 0x24, 0x02, 0x48, 0x27, 0xe6, 0x9c, 0x3a, 0xbe, 0x01, 0xa3,
    0x0c, 0xe5, 0x48, 0xa2, 0x84, 0x74, 0x3a, 0x44, 0x5e, 0x36, 0x80, 0xd7, 0xdb, 0x5a, 0xc3, 0xac,
    0x18, 0xff, 0x9b, 0x53, 0x8d, 0x16, 0xf2, 0x90, 0xae, 0x67, 0xf7, 0x60, 0x98, 0x4d, 0xc6, 0x59,
    0x4a, 0x7c, 0x15, 0xe9, 0x71, 0x6e, 0xd2, 0x8d, 0xc0, 0x27, 0xbe, 0xce, 0xea, 0x1e, 0xc4, 0x0a};

/* What a test needs; static, since it is too much for some threads' stacks. */
static struct {
    struct eds_verifier_table table;
    struct eds_batch batch;
    struct eds_verify_job job[JOBS];
    uint8_t message[JOBS][8 * JOBS];
    uint8_t signature[JOBS][EDS_SIGNATURE_SIZE];
    _Alignas(64) uint8_t room[EDS_BATCH_ROOM_SIZE(JOBS)];
} test;

/* Job i: a message of 8 i bytes, so that hashes of one block and of more meet in
 * a batch.  Of six jobs one is good; the others are damaged in R, in its sign,
 * in S at both ends, and in the message. */
static void make_job(unsigned i)
{
    static const struct {
        uint8_t byte, bit; /* of the signature */
    } damage[] = {{0, 0x01}, {31, 0x80}, {32, 0x01}, {63, 0x08}};
    const unsigned kind = i % 6;

    for (unsigned k = 0; k < sizeof test.message[i]; k++)
        test.message[i][k] = (uint8_t)(k * i);
    test.job[i] = (struct eds_verify_job){.table = &test.table,
                                          .message = test.message[i],
                                          .message_size = (size_t)8 * i,
                                          .signature = test.signature[i]};
    eds_ed25519_sign(test.signature[i], test.message[i], test.job[i].message_size, seed);
    if (kind >= 1 && kind <= 4)
        test.signature[i][damage[kind - 1].byte] ^= damage[kind - 1].bit;
    if (kind == 5)
        test.message[i][0] ^= 1;
}

/* The first job is a known answer; damaged if asked for. */
static void make_known_job(uint8_t damage)
{
    memcpy(test.message[0], known_message, sizeof known_message);
    memcpy(test.signature[0], known_signature, sizeof known_signature);
    test.signature[0][40] ^= damage;
    test.job[0].message_size = sizeof known_message;
}

/* Decides the first count jobs; true if libsodium says the same of each. */
static bool agree(const struct eds_verifier_arithmetic *arithmetic, unsigned count)
{
    bool same = true;

    test.batch.count = 0;
    for (unsigned i = 0; i < count; i++)
        if (!eds_batch_take(&test.batch, &test.job[i]))
            return false;
    eds_batch_try(&test.batch, arithmetic, test.room);
    for (unsigned i = 0; i < count; i++)
        same = same && test.batch.verdict[i] != EDS_BATCH_ODD &&
               (test.batch.verdict[i] == EDS_BATCH_GOOD) ==
                   eds_ed25519_verify(test.signature[i], test.message[i], test.job[i].message_size,
                                      public_key);
    return same;
}

bool eds_verifier_selftest(const struct eds_verifier_arithmetic *arithmetic)
{
    if (!eds_verifier_table_make(test.table.point, EDS_KEY_WINDOWS, EDS_KEY_WINDOW_BITS,
                                 public_key))
        return false;
    memcpy(test.table.public_key, public_key, sizeof public_key);
    for (unsigned i = 0; i < JOBS; i++)
        make_job(i);
    make_known_job(0);
    if (!agree(arithmetic, JOBS) || test.batch.verdict[0] != EDS_BATCH_GOOD)
        return false;
    make_known_job(1);
    if (!agree(arithmetic, 1) || test.batch.verdict[0] != EDS_BATCH_BAD)
        return false;
    make_known_job(0);
    return agree(arithmetic, 1) && test.batch.verdict[0] == EDS_BATCH_GOOD;
}

#endif
