/* core.c - the least that a device does: three records, signed, hashed and chained, by
 * the C ABI alone, without a heap.  Says what that took. */
#include "edgesentry.h"

#include <string.h>

#include "board.h"

static EdsAuditRecord records[2];

/* The record sign-record of the golden data: what comes out is known. */
static const uint8_t wanted_hash[32] = {
    0x1d, 0x9e, 0xfe, 0xe6, 0x56, 0xb0, 0x36, 0x48, 0x6d, 0xd3, 0xd3, 0x86, 0x25, 0x39, 0x29, 0x6d,
    0xc7, 0x0b, 0x38, 0x58, 0xad, 0x06, 0xc9, 0x0c, 0x5e, 0xb2, 0x15, 0x5b, 0xc2, 0xe2, 0xb4, 0xe2};

static void must(int holds, const char *what)
{
    if (holds)
        return;
    board_say("CORE_WRONG: ");
    board_say(what);
    board_say("\n");
    board_exit(1);
}

int main(void)
{
    static const char payload[] = "door-open";
    uint8_t seed[32], hash[32];
    uint32_t sign, rest;

    memset(seed, 1, sizeof seed);
    (void)board_thousands();
    must(eds_sign_record("lift-01", 1, UINT64_C(1700000000000), (const uint8_t *)payload,
                         sizeof payload - 1, NULL, "s3://bucket/lift-01/1.bin", seed,
                         &records[0]) == EDS_OK,
         "sign");
    sign = board_thousands();
    must(eds_record_hash(&records[0], hash) == EDS_OK, "hash");
    rest = board_thousands();
    must(memcmp(hash, wanted_hash, sizeof hash) == 0, "the golden record's hash");
    must(eds_sign_record("lift-01", 2, UINT64_C(1700000001000), (const uint8_t *)payload,
                         sizeof payload - 1, hash, "s3://bucket/lift-01/2.bin", seed,
                         &records[1]) == EDS_OK,
         "sign the next one");
    must(eds_verify_chain(records, 2) == EDS_OK, "chain");
    records[1].prev_record_hash[0] ^= 1;
    must(eds_verify_chain(records, 2) == EDS_ERR_CHAIN_INVALID, "a broken chain");
    board_say("CORE_GOOD:");
    board_number("stack", board_stack_used());
    board_number("sign_thousand_instructions", sign);
    board_number("hash_thousand_instructions", rest);
    board_say("\n");
    return 0;
}
