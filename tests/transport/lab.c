/* lab.c - see lab.h. */
#include "transport/lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <setjmp.h> /* for cmocka.h */
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "edgesentry/json.h"

void lab_rest(unsigned ms)
{
    struct timespec rest = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};

    nanosleep(&rest, NULL);
}

uint64_t lab_now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void lab_ledger_await_held(struct lab_ledger *lab)
{
    for (unsigned ms = 0; !atomic_load(&lab->held); ms++) {
        assert_true(ms < 120000);
        lab_rest(1);
    }
}

static int32_t lab_commit(struct eds_ledger *ledger, const struct eds_commit *commit,
                          struct eds_error *err)
{
    struct lab_ledger *lab = (struct lab_ledger *)ledger;

    while (atomic_load(&lab->waiting)) {
        atomic_store(&lab->held, true);
        lab_rest(1);
    }
    atomic_store(&lab->held, false);
    if (atomic_load(&lab->failing))
        return eds_error_set(err, EDS_ERR_IO, "the disk of the lab is gone");
    return lab->memory->ops->commit(lab->memory, commit, err);
}

static int32_t lab_ledger_head(struct eds_ledger *ledger, const char *device_id,
                               struct eds_head *out, struct eds_error *err)
{
    struct eds_ledger *memory = ((struct lab_ledger *)ledger)->memory;

    return memory->ops->head(memory, device_id, out, err);
}

static int32_t lab_record_hash(struct eds_ledger *ledger, const char *device_id, uint64_t sequence,
                               uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct eds_ledger *memory = ((struct lab_ledger *)ledger)->memory;

    return memory->ops->record_hash(memory, device_id, sequence, out, err);
}

static int32_t lab_object(struct eds_ledger *ledger, const char *object_ref,
                          uint8_t out[EDS_HASH_SIZE], struct eds_error *err)
{
    struct eds_ledger *memory = ((struct lab_ledger *)ledger)->memory;

    return memory->ops->object(memory, object_ref, out, err);
}

/* The slots that the committer uses. */
static const struct eds_ledger_ops lab_ops = {
    .name = "lab",
    .commit = lab_commit,
    .head = lab_ledger_head,
    .record_hash = lab_record_hash,
    .object = lab_object,
};

void lab_ledger_open(struct lab_ledger *lab)
{
    struct eds_error err;

    memset(lab, 0, sizeof *lab);
    lab->ledger.ops = &lab_ops;
    assert_int_equal(eds_ledger_open(&lab->memory, "memory:", &err), EDS_OK);
}

void lab_ledger_close(struct lab_ledger *lab)
{
    lab->memory->ops->close(lab->memory);
}

uint64_t lab_ledger_sequence(struct lab_ledger *lab, const char *device_id)
{
    struct eds_head head;
    struct eds_error err;

    assert_int_equal(lab->memory->ops->head(lab->memory, device_id, &head, &err), EDS_OK);
    return head.sequence;
}

void lab_device_register(struct lab_device *device, struct eds_registry *registry, unsigned number)
{
    uint8_t public_key[EDS_PUBLIC_KEY_SIZE];
    struct eds_error err;

    memset(device, 0, sizeof *device);
    snprintf(device->device_id, sizeof device->device_id, "lift-%03u", number);
    for (size_t i = 0; i < sizeof device->seed; i++)
        device->seed[i] = (uint8_t)(number >> (i % 2 * 8)) ^ (uint8_t)(i * 7);
    eds_ed25519_public_key(public_key, device->seed);
    assert_int_equal(eds_registry_add_key(registry, device->device_id, public_key, false, &err),
                     EDS_OK);
}

void lab_next(struct lab_device *device, struct eds_entry *entry, const void *payload,
              size_t payload_size)
{
    char object_ref[EDS_OBJECT_REF_SIZE];

    entry->attestation.present = false;
    snprintf(object_ref, sizeof object_ref, "lab://%s/%llu", device->device_id,
             (unsigned long long)device->sequence + 1);
    assert_int_equal(eds_record_sign(&entry->record, device->device_id, device->sequence + 1,
                                     1700000000000 + device->sequence, payload, payload_size,
                                     device->sequence > 0 ? device->record_hash : NULL, object_ref,
                                     device->seed, NULL),
                     EDS_OK);
    device->sequence++;
    assert_int_equal(eds_record_digest(device->record_hash, &entry->record), EDS_OK);
}

size_t lab_envelope(struct lab_device *device, char *out, size_t out_size, size_t payload_size)
{
    uint8_t *payload = malloc(payload_size + 1);
    struct eds_entry entry;
    size_t size;

    assert_non_null(payload);
    for (size_t i = 0; i < payload_size; i++)
        payload[i] = (uint8_t)(i % 251);
    lab_next(device, &entry, payload, payload_size);
    size = eds_json_envelope_encode(out, out_size, &entry, payload, payload_size);
    assert_true(size > 0);
    free(payload);
    return size;
}
