/* golden.c - the golden vectors through the library in one file: on this machine
 * (test_amalgamation.sh) and on a Cortex-M4 (scripts/mcu.sh).
 *
 * Uses what edgesentry.h offers, and nothing of the test tools. */
#include "edgesentry.h"

#include <stdio.h>
#include <string.h>

#include "golden_vectors.h"

#define COUNT(list) (sizeof(list) / sizeof(list)[0])

static unsigned faults;

static void expect(int holds, const char *what, size_t index)
{
    if (holds)
        return;
    faults++;
    if (faults <= 20)
        printf("WRONG: %s %u\n", what, (unsigned)index);
}

/* The bytes that the vectors' recipe says: 0, 1, ... 250, 0, 1, ... */
static void fill(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        bytes[i] = (uint8_t)(i % 251);
}

static void check_hashes(void)
{
    uint8_t bytes[251], hash[32];
    struct eds_blake3 state;

    fill(bytes, sizeof bytes);
    for (size_t i = 0; i < COUNT(golden_hashes); i++) {
        size_t left = golden_hashes[i].size;

        eds_blake3_init(&state);
        while (left > 0) { /* the largest have more bytes than a small device */
            size_t some = left < sizeof bytes ? left : sizeof bytes;

            eds_blake3_update(&state, bytes, some);
            left -= some;
        }
        eds_blake3_final(&state, hash);
        expect(memcmp(hash, golden_hashes[i].hash, 32) == 0, "BLAKE3", i);
    }
}

static EdsAuditRecord records[COUNT(golden_records)];

static void check_record(size_t i)
{
    static uint8_t payload[4096];
    EdsAuditRecord *record = &records[i];
    uint8_t hash[32];

    fill(payload, sizeof payload);
    expect(golden_records[i].payload_size <= sizeof payload, "payload's size", i);
    expect(eds_sign_record(golden_records[i].device_id, golden_records[i].sequence,
                           golden_records[i].timestamp_ms, payload, golden_records[i].payload_size,
                           golden_records[i].previous, golden_records[i].object_ref,
                           golden_records[i].seed, record) == EDS_OK,
           "eds_sign_record", i);
    expect(memcmp(record->payload_hash, golden_records[i].payload_hash, 32) == 0, "payload hash",
           i);
    expect(memcmp(record->signature, golden_records[i].signature, 64) == 0, "signature", i);
    expect(eds_record_hash(record, hash) == EDS_OK && memcmp(hash, golden_records[i].hash, 32) == 0,
           "record hash", i);
    expect(eds_verify_record(record, golden_records[i].key) == 1, "eds_verify_record", i);
}

static void check_chain(void)
{
    const size_t count = COUNT(golden_records), changed = count / 2;
    EdsAuditRecord *record = &records[changed];

    expect(eds_verify_chain(records, count) == EDS_OK, "eds_verify_chain", count);
    record->timestamp_ms++;
    expect(eds_verify_chain(records, count) == EDS_ERR_CHAIN_INVALID, "another time", changed);
    record->timestamp_ms--;
    record->payload_hash[0] ^= 1;
    expect(eds_verify_record(record, golden_records[changed].key) == 0, "another payload", changed);
    record->payload_hash[0] ^= 1;
    expect(eds_verify_chain(records + 1, count - 1) == EDS_ERR_CHAIN_INVALID, "no beginning", 0);
}

static void check_signatures(void)
{
    uint8_t key[32], signature[64];

    for (size_t i = 0; i < COUNT(golden_signatures); i++) {
        const uint8_t *message = golden_messages + golden_signatures[i].at;

        eds_ed25519_public_key(key, golden_signatures[i].seed);
        expect(memcmp(key, golden_signatures[i].key, 32) == 0, "public key", i);
        eds_ed25519_sign(signature, message, golden_signatures[i].size, golden_signatures[i].seed);
        expect(memcmp(signature, golden_signatures[i].signature, 64) == 0, "Ed25519", i);
    }
}

static void check_verdicts(void)
{
    for (size_t i = 0; i < COUNT(golden_verdicts); i++)
        expect(eds_ed25519_verify(golden_verdicts[i].signature,
                                  golden_messages + golden_verdicts[i].at, golden_verdicts[i].size,
                                  golden_verdicts[i].key) == (golden_verdicts[i].good != 0),
               "verdict", i);
}

int main(void)
{
    check_hashes();
    for (size_t i = 0; i < COUNT(golden_records); i++)
        check_record(i);
    check_chain();
    check_signatures();
    check_verdicts();
    if (faults > 0) {
        printf("GOLDEN_WRONG: %u\n", faults);
        return 1;
    }
    printf("GOLDEN_GOOD: %u hashes, %u records, %u signatures, %u verdicts\n",
           (unsigned)COUNT(golden_hashes), (unsigned)COUNT(golden_records),
           (unsigned)COUNT(golden_signatures), (unsigned)COUNT(golden_verdicts));
    return 0;
}
