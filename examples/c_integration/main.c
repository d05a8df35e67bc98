/* main.c - a device's firmware, written against the C ABI alone.
 *
 * It makes a key, signs three inspection events that follow each other, checks
 * them as an auditor would, shows what tampering looks like, and last verifies
 * a software update before it would install it.  Nothing is allocated and
 * nothing has to be freed: every buffer is the program's own. */
#include <edgesentry_bridge.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORD_COUNT 3

static const char *const payloads[RECORD_COUNT] = {
    "check=door,state=ok,cycles=18",
    "check=brake,state=ok,response_ms=96",
    "check=rope,state=worn,diameter_mm=9.4",
};

/* Says what was wrong and gives up; a firmware would go to its safe state. */
static void give_up(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, eds_last_error_message());
    exit(1);
}

static void must(int holds, const char *what)
{
    if (!holds)
        give_up(what);
}

static void print_hex(const char *label, const uint8_t *bytes, size_t size)
{
    printf("%s", label);
    for (size_t i = 0; i < size; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

/* Each record carries the hash of the one before it; the first carries none. */
static void sign_records(EdsAuditRecord records[RECORD_COUNT], const uint8_t private_key[32])
{
    uint8_t hash[32];

    for (unsigned i = 0; i < RECORD_COUNT; i++) {
        const uint8_t *previous = i > 0 ? hash : NULL;
        char reference[64];

        snprintf(reference, sizeof reference, "lift-07/check-%u.txt", i + 1);
        must(eds_sign_record("lift-07", i + 1, UINT64_C(1700000000000) + 60000u * i,
                             (const uint8_t *)payloads[i], strlen(payloads[i]), previous, reference,
                             private_key, &records[i]) == EDS_OK,
             "sign");
        must(eds_record_hash(&records[i], hash) == EDS_OK, "hash");
        printf("SIGNED %s sequence %u, %s\n", (const char *)records[i].device_id, i + 1,
               (const char *)records[i].object_ref);
    }
    print_hex("head of the chain: ", hash, sizeof hash);
}

static void check_records(const EdsAuditRecord records[RECORD_COUNT], const uint8_t public_key[32])
{
    for (unsigned i = 0; i < RECORD_COUNT; i++)
        must(eds_verify_record(&records[i], public_key) == 1, "verify");
    printf("SIGNATURES VALID: %d records\n", RECORD_COUNT);
    must(eds_verify_chain(records, RECORD_COUNT) == EDS_OK, "chain");
    printf("CHAIN VALID\n");
}

/* Three attempts, and who notices. */
static void tamper(const EdsAuditRecord records[RECORD_COUNT], const uint8_t public_key[32])
{
    EdsAuditRecord forged[RECORD_COUNT];

    memcpy(forged, records, sizeof forged);
    forged[1].payload_hash[0] ^= 1; /* another payload: the signature breaks */
    must(eds_verify_record(&forged[1], public_key) == 0, "a forged payload hash got through");
    printf("TAMPERED payload hash: signature not valid\n");

    memcpy(forged, records, sizeof forged);
    forged[1].timestamp_ms -= 3600000; /* an earlier time: the next record's link breaks */
    must(eds_verify_chain(forged, RECORD_COUNT) == EDS_ERR_CHAIN_INVALID,
         "a changed time got through");
    printf("TAMPERED time: %s\n", eds_last_error_message());

    memcpy(forged, records, sizeof forged);
    forged[1] = records[2]; /* a record left out */
    must(eds_verify_chain(forged, 2) == EDS_ERR_CHAIN_INVALID, "a missing record got through");
    printf("TAMPERED order: %s\n", eds_last_error_message());
}

/* A publisher signs an update as a device signs a payload: by its hash. */
static void verify_update(void)
{
    uint8_t publisher_private[32], publisher[32];
    uint8_t image[64];
    EdsAuditRecord release; /* only its payload_hash and signature are of use here */

    for (unsigned i = 0; i < sizeof image; i++)
        image[i] = (uint8_t)(3 * i);
    must(eds_keygen(publisher_private, publisher) == EDS_OK, "publisher's key");
    must(eds_sign_record("publisher", 1, 0, image, sizeof image, NULL, "firmware-2.bin",
                         publisher_private, &release) == EDS_OK,
         "release");
    must(eds_verify_update(image, sizeof image, release.payload_hash, release.signature,
                           publisher) == EDS_OK,
         "update");
    printf("UPDATE VALID\n");
    image[10] ^= 0x20;
    must(eds_verify_update(image, sizeof image, release.payload_hash, release.signature,
                           publisher) == EDS_ERR_HASH_MISMATCH,
         "a changed update got through");
    printf("UPDATE REFUSED: another payload\n");
    image[10] ^= 0x20;
    release.signature[5] ^= 0x20;
    must(eds_verify_update(image, sizeof image, release.payload_hash, release.signature,
                           publisher) == EDS_ERR_BAD_SIGNATURE,
         "a forged update got through");
    printf("UPDATE REFUSED: not signed by the publisher\n");
}

int main(void)
{
    uint8_t private_key[32], public_key[32];
    EdsAuditRecord records[RECORD_COUNT];

    must(eds_keygen(private_key, public_key) == EDS_OK, "key");
    print_hex("public key: ", public_key, sizeof public_key);
    sign_records(records, private_key);
    check_records(records, public_key);
    tamper(records, public_key);
    verify_update();
    return 0;
}
