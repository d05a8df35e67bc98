/* sweep_part.c - see sweep_part.h. */
#include "evidence/sweep_part.h"

#include <stdlib.h>
#include <string.h>

#include "codec/chain_part.h"
#include "core/chain_impl.h"

#define BATCH_MAX EDS_VOUCHING_BATCH_MAX

struct eds_sweep_desk {
    struct eds_inspection_item items[BATCH_MAX];
    uint8_t encoded[BATCH_MAX][EDS_RECORD_SIZE_MAX];
    const void *data[BATCH_MAX];
    size_t sizes[BATCH_MAX]; /* bytes */
    uint8_t hashes[BATCH_MAX][EDS_HASH_SIZE];
    bool vouched[BATCH_MAX];
    struct eds_vouching_desk *vouching; /* NULL: one by one */
};

struct eds_sweep_desk *eds_sweep_desk_create(void)
{
    struct eds_sweep_desk *desk = malloc(sizeof *desk);

    if (desk == NULL)
        return NULL;
    for (size_t i = 0; i < BATCH_MAX; i++) {
        desk->items[i].payload = NULL;
        desk->items[i].payload_size = 0;
    }
    desk->vouching = eds_vouching_desk_create();
    return desk;
}

void eds_sweep_desk_destroy(struct eds_sweep_desk *desk)
{
    if (desk != NULL)
        eds_vouching_desk_destroy(desk->vouching);
    free(desk);
}

static bool hash_records(struct eds_sweep_desk *desk, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (eds_record_encode(desk->encoded[i], &desk->sizes[i], &desk->items[i].entry.record) !=
            EDS_OK)
            return false;
        desk->data[i] = desk->encoded[i];
    }
    eds_blake3_many(desk->hashes, desk->data, desk->sizes, count);
    for (size_t i = 0; i < count; i++)
        memcpy(desk->items[i].record_hash, desk->hashes[i], EDS_HASH_SIZE);
    return true;
}

/* Takes the first record for right; what it has to follow is seen later. */
static void begin_chain(struct eds_sweep_part *part, const struct eds_inspection_item *item,
                        enum eds_strength strength)
{
    part->first = item->entry.record;
    memcpy(part->first_hash, item->record_hash, EDS_HASH_SIZE);
    eds_chain_begin_after(&part->chain, strength, part->first.sequence - 1,
                          part->first.prev_record_hash);
}

static bool link_records(struct eds_sweep_part *part, const struct eds_sweep_desk *desk,
                         size_t count, enum eds_strength strength)
{
    struct eds_chain_finding finding;

    for (size_t i = 0; i < count; i++) {
        const struct eds_inspection_item *item = &desk->items[i];

        if (part->chain.count == 0)
            begin_chain(part, item, strength);
        if (eds_chain_link_hashed(&part->chain, &item->entry.record, item->record_hash, &finding) !=
            EDS_OK)
            return false;
        part->attested_count += item->entry.attestation.present;
    }
    return true;
}

static bool are_signed(const struct eds_chain_rules *rules, const struct eds_vouching *vouching,
                       struct eds_sweep_desk *desk, size_t count)
{
    struct eds_chain_finding finding;

    memset(desk->vouched, 0, sizeof desk->vouched);
    if (vouching != NULL && desk->vouching != NULL)
        eds_vouching_run(vouching, desk->vouching, desk->items, count, desk->vouched);
    for (size_t i = 0; i < count; i++)
        if (!desk->vouched[i] &&
            eds_chain_inspect(rules, &desk->items[i].entry, desk->items[i].record_hash, NULL, 0,
                              &finding) != EDS_OK)
            return false;
    return true;
}

static bool is_good(struct eds_sweep_part *part, const struct eds_chain_rules *rules,
                    const struct eds_vouching *vouching, struct eds_sweep_desk *desk)
{
    int32_t rc = EDS_OK;

    while (rc == EDS_OK) {
        size_t count = 0;

        while (count < BATCH_MAX && rc == EDS_OK) {
            rc = eds_chain_part_next(&part->reader, &desk->items[count].entry, part->is_last);
            count += rc == EDS_OK;
        }
        if (!hash_records(desk, count) || !link_records(part, desk, count, rules->strength))
            return false;
        if (rules->strength >= EDS_STRENGTH_SIGNATURES && !are_signed(rules, vouching, desk, count))
            return false;
    }
    return rc == EDS_ERR_NOT_FOUND;
}

void eds_sweep_part_read(struct eds_sweep_part *part, enum eds_chain_format format,
                         const struct eds_chain_rules *rules, const struct eds_vouching *vouching,
                         struct eds_sweep_desk *desk)
{
    eds_chain_part_begin(&part->reader, format, part->text, part->size, part->is_first);
    memset(&part->chain, 0, sizeof part->chain);
    part->attested_count = 0;
    part->is_good = part->is_cut && is_good(part, rules, vouching, desk);
}
