/* world.c - see world.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "edgesentry/chain.h"
#include "ingest/world.h"
#include "store/gaps.h"

void device_make(struct device *device, const char *id, uint32_t n)
{
    memset(device, 0, sizeof *device);
    snprintf(device->id, sizeof device->id, "%s", id);
    memcpy(device->seed, "a test device", 13);
    memcpy(device->seed + 16, &n, sizeof n);
}

void device_key(const struct device *device, uint8_t public_key[EDS_PUBLIC_KEY_SIZE])
{
    eds_ed25519_public_key(public_key, device->seed);
}

void device_register(const struct device *device, struct eds_registry *registry,
                     bool attest_required)
{
    uint8_t key[EDS_PUBLIC_KEY_SIZE];

    device_key(device, key);
    assert_int_equal(eds_registry_add_key(registry, device->id, key, attest_required, NULL),
                     EDS_OK);
}

void parcel_fill(struct parcel *parcel, const char *id, uint64_t sequence,
                 const uint8_t *prev_record_hash, const char *object_ref,
                 const uint8_t seed[EDS_SEED_SIZE])
{
    static uint64_t number; /* tests fill parcels on one thread, or fill them first */
    char own_ref[64];

    memset(parcel, 0, sizeof *parcel);
    number++;
    memcpy(parcel->payload, &number, sizeof number);
    snprintf(own_ref, sizeof own_ref, "test://%llu", (unsigned long long)number);
    assert_int_equal(eds_record_sign(&parcel->entry.record, id, sequence, 1000 + number,
                                     parcel->payload, PAYLOAD_SIZE, prev_record_hash,
                                     object_ref != NULL ? object_ref : own_ref, seed, NULL),
                     EDS_OK);
    parcel->submission.request = (struct eds_request){
        .entry = &parcel->entry, .payload = parcel->payload, .payload_size = PAYLOAD_SIZE};
}

void parcel_hash(const struct parcel *parcel, uint8_t out[EDS_HASH_SIZE])
{
    assert_int_equal(eds_record_digest(out, &parcel->entry.record), EDS_OK);
}

void parcel_attest(struct parcel *parcel, const uint8_t seed[EDS_SEED_SIZE])
{
    uint8_t hash[EDS_HASH_SIZE];

    parcel_hash(parcel, hash);
    eds_attest_sign(&parcel->entry.attestation, hash, seed);
}

void device_next(struct device *device, struct parcel *parcel)
{
    parcel_fill(parcel, device->id, ++device->sequence, device->record_hash, NULL, device->seed);
    parcel_hash(parcel, device->record_hash);
}

enum eds_verdict deliver(struct eds_ingest *ingest, struct parcel *parcel)
{
    return eds_ingest_submit_wait(ingest, &parcel->submission);
}

void expect(struct eds_ingest *ingest, struct parcel *parcel, enum eds_verdict verdict,
            const char *message)
{
    enum eds_verdict actual = deliver(ingest, parcel);

    if (actual != verdict)
        fail_msg("%s instead of %s: %s", eds_verdict_name(actual), eds_verdict_name(verdict),
                 parcel->submission.message);
    if (message != NULL)
        assert_string_equal(parcel->submission.message, message);
}

void tally_make(struct tally *tally)
{
    *tally = (struct tally){PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, 0};
}

void tally_free(struct tally *tally)
{
    pthread_mutex_destroy(&tally->lock);
    pthread_cond_destroy(&tally->answered);
}

static void count_answer(struct eds_submission *submission)
{
    struct tally *tally = submission->context;

    pthread_mutex_lock(&tally->lock);
    tally->done++;
    pthread_cond_signal(&tally->answered);
    pthread_mutex_unlock(&tally->lock);
}

void tally_add(struct tally *tally, struct parcel *parcel)
{
    parcel->submission.done = count_answer;
    parcel->submission.context = tally;
    tally->sent++;
}

void tally_submit(struct tally *tally, struct eds_ingest *ingest, struct parcel *parcel)
{
    tally_add(tally, parcel);
    eds_ingest_submit(ingest, &parcel->submission);
}

void tally_wait(struct tally *tally)
{
    pthread_mutex_lock(&tally->lock);
    while (tally->done < tally->sent)
        pthread_cond_wait(&tally->answered, &tally->lock);
    pthread_mutex_unlock(&tally->lock);
}

struct eds_ingest *start(const struct eds_ingest_config *config)
{
    struct eds_ingest *ingest = NULL;
    struct eds_error err;

    if (eds_ingest_start(&ingest, config, &err) != EDS_OK)
        fail_msg("%s", err.text);
    return ingest;
}

struct eds_ledger *open_ledger(const char *url)
{
    struct eds_ledger *ledger = NULL;
    struct eds_error err;
    int32_t rc = eds_ledger_open(&ledger, url, &err);

    if (rc == EDS_ERR_UNSUPPORTED) {
        print_message("skipped: %s\n", err.text);
        skip();
    }
    if (rc != EDS_OK)
        fail_msg("%s: %s", url, err.text);
    return ledger;
}

struct walk {
    struct eds_ledger *ledger;
    struct eds_chain chain;
    struct eds_gap_place place;
    struct eds_gap gap;
    bool has_gap;
};

static void next_gap(struct walk *walk, const char *device_id)
{
    walk->has_gap =
        walk->ledger->gaps->next(walk->ledger, device_id, &walk->place, &walk->gap, NULL) == EDS_OK;
}

static int32_t link_stored(void *context, const struct eds_stored *stored)
{
    struct walk *walk = context;
    struct eds_chain *chain = &walk->chain;
    struct eds_chain_finding finding;
    uint8_t hash[EDS_HASH_SIZE];

    while (walk->has_gap && walk->gap.resume_sequence <= stored->entry->record.sequence) {
        assert_true(eds_gap_cross(&walk->gap, chain));
        next_gap(walk, (const char *)stored->entry->record.device_id);
    }
    assert_int_equal(eds_chain_link(chain, &stored->entry->record, hash, &finding), EDS_OK);
    assert_memory_equal(hash, stored->record_hash, sizeof hash);
    return EDS_OK;
}

uint64_t stored_count(struct eds_ledger *ledger, const char *device_id)
{
    struct walk walk = {.ledger = ledger};
    struct eds_error err;

    eds_chain_begin(&walk.chain, EDS_STRENGTH_SIGNATURES);
    next_gap(&walk, device_id);
    assert_int_equal(ledger->ops->scan(ledger, device_id, link_stored, &walk, &err), EDS_OK);
    return walk.chain.count;
}

#define URL_SCHEME "sqlite:"

void temporary_url(char url[128])
{
    const char *folder = getenv("TMPDIR");
    char path[96];

    snprintf(path, sizeof path, "%s/eds-ingest-XXXXXX", folder != NULL ? folder : P_tmpdir);
    assert_non_null(mkdtemp(path));
    snprintf(url, 128, URL_SCHEME "%s/ledger.sqlite", path);
}

void temporary_remove(const char *url)
{
    char folder[128], path[512];
    struct dirent *entry;
    DIR *dir;

    snprintf(folder, sizeof folder, "%s", url + strlen(URL_SCHEME));
    *strrchr(folder, '/') = '\0';
    dir = opendir(folder);
    while (dir != NULL && (entry = readdir(dir)) != NULL) {
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (entry->d_name[0] != '.')
            unlink(path);
    }
    if (dir != NULL)
        closedir(dir);
    rmdir(folder);
}
