/* heads.c - see heads.h.  Sets of eight, the least recently used of a set goes
 * first: no lists to keep, and a look-up stays within a few cache lines. */
#include "ingest/heads.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "base/port.h"
#include "base/wipe.h"

#define SET_SIZE 8u

struct eds_heads_entry {
    struct eds_head_key key;
    uint64_t used_at;
    struct eds_head head;
};

int32_t eds_heads_init(struct eds_heads *heads, size_t max)
{
    static_assert(sizeof heads->secret == crypto_shorthash_siphashx24_KEYBYTES, "a SipHash key");

    *heads = (struct eds_heads){.set_count = 1};
    while (heads->set_count * SET_SIZE < max)
        heads->set_count *= 2;
    if (eds_port_random(heads->secret, sizeof heads->secret) != 0)
        return EDS_ERR_PANIC;
    heads->entries = calloc(heads->set_count, SET_SIZE * sizeof *heads->entries);
    return heads->entries != NULL ? EDS_OK : EDS_ERR_NO_MEMORY;
}

void eds_heads_free(struct eds_heads *heads)
{
    free(heads->entries);
    eds_wipe(heads->secret, sizeof heads->secret);
}

struct eds_head_key eds_heads_key(const struct eds_heads *heads, const char *device_id)
{
    struct eds_head_key key;

    static_assert(sizeof key == crypto_shorthash_siphashx24_BYTES, "a hash is a key");
    crypto_shorthash_siphashx24((uint8_t *)&key, (const uint8_t *)device_id, strlen(device_id),
                                heads->secret);
    if (key.words[0] == 0 && key.words[1] == 0)
        key.words[1] = 1; /* zero stands for a free entry */
    return key;
}

static bool same(struct eds_head_key a, struct eds_head_key b)
{
    return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

static struct eds_heads_entry *set_of(const struct eds_heads *heads, struct eds_head_key key)
{
    return heads->entries + ((size_t)key.words[0] & (heads->set_count - 1)) * SET_SIZE;
}

static struct eds_heads_entry *find(const struct eds_heads *heads, struct eds_head_key key)
{
    struct eds_heads_entry *set = set_of(heads, key);

    for (unsigned i = 0; i < SET_SIZE; i++)
        if (same(set[i].key, key))
            return &set[i];
    return NULL;
}

bool eds_heads_get(struct eds_heads *heads, struct eds_head_key key, struct eds_head *out)
{
    struct eds_heads_entry *entry = find(heads, key);

    if (entry == NULL)
        return false;
    entry->used_at = ++heads->now;
    *out = entry->head;
    return true;
}

void eds_heads_put(struct eds_heads *heads, struct eds_head_key key, const struct eds_head *head)
{
    struct eds_heads_entry *set = set_of(heads, key), *entry = find(heads, key);

    for (unsigned i = 0; entry == NULL && i < SET_SIZE; i++)
        if (set[i].used_at == 0)
            entry = &set[i];
    if (entry == NULL) {
        entry = &set[0];
        for (unsigned i = 1; i < SET_SIZE; i++)
            if (set[i].used_at < entry->used_at)
                entry = &set[i];
    }
    entry->key = key;
    entry->used_at = ++heads->now;
    entry->head = *head;
}

void eds_heads_drop(struct eds_heads *heads, struct eds_head_key key)
{
    struct eds_heads_entry *entry = find(heads, key);

    if (entry != NULL)
        *entry = (struct eds_heads_entry){0};
}
