/* plan.c - see plan.h.
 *
 * A change is its texts with their NULs, its numbers, and its keys, one after the
 * other; none goes over the end of a block.  These bytes never leave the process. */
#include "fleet/plan.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_SIZE   (256u * 1024u) /* bytes */
#define MESSAGE_SIZE sizeof((struct eds_fleet_source *)0)->messages[0]

/* The numbers of an enrolment; the texts stand before them, the keys after. */
struct numbers {
    uint64_t quarantine_arrived, revision;
    uint32_t key_count;
    uint8_t state, attest_required;
};

/* The block in which that much is free, or NULL. */
static uint8_t *take_room(struct eds_fleet_plan *plan, size_t size)
{
    uint8_t *room;

    assert(size <= BLOCK_SIZE);
    if (plan->block_count == 0 || size > BLOCK_SIZE - plan->block_used) {
        if (plan->block_count == plan->block_capacity) {
            size_t capacity = plan->block_capacity == 0 ? 16 : 2 * plan->block_capacity;
            uint8_t **blocks = realloc(plan->blocks, capacity * sizeof *blocks);

            if (blocks == NULL)
                return NULL;
            plan->blocks = blocks;
            plan->block_capacity = capacity;
        }
        plan->blocks[plan->block_count] = calloc(1, BLOCK_SIZE);
        if (plan->blocks[plan->block_count] == NULL)
            return NULL;
        plan->block_count++;
        plan->block_used = 0;
    }
    room = plan->blocks[plan->block_count - 1] + plan->block_used;
    plan->block_used += size;
    return room;
}

static void put(uint8_t **at, const void *bytes, size_t size)
{
    memcpy(*at, bytes, size);
    *at += size;
}

static void get(const uint8_t **at, void *bytes, size_t size)
{
    memcpy(bytes, *at, size);
    *at += size;
}

static void get_text(const uint8_t **at, char *out, size_t out_size)
{
    size_t size = strlen((const char *)*at) + 1;

    assert(size <= out_size);
    (void)out_size;
    get(at, out, size);
}

int32_t eds_fleet_plan_add(struct eds_fleet_plan *plan, const struct eds_enrolment *it,
                           const char *message, struct eds_error *err)
{
    const char *texts[] = {it->id, it->site, it->cohort, it->firmware, message};
    struct numbers numbers;
    size_t keys_size = it->key_count * sizeof it->keys[0];
    size_t size = sizeof numbers + keys_size;
    uint8_t *at;

    assert(strlen(message) < MESSAGE_SIZE);
    memset(&numbers, 0, sizeof numbers);
    numbers.quarantine_arrived = it->quarantine_arrived;
    numbers.revision = it->revision;
    numbers.key_count = it->key_count;
    numbers.state = (uint8_t)it->state;
    numbers.attest_required = it->attest_required;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        size += strlen(texts[i]) + 1;
    at = take_room(plan, size);
    if (at == NULL)
        return eds_error_set(err, EDS_ERR_NO_MEMORY, "no memory for %llu devices",
                             (unsigned long long)plan->count + 1);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        put(&at, texts[i], strlen(texts[i]) + 1);
    put(&at, &numbers, sizeof numbers);
    put(&at, it->keys, keys_size);
    plan->count++;
    return EDS_OK;
}

void eds_fleet_plan_free(struct eds_fleet_plan *plan)
{
    for (size_t i = 0; i < plan->block_count; i++)
        free(plan->blocks[i]);
    free(plan->blocks);
    *plan = (struct eds_fleet_plan){.count = 0};
}

/* The id of no device is empty: that is where a block ends. */
static bool has_next(struct eds_fleet_source *source)
{
    const struct eds_fleet_plan *plan = source->plan;

    while (source->block < plan->block_count) {
        bool is_last = source->block + 1 == plan->block_count;

        if (source->at < (is_last ? plan->block_used : BLOCK_SIZE) &&
            plan->blocks[source->block][source->at] != '\0')
            return true;
        source->block++;
        source->at = 0;
    }
    return false;
}

static void take_next(struct eds_fleet_source *source, size_t i)
{
    const uint8_t *block = source->plan->blocks[source->block], *at = block + source->at;
    struct eds_enrolment *it = &source->enrolments[i];
    struct numbers numbers;

    it->role = EDS_ROLE_DEVICE;
    get_text(&at, it->id, sizeof it->id);
    get_text(&at, it->site, sizeof it->site);
    get_text(&at, it->cohort, sizeof it->cohort);
    get_text(&at, it->firmware, sizeof it->firmware);
    get_text(&at, source->messages[i], sizeof source->messages[i]);
    get(&at, &numbers, sizeof numbers);
    it->quarantine_arrived = numbers.quarantine_arrived;
    it->revision = numbers.revision;
    it->key_count = numbers.key_count;
    it->state = (enum eds_device_state)numbers.state;
    it->attest_required = numbers.attest_required != 0;
    get(&at, it->keys, it->key_count * sizeof it->keys[0]);
    source->at = (size_t)(at - block);
    source->changes[i] =
        (struct eds_roster_change){it, source->messages[i], source->who, source->why};
}

static int32_t next_batch(struct eds_roster_source *base, const struct eds_roster_change **changes,
                          size_t *count, struct eds_error *err)
{
    struct eds_fleet_source *source = (struct eds_fleet_source *)base;

    (void)err;
    if (source->progress != NULL)
        source->progress(source->context, source->done);
    *changes = source->changes;
    for (*count = 0; *count < EDS_FLEET_BATCH_COUNT && has_next(source); ++*count)
        take_next(source, *count);
    source->done += *count;
    return EDS_OK;
}

void eds_fleet_source_begin(struct eds_fleet_source *source, const struct eds_fleet_plan *plan,
                            const char *who, const char *why)
{
    source->source.next = next_batch;
    source->plan = plan;
    source->who = who;
    source->why = why;
    source->progress = NULL;
    source->context = NULL;
    source->block = source->at = 0;
    source->done = 0;
}
