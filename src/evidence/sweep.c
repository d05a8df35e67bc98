/* sweep.c - see sweep.h.
 *
 * The parts are a ring, in the order of the file.  The caller's thread fills
 * them and works on them where there is none to be filled; the others work.
 * Under the lock are the ring's numbers and the states of its parts; a part that
 * somebody works on is his alone. */
#include "evidence/sweep.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "codec/chain_part.h"
#include "core/chain_impl.h"
#include "evidence/sweep_part.h"

#define PART_SIZE   (256u * 1024u) /* bytes */
#define THREADS_MAX 64u

struct slot {
    struct eds_sweep_part part;
    bool is_done;
};

struct eds_sweep {
    const struct eds_chain_check *check;
    struct eds_chain_reader *reader;
    struct eds_chain *chain;
    struct eds_chain_summary *summary;
    struct eds_vouching *vouching;

    /* The caller's thread's. */
    ptrdiff_t (*read)(void *context, void *buf, size_t size); /* the reader's own */
    void *read_context;
    char *carry; /* what was read behind the last cut */
    size_t carry_size;
    bool is_at_end; /* nothing is to be read any more ... */
    int read_error; /* ... because of this errno; 0: the end */
    uint64_t replay_slot;
    size_t replay_at;

    pthread_t threads[THREADS_MAX];
    unsigned thread_count; /* started */
    size_t part_size;      /* bytes */

    pthread_mutex_t lock; /* over all that follows */
    pthread_cond_t changed;
    uint64_t filled, taken, joined; /* numbers of the next slots to be ... */
    bool is_over;                   /* a part was not good, or all were */
    unsigned slot_count;
    struct slot slots[];
};

static struct slot *slot_at(struct eds_sweep *sweep, uint64_t number)
{
    return &sweep->slots[number % sweep->slot_count];
}

/* Links a part to what came before; false if it does not follow. */
static bool follows(struct eds_sweep *sweep, const struct eds_sweep_part *part)
{
    struct eds_chain *chain = sweep->chain;
    struct eds_chain_finding finding;
    uint64_t count = chain->count;

    if (part->chain.count == 0)
        return true;
    if (eds_chain_link_hashed(chain, &part->first, part->first_hash, &finding) != EDS_OK)
        return false;
    if (count == 0) {
        sweep->summary->first_sequence = part->first.sequence;
        memcpy(sweep->summary->device_id, part->first.device_id, sizeof part->first.device_id);
    }
    chain->count = count + part->chain.count;
    chain->sequence = part->chain.sequence;
    memcpy(chain->record_hash, part->chain.record_hash, EDS_HASH_SIZE);
    return true;
}

/* Moves on over the parts that are done, as far as they are good.  With the lock. */
static void join(struct eds_sweep *sweep)
{
    while (!sweep->is_over && sweep->joined < sweep->taken &&
           slot_at(sweep, sweep->joined)->is_done) {
        struct eds_sweep_part *part = &slot_at(sweep, sweep->joined)->part;

        if (!part->is_good || !follows(sweep, part)) {
            sweep->is_over = true;
        } else {
            eds_chain_part_join(sweep->reader, &part->reader);
            sweep->summary->attested_count +=
                sweep->check->rules.strength >= EDS_STRENGTH_SIGNATURES ? part->attested_count : 0;
            sweep->joined++;
            sweep->is_over = part->is_last;
        }
    }
    pthread_cond_broadcast(&sweep->changed);
}

/* Takes a part that is filled and reads it; false if there is none.  With the
 * lock, which is let go meanwhile. */
static bool work(struct eds_sweep *sweep, struct eds_sweep_desk *desk)
{
    struct slot *slot = slot_at(sweep, sweep->taken);

    if (sweep->is_over || sweep->taken == sweep->filled)
        return false;
    sweep->taken++;
    pthread_mutex_unlock(&sweep->lock);
    eds_sweep_part_read(&slot->part, sweep->reader->format, &sweep->check->rules, sweep->vouching,
                        desk);
    pthread_mutex_lock(&sweep->lock);
    slot->is_done = true;
    join(sweep);
    return true;
}

static void *run(void *context)
{
    struct eds_sweep *sweep = context;
    struct eds_sweep_desk *desk = eds_sweep_desk_create();

    if (desk == NULL)
        return NULL; /* the others do it */
    pthread_mutex_lock(&sweep->lock);
    while (!sweep->is_over)
        if (!work(sweep, desk))
            pthread_cond_wait(&sweep->changed, &sweep->lock);
    pthread_mutex_unlock(&sweep->lock);
    eds_sweep_desk_destroy(desk);
    return NULL;
}

/* Fills a part with what was carried over and what comes, up to a cut. */
static void fill(struct eds_sweep *sweep, struct eds_sweep_part *part)
{
    size_t cut;

    memcpy(part->text, sweep->carry, sweep->carry_size);
    part->size = sweep->carry_size;
    sweep->carry_size = 0;
    while (!sweep->is_at_end && part->size < sweep->part_size) {
        ptrdiff_t got = sweep->read(sweep->read_context, part->text + part->size,
                                    sweep->part_size - part->size);

        sweep->is_at_end = got <= 0;
        sweep->read_error = got < 0 ? errno : 0;
        part->size += got > 0 ? (size_t)got : 0;
    }
    part->is_first = sweep->filled == 0;
    part->is_last = part->is_cut = sweep->is_at_end && sweep->read_error == 0;
    if (sweep->is_at_end)
        return;
    cut = eds_chain_part_cut(sweep->reader->format, part->text, part->size);
    part->is_cut = cut > 0;
    if (!part->is_cut)
        return;
    sweep->carry_size = part->size - cut;
    memcpy(sweep->carry, part->text + cut, sweep->carry_size);
    part->size = cut;
}

/* Fills the next part, if there is room and something to read.  With the lock,
 * which is let go meanwhile. */
static bool feed(struct eds_sweep *sweep)
{
    struct slot *slot = slot_at(sweep, sweep->filled);

    if (sweep->is_at_end || sweep->filled - sweep->joined == sweep->slot_count)
        return false;
    pthread_mutex_unlock(&sweep->lock);
    fill(sweep, &slot->part);
    pthread_mutex_lock(&sweep->lock);
    slot->is_done = false;
    sweep->filled++;
    pthread_cond_broadcast(&sweep->changed);
    return true;
}

static void report(struct eds_sweep *sweep)
{
    const struct eds_chain_check *check = sweep->check;
    uint64_t records = sweep->chain->count, bytes = sweep->reader->consumed;

    if (check->progress == NULL || records == 0)
        return;
    pthread_mutex_unlock(&sweep->lock);
    check->progress(check->context, records, bytes);
    pthread_mutex_lock(&sweep->lock);
}

static void lead(struct eds_sweep *sweep, struct eds_sweep_desk *desk)
{
    pthread_mutex_lock(&sweep->lock);
    while (!sweep->is_over) {
        if (!feed(sweep) && !work(sweep, desk))
            pthread_cond_wait(&sweep->changed, &sweep->lock);
        report(sweep);
    }
    pthread_mutex_unlock(&sweep->lock);
    for (unsigned i = 0; i < sweep->thread_count; i++)
        pthread_join(sweep->threads[i], NULL);
}

/* The reader's read from here on: what was read too far, then the rest. */
static ptrdiff_t read_again(void *context, void *buf, size_t size)
{
    struct eds_sweep *sweep = context;
    const char *from = sweep->carry;
    size_t all = sweep->carry_size;

    while (sweep->replay_slot < sweep->filled &&
           sweep->replay_at == slot_at(sweep, sweep->replay_slot)->part.size) {
        sweep->replay_slot++;
        sweep->replay_at = 0;
    }
    if (sweep->replay_slot < sweep->filled) {
        from = slot_at(sweep, sweep->replay_slot)->part.text;
        all = slot_at(sweep, sweep->replay_slot)->part.size;
    }
    if (sweep->replay_at < all) {
        if (size > all - sweep->replay_at)
            size = all - sweep->replay_at;
        memcpy(buf, from + sweep->replay_at, size);
        sweep->replay_at += size;
        return (ptrdiff_t)size;
    }
    if (!sweep->is_at_end)
        return sweep->read(sweep->read_context, buf, size);
    errno = sweep->read_error;
    return sweep->read_error != 0 ? -1 : 0;
}

static unsigned choose_thread_count(unsigned wanted)
{
    long cores = wanted == 0 ? sysconf(_SC_NPROCESSORS_ONLN) : (long)wanted;

    if (cores < 1)
        return 1;
    return cores > (long)THREADS_MAX ? THREADS_MAX : (unsigned)cores;
}

static struct eds_sweep *create(const struct eds_chain_check *check,
                                struct eds_chain_reader *reader)
{
    unsigned slot_count = choose_thread_count(check->thread_count) + 2;
    size_t part_size = check->part_size != 0 ? check->part_size : PART_SIZE;
    struct eds_sweep *sweep = calloc(1, sizeof *sweep + slot_count * sizeof sweep->slots[0]);
    char *text = malloc((slot_count + 1) * part_size);

    if (sweep == NULL || text == NULL) {
        free(sweep);
        free(text);
        return NULL;
    }
    sweep->check = check;
    sweep->reader = reader;
    sweep->read = reader->read;
    sweep->read_context = reader->context;
    sweep->part_size = part_size;
    sweep->slot_count = slot_count;
    sweep->carry = text;
    for (unsigned i = 0; i < slot_count; i++)
        sweep->slots[i].part.text = text + (i + 1) * part_size;
    pthread_mutex_init(&sweep->lock, NULL);
    pthread_cond_init(&sweep->changed, NULL);
    return sweep;
}

/* A sweep begins at a file's beginning, and needs parts and nothing but the file. */
static bool is_of_use(const struct eds_chain_check *check, const struct eds_chain_reader *reader)
{
    return check->payload == NULL && check->rules.strength < EDS_STRENGTH_FULL &&
           reader->format != EDS_CHAIN_COMPACT && reader->consumed == 0 && reader->end == 0 &&
           reader->rc == EDS_OK && !reader->at_end;
}

struct eds_sweep *eds_sweep_run(const struct eds_chain_check *check,
                                struct eds_chain_reader *reader, struct eds_chain *chain,
                                struct eds_chain_summary *summary)
{
    struct eds_sweep_desk *desk = NULL;
    struct eds_sweep *sweep = is_of_use(check, reader) ? create(check, reader) : NULL;

    if (sweep == NULL)
        return NULL;
    sweep->chain = chain;
    sweep->summary = summary;
    fill(sweep, &sweep->slots[0].part);
    sweep->filled = 1;
    reader->read = read_again;
    reader->context = sweep;
    if (!sweep->is_at_end) /* a short file is done before tables would be */
        desk = eds_sweep_desk_create();
    if (desk == NULL)
        return sweep;
    if (check->rules.strength >= EDS_STRENGTH_SIGNATURES)
        sweep->vouching = eds_vouching_create(&check->rules);
    while (sweep->thread_count + 3 < sweep->slot_count &&
           pthread_create(&sweep->threads[sweep->thread_count], NULL, run, sweep) == 0)
        sweep->thread_count++;
    lead(sweep, desk);
    sweep->replay_slot = sweep->joined;
    eds_sweep_desk_destroy(desk);
    return sweep;
}

void eds_sweep_free(struct eds_sweep *sweep)
{
    if (sweep == NULL)
        return;
    sweep->reader->read = sweep->read;
    sweep->reader->context = sweep->read_context;
    eds_vouching_destroy(sweep->vouching);
    pthread_cond_destroy(&sweep->changed);
    pthread_mutex_destroy(&sweep->lock);
    free(sweep->carry);
    free(sweep);
}
