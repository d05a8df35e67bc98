/* edge_device.c - role 1 of 3: the device signs what it measured.
 *
 *   edge_device [DIRECTORY]        (default /tmp)
 *
 * Writes DIRECTORY/eds_envelopes.ndjson with three chained, signed and attested
 * inspection records, and DIRECTORY/eds_tampered.ndjson with a copy of the last
 * one whose payload was altered on the way.  edge_gateway comes next.
 *
 * The key is the demo key that edgesentry-rs uses (32 times 0x01), so that the
 * other roles know its public key.  A real device makes its own. */
#include <stdio.h>
#include <string.h>

#include "edgesentry/attest.h"
#include "edgesentry/json.h"

#define DEVICE_ID "lift-01"

static const char *const payloads[] = {
    "check=door,status=ok,open_close_cycle=3",
    "check=vibration,status=ok,rms=0.18",
    "check=emergency_brake,status=ok,response_ms=120",
};

static int32_t write_line(FILE *file, const struct eds_entry *entry, const char *payload)
{
    char line[EDS_JSON_ENTRY_SIZE_MAX + 512];
    size_t size = eds_json_envelope_encode(line, sizeof line, entry, payload, strlen(payload));

    if (size == 0 || fprintf(file, "%s\n", line) < 0)
        return EDS_ERR_IO;
    return EDS_OK;
}

/* Signs record `sequence` after the one whose hash is in previous, and moves
 * previous on. */
static int32_t sign_next(struct eds_entry *entry, uint64_t sequence,
                         uint8_t previous[EDS_HASH_SIZE], const uint8_t seed[EDS_SEED_SIZE],
                         struct eds_error *err)
{
    const char *payload = payloads[sequence - 1];
    char reference[64];
    int32_t rc;

    snprintf(reference, sizeof reference, "lift-01/inspection-%llu.bin",
             (unsigned long long)sequence);
    rc = eds_record_sign(&entry->record, DEVICE_ID, sequence,
                         1700000000000u + 60000 * (sequence - 1), payload, strlen(payload),
                         previous, reference, seed, err);
    if (rc != EDS_OK)
        return rc;
    rc = eds_record_digest(previous, &entry->record);
    if (rc != EDS_OK)
        return rc;
    eds_attest_sign(&entry->attestation, previous, seed);
    return EDS_OK;
}

static int32_t measure_and_sign(FILE *genuine, FILE *tampered, struct eds_error *err)
{
    uint8_t seed[EDS_SEED_SIZE], previous[EDS_HASH_SIZE] = {0};
    struct eds_entry entry;
    int32_t rc;

    memset(seed, 1, sizeof seed);
    for (uint64_t sequence = 1; sequence <= 3; sequence++) {
        rc = sign_next(&entry, sequence, previous, seed, err);
        if (rc != EDS_OK)
            return rc;
        rc = write_line(genuine, &entry, payloads[sequence - 1]);
        if (rc != EDS_OK)
            return eds_error_set(err, rc, "a record could not be written");
        printf("SIGNED: device=%s sequence=%llu\n", DEVICE_ID, (unsigned long long)sequence);
    }
    rc = write_line(tampered, &entry, "check=emergency_brake,status=ok,response_ms=12");
    return rc == EDS_OK ? rc : eds_error_set(err, rc, "the tampered copy could not be written");
}

int main(int argc, char **argv)
{
    const char *directory = argc > 1 ? argv[1] : "/tmp";
    char genuine_path[4096], tampered_path[4096];
    struct eds_error err = {.text = "the files could not be created"};
    FILE *genuine, *tampered;
    int32_t rc = EDS_ERR_IO;

    snprintf(genuine_path, sizeof genuine_path, "%s/eds_envelopes.ndjson", directory);
    snprintf(tampered_path, sizeof tampered_path, "%s/eds_tampered.ndjson", directory);
    genuine = fopen(genuine_path, "w");
    tampered = fopen(tampered_path, "w");
    if (genuine != NULL && tampered != NULL)
        rc = measure_and_sign(genuine, tampered, &err);
    if (genuine != NULL && fclose(genuine) != 0)
        rc = EDS_ERR_IO;
    if (tampered != NULL && fclose(tampered) != 0)
        rc = EDS_ERR_IO;
    if (rc != EDS_OK) {
        fprintf(stderr, "edge_device: %s: %s\n", directory, err.text);
        return 1;
    }
    printf("WROTE: %s\nWROTE: %s\n", genuine_path, tampered_path);
    return 0;
}
