/* power_workload.c - see power_workload.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device/maker.h"
#include "device/power_workload.h"

static const uint8_t zero[EDS_HASH_SIZE];

unsigned power_rounds(unsigned usual)
{
    const char *more = getenv("EDS_TEST_ROUNDS");

    return more != NULL ? (unsigned)strtoul(more, NULL, 10) : usual;
}

void power_world_init(struct power_world *world, struct dice *dice, size_t payload_max)
{
    memset(world, 0, sizeof *world);
    world->dice = dice;
    world->payload_max = payload_max;
    for (unsigned i = 0; i < POWER_DEVICES; i++) {
        snprintf(world->devices[i].id, sizeof world->devices[i].id, "device-%u", i);
        memset(world->devices[i].seed, (int)i + 1, EDS_SEED_SIZE);
    }
}

static struct power_device *device_of(struct power_world *world, const void *id)
{
    for (unsigned i = 0; i < POWER_DEVICES; i++)
        if (strcmp(world->devices[i].id, id) == 0)
            return &world->devices[i];
    fail_msg("a device that nobody knows: %s", (const char *)id);
    return NULL;
}

/* Makes the record after the head. */
static void make(struct power_world *world, const struct power_device *device,
                 const struct eds_buffer_head *head, struct eds_buffer_item *out, uint8_t *payload)
{
    char object_ref[EDS_OBJECT_REF_SIZE];
    size_t size = dice_below(world->dice, world->payload_max);

    memset(out, 0, sizeof *out);
    memset(payload, (int)(++world->attempts & 0xff), size);
    made_reference(object_ref, device->id, head->sequence + 1);
    assert_int_equal(eds_record_sign(&out->entry.record, device->id, head->sequence + 1,
                                     1000 + world->attempts, payload, size, head->record_hash,
                                     object_ref, device->seed, NULL),
                     EDS_OK);
    out->payload = payload;
    out->payload_size = size;
    out->priority = EDS_PRIORITY_NORMAL;
}

static void push(struct power_world *world, struct eds_buffer *buffer)
{
    static uint8_t payloads[3][65536];
    struct power_device *device = &world->devices[dice_below(world->dice, POWER_DEVICES)];
    struct eds_buffer_item items[3];
    struct eds_buffer_head head;
    size_t count = 1 + dice_below(world->dice, 3);
    uint64_t first;

    eds_buffer_head(buffer, device->id, &head);
    first = head.sequence + 1;
    assert_true(first + count < POWER_MAX);
    for (size_t i = 0; i < count; i++) {
        make(world, device, &head, &items[i], payloads[i]);
        head.sequence++;
        assert_int_equal(eds_record_digest(head.record_hash, &items[i].entry.record), EDS_OK);
    }
    if (eds_buffer_push_many(buffer, items, count, NULL) != EDS_OK) {
        world->failures++;
        return;
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(eds_record_digest(device->hashes[first + i], &items[i].entry.record),
                         EDS_OK);
    device->acknowledged = first + count - 1;
}

/* The server's door. */
static void receive(struct power_world *world, const struct eds_buffer_item *item)
{
    struct power_device *device = device_of(world, item->entry.record.device_id);
    uint64_t sequence = item->entry.record.sequence;
    uint8_t hash[EDS_HASH_SIZE];

    assert_int_equal(eds_record_digest(hash, &item->entry.record), EDS_OK);
    if (sequence <= device->delivered) { /* a duplicate, and no fork */
        assert_memory_equal(hash, device->hashes[sequence], EDS_HASH_SIZE);
        return;
    }
    assert_int_equal(sequence, device->delivered + 1);
    assert_memory_equal(item->entry.record.prev_record_hash,
                        sequence > 1 ? device->hashes[sequence - 1] : zero, EDS_HASH_SIZE);
    if (sequence <= device->acknowledged)
        assert_memory_equal(hash, device->hashes[sequence], EDS_HASH_SIZE);
    memcpy(device->hashes[sequence], hash, EDS_HASH_SIZE);
    device->delivered = sequence;
    if (device->acknowledged < sequence) /* it was kept without a word: now it counts */
        device->acknowledged = sequence;
}

/* The next item, or NULL; a store that cannot be read is a failure as well. */
static struct eds_buffer_item *next(struct power_world *world, struct eds_buffer *buffer, bool dead)
{
    struct eds_buffer_item *item = NULL;
    int32_t rc = eds_buffer_next(buffer, NULL, 0, dead, &item, NULL);

    if (rc != EDS_OK && rc != EDS_ERR_NOT_FOUND)
        world->failures++;
    return rc == EDS_OK ? item : NULL;
}

static bool deliver(struct power_world *world, struct eds_buffer *buffer)
{
    struct eds_buffer_item *item = next(world, buffer, false);

    if (item == NULL)
        return false;
    receive(world, item);
    if (eds_buffer_settle(buffer, item, EDS_SETTLE_REMOVE, NULL, NULL) != EDS_OK)
        world->failures++;
    free(item);
    return true;
}

/* To the dead and back again. */
static void bury(struct power_world *world, struct eds_buffer *buffer)
{
    bool dead = dice_below(world->dice, 2) == 0;
    struct eds_buffer_item *item = next(world, buffer, dead);

    if (item == NULL)
        return;
    if (eds_buffer_settle(buffer, item, dead ? EDS_SETTLE_REVIVE : EDS_SETTLE_BURY, "why not",
                          NULL) != EDS_OK)
        world->failures++;
    free(item);
}

static void revive_all(struct power_world *world, struct eds_buffer *buffer)
{
    struct eds_buffer_item *item;

    while ((item = next(world, buffer, true)) != NULL) {
        int32_t rc = eds_buffer_settle(buffer, item, EDS_SETTLE_REVIVE, NULL, NULL);

        free(item);
        if (rc != EDS_OK) {
            world->failures++;
            return;
        }
    }
}

void power_steps(struct power_world *world, struct eds_buffer *buffer, unsigned steps)
{
    while (steps-- > 0) {
        size_t luck = dice_below(world->dice, 100);

        if (luck < 50) {
            push(world, buffer);
        } else if (luck < 56) {
            bury(world, buffer);
        } else {
            struct eds_buffer_counts counts;

            revive_all(world, buffer);
            eds_buffer_counts(buffer, &counts);
            if (counts.dead == 0) /* else the chain would go on without it */
                (void)deliver(world, buffer);
        }
    }
}

struct found {
    uint64_t sequence;
    uint8_t hash[EDS_HASH_SIZE], prev[EDS_HASH_SIZE];
};

static size_t collect(struct eds_buffer *buffer, const char *id, struct found *out)
{
    size_t count = 0;

    for (int dead = 0; dead < 2; dead++) {
        struct eds_buffer_item *item;
        uint64_t after = 0;
        int32_t rc;

        while ((rc = eds_buffer_next(buffer, id, after, dead != 0, &item, NULL)) == EDS_OK) {
            assert_true(count < POWER_MAX);
            out[count].sequence = item->entry.record.sequence;
            memcpy(out[count].prev, item->entry.record.prev_record_hash, EDS_HASH_SIZE);
            assert_int_equal(eds_record_digest(out[count++].hash, &item->entry.record), EDS_OK);
            after = item->id;
            free(item);
        }
        assert_int_equal(rc, EDS_ERR_NOT_FOUND);
    }
    return count;
}

static int by_sequence(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return x->sequence < y->sequence ? -1 : x->sequence > y->sequence ? 1 : 0;
}

void power_check(struct power_world *world, struct eds_buffer *buffer)
{
    static struct found found[POWER_MAX];

    for (unsigned i = 0; i < POWER_DEVICES; i++) {
        struct power_device *device = &world->devices[i];
        size_t count = collect(buffer, device->id, found);
        uint64_t last = device->delivered;
        struct eds_buffer_head head;

        qsort(found, count, sizeof found[0], by_sequence);
        for (size_t at = 0; at < count; at++) {
            const struct found *one = &found[at];

            if (one->sequence > device->delivered) {
                assert_int_equal(one->sequence, last + 1);
                assert_memory_equal(one->prev, last > 0 ? device->hashes[last] : zero,
                                    EDS_HASH_SIZE);
                if (one->sequence > device->acknowledged)
                    memcpy(device->hashes[one->sequence], one->hash, EDS_HASH_SIZE);
                last = one->sequence;
            }
            assert_memory_equal(one->hash, device->hashes[one->sequence], EDS_HASH_SIZE);
        }
        assert_true(last >= device->acknowledged);
        eds_buffer_head(buffer, device->id, &head);
        assert_int_equal(head.sequence, last);
        assert_int_equal(head.command_counter, last / MADE_ANSWER_EVERY);
        if (last > 0)
            assert_memory_equal(head.record_hash, device->hashes[last], EDS_HASH_SIZE);
        device->acknowledged = last; /* what is seen stays, too */
    }
}

void power_drain(struct power_world *world, struct eds_buffer *buffer)
{
    revive_all(world, buffer);
    while (deliver(world, buffer))
        continue;
    assert_true(eds_buffer_is_empty(buffer));
    for (unsigned i = 0; i < POWER_DEVICES; i++)
        assert_int_equal(world->devices[i].delivered, world->devices[i].acknowledged);
}
